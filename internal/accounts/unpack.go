package accounts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zip"

	"tagsweep/internal/fault"
)

const (
	unpackedBytes  = 2 << 30
	workbookBytes  = 64 << 20
	openingBytes   = 256 << 20 // of a workbook, before its rows are read
	directoryBytes = 4 << 20   // of a ZIP: tens of thousands of files
)

// source is a file as it was uploaded. It remembers its own error, so that this
// can be told from the damage of what is in it.
type source struct {
	*io.SectionReader
	err error
}

func (s *source) ReadAt(b []byte, at int64) (int, error) {
	n, err := s.SectionReader.ReadAt(b, at)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// why is the error of reading the source if that failed, else the fault of what
// is in it.
func (s *source) why(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if s.err != nil {
		return s.err
	}
	return FaultDamaged.Because(err)
}

// counted counts what was read of a total.
type counted struct {
	io.Reader
	read *int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	*c.read += int64(n)
	return n, err
}

// file is an upload with its packing undone: text, or a workbook.
type file struct {
	source        *source
	limit         int64 // of what it may unpack to
	tags          bool  // it is to have a column of tags
	packed, entry string
	unpack        func() (io.ReadCloser, error) // of an archive
	book          *workbook
	opening       *budget // of the parts of a workbook until its rows are read
	read, total   int64   // how far it has been read
}

// open gives the text from its beginning.
func (f *file) open() (io.ReadCloser, error) {
	if f.unpack != nil {
		return f.unpack()
	}
	f.read, f.total = 0, f.source.Size()
	return io.NopCloser(counted{io.NewSectionReader(f.source, 0, f.source.Size()), &f.read}), nil
}

// unpack finds out what a file holds.
func unpack(r *io.SectionReader, limit int64) (*file, error) {
	if limit == 0 {
		limit = unpackedBytes
	}
	f := &file{source: &source{SectionReader: r}, limit: limit}
	head, err := readHead(io.NewSectionReader(f.source, 0, r.Size()))
	if err != nil {
		return nil, err
	}
	switch format := formatOf(head); format {
	case "":
		return f, nil
	case gzipped:
		return f, f.gzip()
	case zipped:
		return f, f.zip()
	case "XLS":
		return nil, f.compound(head)
	default:
		return nil, FaultBinary.With(format)
	}
}

// compound refuses the format of old workbooks, in which new ones with a
// password are wrapped.
func (f *file) compound(head []byte) error {
	tail := make([]byte, min(maxRecord, f.source.Size()))
	if _, err := f.source.ReadAt(tail, f.source.Size()-int64(len(tail))); err != nil && err != io.EOF {
		return err
	}
	if bytes.Contains(head, encryptedPackage) || bytes.Contains(tail, encryptedPackage) {
		return FaultEncrypted.With()
	}
	return FaultBinary.With("XLS")
}

// readHead reads as much as detection sees.
func readHead(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, maxRecord)) }

func (f *file) gzip() error {
	f.packed = gzipped
	f.unpack = func() (io.ReadCloser, error) {
		f.read, f.total = 0, f.source.Size()
		r, err := gzip.NewReader(counted{io.NewSectionReader(f.source, 0, f.source.Size()), &f.read})
		if err != nil {
			return nil, f.source.why(err)
		}
		if f.entry == "" {
			f.entry = entryName(path.Base(r.Name))
			if r.Name == "" {
				f.entry = ""
			}
		}
		return &unpacked{ReadCloser: r, source: f.source, budget: f.whole()}, nil
	}
	return f.inside()
}

func (f *file) zip() error {
	directory, err := readDirectory(f.source)
	if err != nil {
		return err
	}
	if isWorkbook(directory) {
		return f.workbook(directory, f.source.Size())
	}
	f.packed = zipped
	var files []*zip.File
	for _, entry := range directory.File {
		if !ignored(entry.Name) {
			files = append(files, entry)
		}
	}
	switch {
	case len(files) == 0:
		return FaultNoFile.With()
	case officeFormat(files) != "":
		return FaultBinary.With(officeFormat(files))
	case len(files) > 1:
		return FaultSeveralFiles.With(len(files))
	case files[0].Flags&1 != 0:
		return FaultEncrypted.With()
	}
	f.entry = entryName(path.Base(strings.ReplaceAll(files[0].Name, `\`, "/")))
	f.unpack = func() (io.ReadCloser, error) {
		r, err := files[0].Open()
		if err != nil {
			return nil, f.source.why(err)
		}
		f.read, f.total = 0, max(1, int64(min(files[0].UncompressedSize64, 1<<62)))
		in := &unpacked{ReadCloser: r, source: f.source, budget: f.whole()}
		return readCloser{counted{in, &f.read}, in}, nil
	}
	return f.inside()
}

type readCloser struct {
	io.Reader
	io.Closer
}

// inside looks at the one file of an archive: text, or a workbook, which is then
// held in memory, because it is read at any place.
func (f *file) inside() error {
	r, err := f.unpack()
	if err != nil {
		return err
	}
	defer r.Close()
	head, err := readHead(r)
	if err != nil {
		return f.source.why(err)
	}
	format := formatOf(head)
	switch {
	case format == "":
		return nil
	case format == zipped:
		whole, length, err := hold(io.MultiReader(bytes.NewReader(head), r), workbookBytes)
		if err != nil {
			return f.source.why(err)
		}
		if length > workbookBytes {
			return FaultWorkbookLarge.With(size(workbookBytes))
		}
		directory, err := readDirectory(&source{SectionReader: io.NewSectionReader(whole, 0, length)})
		if err != nil {
			return err
		}
		if !isWorkbook(directory) {
			if office := officeFormat(directory.File); office != "" {
				return FaultBinary.With(office)
			}
			return FaultNested.With(format)
		}
		return f.workbook(directory, length)
	case slices.Contains(archives, format):
		return FaultNested.With(format)
	}
	return FaultBinary.With(format)
}

func (f *file) workbook(directory *zip.Reader, packedBytes int64) (err error) {
	if packedBytes > workbookBytes {
		return FaultWorkbookLarge.With(size(workbookBytes))
	}
	f.opening = f.whole()
	if f.limit > openingBytes {
		f.opening = &budget{openingBytes, FaultWorkbookLarge.With(size(workbookBytes))}
	}
	f.book, err = openWorkbook(f, directory)
	return err
}

// budget is how much may still be unpacked, and what is wrong beyond.
type budget struct {
	left int64
	over error
}

func (f *file) whole() *budget { return &budget{f.limit, FaultUnpacked.With(size(f.limit))} }

func (b *budget) take(bytes int) error {
	if b.left -= int64(bytes); b.left < 0 {
		return b.over
	}
	return nil
}

// unpacked stops at the limit, and tells damage from an error of the upload.
type unpacked struct {
	io.ReadCloser
	source *source
	budget *budget
}

func (u *unpacked) Read(b []byte) (int, error) {
	n, err := u.ReadCloser.Read(b)
	if over := u.budget.take(n); over != nil {
		return 0, over
	}
	if err != nil && err != io.EOF {
		err = u.source.why(err)
	}
	return n, err
}

// size names a number of bytes in the largest unit that divides it.
func size(bytes int64) string {
	for _, unit := range []struct {
		name  string
		bytes int64
	}{{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}} {
		if bytes >= unit.bytes && bytes%unit.bytes == 0 {
			return fmt.Sprintf("%d %s", bytes/unit.bytes, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", bytes)
}
