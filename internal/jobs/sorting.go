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

// sortable is a row that is sorted: by its account, or as the duplicate of another row.
type sortable struct {
	account      string
	row, repeats int64
}

// sorter sorts more rows than fit into memory: add all, call end, then read in order.
type sorter struct {
	in     chan sortable
	out    <-chan sortable
	failed <-chan error
}

// sortedAtOnce is how many rows are sorted in memory before they go to disk.
const sortedAtOnce = 250_000

func newSorter(ctx context.Context, tempDir string, compare func(a, b sortable) int) *sorter {
	s := &sorter{in: make(chan sortable, 1000)}
	sorting, out, failed := extsort.Generic(s.in, readSortable, sortable.bytes, compare,
		&extsort.Config{ChunkSize: sortedAtOnce, NumWorkers: 1, SortedChanBuffSize: 1000, TempFilesDir: tempDir})
	s.out, s.failed = out, failed
	go sorting.Sort(ctx)
	return s
}

// byAccount compares by account, rows of the same account by row.
func byAccount(a, b sortable) int { return cmp.Or(strings.Compare(a.account, b.account), byRow(a, b)) }

func byRow(a, b sortable) int { return cmp.Compare(a.row, b.row) }

func (s sortable) bytes() ([]byte, error) {
	return append(binary.AppendVarint(binary.AppendVarint(nil, s.row), s.repeats), s.account...), nil
}

func readSortable(b []byte) (s sortable, err error) {
	var rowBytes, repeatsBytes int
	if s.row, rowBytes = binary.Varint(b); rowBytes > 0 {
		s.repeats, repeatsBytes = binary.Varint(b[rowBytes:])
	}
	if repeatsBytes <= 0 {
		return s, errSorting
	}
	s.account = string(b[rowBytes+repeatsBytes:])
	return s, nil
}

var errSorting = errors.New("jobs: a temporary file for sorting does not hold what was written to it")

func (s *sorter) add(ctx context.Context, value sortable) error {
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
func (s *sorter) end() { close(s.in) }

// sorted returns the values in order.
func (s *sorter) sorted() iter.Seq2[sortable, error] {
	return sequence(func(give func(sortable) bool) error {
		for value := range s.out {
			if !give(value) {
				return nil
			}
		}
		return <-s.failed
	})
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
	return sequence(func(give func(Planned) bool) error {
		err := s.out.Flush()
		if err == nil {
			_, err = s.file.Seek(0, io.SeekStart)
		}
		in := bufio.NewReaderSize(s.file, 64<<10)
		for last := (Planned{}); err == nil; {
			if last, err = readSpooled(in, last); errors.Is(err, io.EOF) || err == nil && !give(last) {
				return nil
			}
		}
		return err
	})
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
