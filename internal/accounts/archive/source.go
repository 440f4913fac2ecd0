// Package archive takes the file out of a gzip or ZIP archive, within bounds and
// without trust in what the archive says of itself. It knows nothing of what is
// in the file.
//
//   - Folders and what systems leave in archives, in any folder (__MACOSX, ._name,
//     .DS_Store, Thumbs.db, desktop.ini, ~$name), do not count. More than one file,
//     none, a password, damage, or more bytes than a budget allows: each is a fault.
//   - Sizes that the archive states are not believed.
//   - What unpacks to many times its size is refused: text beyond 300 times, a part of a
//     workbook beyond 100 times, unless it is small. Files of a ZIP do not share bytes.
//   - A gzip of several members is one file. Bytes behind its end are damage.
//   - Of a ZIP, at most 4 MiB of contents are read.
package archive

import (
	"errors"
	"fmt"
	"io"

	"tagsweep/internal/fault"
)

// Source is a file as it was uploaded. It remembers its own error, so that a
// failed upload can be told from damage of what is in it.
type Source struct {
	*io.SectionReader
	err error
}

// NewSource takes a file as it was uploaded.
func NewSource(r *io.SectionReader) *Source { return &Source{SectionReader: r} }

// ReadAt implements io.ReaderAt.
func (s *Source) ReadAt(b []byte, at int64) (int, error) {
	n, err := s.SectionReader.ReadAt(b, at)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// Stream reads the source from its beginning.
func (s *Source) Stream() *io.SectionReader { return io.NewSectionReader(s, 0, s.Size()) }

// Failed notes another error that is no damage of the file, such as of a full disk, and
// returns it.
func (s *Source) Failed(err error) error {
	if err != nil {
		s.err = err
	}
	return err
}

// Explain returns the error of reading the source if that failed, err if it is a
// fault, and else FaultDamaged because of err.
func (s *Source) Explain(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if s.err != nil {
		return s.err
	}
	return FaultDamaged.Because(err)
}

// Progress is how far a file has been read, in bytes.
type Progress struct{ Read, Total int64 }

// Of begins anew, and counts what is read of a total.
func (p *Progress) Of(r io.Reader, total int64) io.Reader {
	p.Read, p.Total = 0, total
	return counted{r, p}
}

type counted struct {
	io.Reader
	progress *Progress
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.progress.Read += int64(n)
	return n, err
}

// Budget is how much may still be unpacked.
type Budget struct {
	left int64
	over error
}

// NewBudget allows so many bytes, and gives an error beyond.
func NewBudget(bytes int64, over error) *Budget { return &Budget{bytes, over} }

// What is packed unpacks to at most so many times its size, but a little is always
// allowed. Text may repeat itself more than the XML of a workbook, and costs less.
const (
	inflatedXML  = 100
	inflatedText = 300
	littleXML    = 64 << 20 // in all parts of a ZIP
	littleText   = 64 << 20
)

// inflateBudget allows what so many packed bytes may unpack to.
func inflateBudget(packed, times, little int64) *Budget {
	return NewBudget(max(packed*times, little), FaultInflated.With(times))
}

// UnpackBudget allows so many bytes, and gives FaultUnpacked beyond.
func UnpackBudget(bytes int64) *Budget { return NewBudget(bytes, FaultUnpacked.With(Size(bytes))) }

// Take uses up some bytes.
func (b *Budget) Take(bytes int) error {
	if b.left -= int64(bytes); b.left < 0 {
		return b.over
	}
	return nil
}

// unpacked stops at the end of the budget, and explains errors.
type unpacked struct {
	io.ReadCloser
	source *Source
	budget *Budget
	ratio  *Budget
}

func (u *unpacked) Read(b []byte) (int, error) {
	n, err := u.ReadCloser.Read(b)
	for _, budget := range []*Budget{u.budget, u.ratio} {
		if over := budget.Take(n); over != nil {
			return 0, over
		}
	}
	if err != nil && err != io.EOF {
		err = u.source.Explain(err)
	}
	return n, err
}

// Size names a number of bytes in the largest unit that divides it.
func Size(bytes int64) string {
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
