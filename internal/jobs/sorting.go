package jobs

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/lanrat/extsort"
)

// sorter sorts more than fits into memory: add all, call end, then read in order.
type sorter[T any] struct {
	in     chan T
	out    <-chan T
	failed <-chan error
	ended  bool
}

// sortedAtOnce is how many values are sorted in memory before they go to disk.
const sortedAtOnce = 250_000

func newSorter[T any](
	ctx context.Context,
	tempDir string,
	to func(T) ([]byte, error),
	from func([]byte) (T, error),
	compare func(a, b T) int,
) *sorter[T] {
	s := &sorter[T]{in: make(chan T, 1000)}
	sorting, out, failed := extsort.Generic(s.in, from, to, compare,
		&extsort.Config{ChunkSize: sortedAtOnce, NumWorkers: 1, SortedChanBuffSize: 1000, TempFilesDir: tempDir})
	s.out, s.failed = out, failed
	go sorting.Sort(ctx)
	return s
}

// sortRows sorts by account, rows of the same account by row.
func sortRows(ctx context.Context, tempDir string) *sorter[Named] {
	return newSorter(ctx, tempDir,
		func(n Named) ([]byte, error) { return append(binary.AppendVarint(nil, n.Row), n.Account...), nil },
		func(b []byte) (Named, error) {
			row, length := binary.Varint(b)
			if length <= 0 {
				return Named{}, errSorting
			}
			return Named{string(b[length:]), row}, nil
		},
		func(a, b Named) int { return cmp.Or(strings.Compare(a.Account, b.Account), cmp.Compare(a.Row, b.Row)) })
}

func sortDuplicates(ctx context.Context, tempDir string) *sorter[duplicate] {
	return newSorter(ctx, tempDir,
		func(d duplicate) ([]byte, error) {
			return binary.AppendVarint(binary.AppendVarint(nil, d.row), d.repeats), nil
		},
		func(b []byte) (duplicate, error) {
			row, length := binary.Varint(b)
			if length <= 0 {
				return duplicate{}, errSorting
			}
			repeats, length := binary.Varint(b[length:])
			if length <= 0 {
				return duplicate{}, errSorting
			}
			return duplicate{row, repeats}, nil
		},
		func(a, b duplicate) int { return cmp.Compare(a.row, b.row) })
}

var errSorting = errors.New("jobs: a temporary file for sorting does not hold what was written to it")

func (s *sorter[T]) add(ctx context.Context, value T) error {
	select {
	case s.in <- value:
		return nil
	default:
	}
	select {
	case s.in <- value:
		return nil
	case err := <-s.failed: // a full disk, say
		return cmp.Or(err, errSorting)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end says that all has been added.
func (s *sorter[T]) end() {
	if !s.ended {
		s.ended = true
		close(s.in)
	}
}

// sorted returns the values in order.
func (s *sorter[T]) sorted() iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for value := range s.out {
			if !yield(value, nil) {
				return
			}
		}
		if err := <-s.failed; err != nil {
			var none T
			yield(none, err)
		}
	}
}

// pull returns the values one by one, zero ones after the last.
func (s *sorter[T]) pull() (next func() (T, error), stop func()) {
	pull, stop := iter.Pull2(s.sorted())
	return func() (T, error) {
		value, err, _ := pull()
		return value, err
	}, stop
}

// spool holds rows in file order, in a temporary file that has no name any
// more: accounts do not outlive the process that reads them.
type spool struct {
	file *os.File
	out  *bufio.Writer
	last Planned
	line []byte
}

func newSpool(tempDir string) (*spool, error) {
	file, err := os.CreateTemp(tempDir, "rows-*")
	if err != nil {
		return nil, err
	}
	return &spool{file: file, out: bufio.NewWriterSize(file, 64<<10)}, os.Remove(file.Name())
}

func (s *spool) close() { s.file.Close() }

func (s *spool) add(p Planned) error {
	s.line = binary.AppendUvarint(s.line[:0], uint64(p.Row-s.last.Row))
	s.line = binary.AppendUvarint(s.line, uint64(p.Line-s.last.Line))
	s.line = binary.AppendUvarint(s.line, uint64(len(p.Tags)))
	s.last = p
	for _, text := range append([]string{p.Account}, p.Tags...) {
		s.line = append(binary.AppendUvarint(s.line, uint64(len(text))), text...)
	}
	_, err := s.out.Write(s.line)
	return err
}

// all returns the rows; nothing may be added any more.
func (s *spool) all() iter.Seq2[Planned, error] {
	return func(yield func(Planned, error) bool) {
		err := s.out.Flush()
		if err == nil {
			_, err = s.file.Seek(0, io.SeekStart)
		}
		in := bufio.NewReaderSize(s.file, 64<<10)
		var last Planned
		for err == nil {
			if last, err = readSpooled(in, last); errors.Is(err, io.EOF) {
				return
			}
			if err == nil && !yield(last, nil) {
				return
			}
		}
		if err != nil {
			yield(Planned{}, err)
		}
	}
}

// readSpooled reads the row after the last one; io.EOF is the end, and nothing else is.
func readSpooled(in *bufio.Reader, last Planned) (p Planned, err error) {
	row, err := binary.ReadUvarint(in)
	if err != nil {
		return p, err
	}
	number := func() (n uint64) {
		if err == nil {
			n, err = binary.ReadUvarint(in)
		}
		return n
	}
	text := func() string {
		bytes := make([]byte, number())
		if err == nil {
			_, err = io.ReadFull(in, bytes)
		}
		return string(bytes)
	}
	line, tags := number(), number()
	p = Planned{Row: last.Row + int64(row), Line: last.Line + int64(line), Account: text()}
	for ; tags > 0 && err == nil; tags-- {
		p.Tags = append(p.Tags, text())
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return p, err
}
