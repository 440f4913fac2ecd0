package archive

import (
	"io"
	"path"

	"github.com/klauspost/compress/gzip"
)

// File is the one file in an archive.
type File struct {
	Packed string // "ZIP" or "gzip"
	Name   string // of the file inside, without folders; "" when it is not known
	open   func() (io.ReadCloser, error)
}

// Open unpacks it from its beginning. It returns FaultDamaged or FaultEncrypted, or
// the error of the source; so does reading, and FaultUnpacked beyond the limit.
func (f *File) Open() (io.ReadCloser, error) { return f.open() }

type readCloser struct {
	io.Reader
	io.Closer
}

// Gzip returns the file in a gzip. It returns FaultDamaged, or the error of the source.
func Gzip(s *Source, limit int64, progress *Progress) (*File, error) {
	header, err := gzip.NewReader(s.Stream())
	if err != nil {
		return nil, s.Explain(err)
	}
	f := &File{Packed: "gzip", open: func() (io.ReadCloser, error) {
		r, err := gzip.NewReader(progress.Of(s.Stream(), s.Size()))
		if err != nil {
			return nil, s.Explain(err)
		}
		return &unpacked{ReadCloser: r, source: s, budget: UnpackBudget(limit),
			ratio: inflateBudget(s.Size(), inflatedText, littleText)}, nil
	}}
	if header.Name != "" {
		f.Name = readableName(path.Base(header.Name))
	}
	return f, nil
}
