package accounts

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"

	"tagsweep/internal/accounts/archive"
	"tagsweep/internal/accounts/text"
	"tagsweep/internal/accounts/workbook"
)

const unpackedBytes = 2 << 30

// file is an upload with its packing undone: text, or a workbook.
type file struct {
	source   *archive.Source
	limit    int64 // of what it may unpack to
	tempDir  string
	whole    *os.File           // a workbook that was in an archive
	tags     bool               // it is to have a column of tags
	packed   *archive.File      // nil: it is no archive
	book     *workbook.Workbook // nil: it is text
	progress archive.Progress
}

// openFile finds out what an upload holds. Call close.
func openFile(r *io.SectionReader, o Options) (_ *file, err error) {
	f := &file{source: archive.NewSource(r), limit: cmp.Or(o.UnpackedBytes, unpackedBytes), tempDir: o.TempDir}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	head, err := text.ReadHead(f.source.Stream())
	if err != nil {
		return nil, err
	}
	format := formatOf(head)
	switch format {
	case "":
		return f, nil
	case gzipped:
		f.packed, err = archive.Gzip(f.source, f.limit, &f.progress)
	case zipped:
		var z *archive.ZIP
		if z, err = f.zip(f.source); err != nil || f.book != nil {
			return f, err
		}
		f.packed, err = z.Single(f.limit, &f.progress)
	default:
		err = refuse(format, f.source.Stream())
	}
	if err != nil {
		return nil, err
	}
	return f, f.inside()
}

// close gives back what reading needed.
func (f *file) close() (err error) {
	if f.book != nil {
		err = f.book.Close()
	}
	if f.whole != nil {
		err = errors.Join(err, f.whole.Close())
	}
	return err
}

// inside looks at the one file of an archive: text, or a workbook, which is then
// unpacked into a temporary file, because it is read at any place.
func (f *file) inside() error {
	r, err := f.packed.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	head, err := text.ReadHead(r)
	if err != nil {
		return f.source.Explain(err)
	}
	format, all := formatOf(head), io.MultiReader(bytes.NewReader(head), r)
	if format == "" {
		return nil
	} else if format == zipped {
		if f.whole, err = os.CreateTemp(f.tempDir, "workbook-*"); err != nil {
			return err
		}
		if err := os.Remove(f.whole.Name()); err != nil { // accounts do not outlive a console that is killed
			return err
		}
		size, err := io.Copy(f.whole, io.LimitReader(all, workbook.MaxBytes+1))
		if _, is := errors.AsType[*fs.PathError](err); is {
			return err // of the temporary file
		} else if err != nil {
			return f.source.Explain(err)
		}
		if size > workbook.MaxBytes {
			return workbook.Large()
		}
		_, err = f.zip(archive.NewSource(io.NewSectionReader(f.whole, 0, size)))
		if err != nil || f.book != nil {
			return err
		}
	}
	if slices.Contains(archives, format) {
		return FaultNested.With(format)
	}
	return refuse(format, all)
}

// zip opens a ZIP file, and the workbook that it is.
func (f *file) zip(source *archive.Source) (*archive.ZIP, error) {
	z, err := archive.OpenZIP(source)
	switch {
	case err != nil:
		return nil, err
	case officeFormat(z) != "":
		return nil, FaultBinary.With(officeFormat(z))
	case workbook.Within(z):
		return z, f.openWorkbook(z)
	}
	return z, nil
}

// refuse names a format. Workbooks with a password are wrapped in that of old ones.
func refuse(format string, r io.Reader) error {
	pieces := bufio.NewReaderSize(io.LimitReader(r, workbook.MaxBytes), text.MaxRecord)
	for format == compound {
		piece, err := pieces.Peek(text.MaxRecord)
		if bytes.Contains(piece, encryptedPackage) {
			return archive.FaultEncrypted.With()
		} else if err != nil {
			break
		}
		pieces.Discard(text.MaxRecord - len(encryptedPackage)) // which may stand across two pieces
	}
	return FaultBinary.With(format)
}

func (f *file) openWorkbook(z *archive.ZIP) (err error) {
	limits := workbook.Limits{Columns: MaxColumns, RowBytes: text.MaxRecord, Unpacked: f.limit}
	if f.book, err = workbook.Open(z, limits, f.tempDir, &f.progress); err == nil && len(f.book.Sheets) == 0 {
		err = FaultEmpty.With()
	}
	return err
}

// packing tells how the file is packed, and the name of the file inside.
func (f *file) packing() (packed, entry string) {
	if f.packed == nil {
		return "", ""
	}
	return f.packed.Packed, shorten(f.packed.Name)
}

// open gives the text from its beginning.
func (f *file) open() (io.ReadCloser, error) {
	if f.packed != nil {
		return f.packed.Open()
	}
	return io.NopCloser(f.progress.Of(f.source.Stream(), f.source.Size())), nil
}

// lines opens the text in an encoding.
func (f *file) lines(e Encoding) (*text.Lines, io.Closer, error) {
	r, err := f.open()
	if err != nil {
		return nil, nil, err
	}
	lines, err := text.NewLines(r, e)
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	return lines, r, nil
}

// sample takes what the encoding is detected by. What is packed cannot be
// entered in the middle.
func (f *file) sample() (text.Sample, error) {
	if f.packed == nil {
		return text.TakeSample(f.source.Stream())
	}
	r, err := f.packed.Open()
	if err != nil {
		return text.Sample{}, err
	}
	defer r.Close()
	return text.ReadSample(r)
}
