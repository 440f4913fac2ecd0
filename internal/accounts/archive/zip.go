package archive

import (
	"errors"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zip"
	"golang.org/x/text/encoding/simplifiedchinese"
)

const directoryBytes = 4 << 20 // of a ZIP: tens of thousands of files

var (
	errBudget  = errors.New("too much is read")
	errMissing = errors.New("a file of the archive is missing")
)

// ZIP is a ZIP file with its table of contents.
type ZIP struct {
	*Source
	directory *zip.Reader
	byName    map[string]*zip.File // the first of each name, by plainName
}

// OpenZIP reads the table of contents. It returns FaultManyFiles or FaultDamaged,
// or the error of the source.
func OpenZIP(s *Source) (*ZIP, error) {
	// The table is held in memory, and can be nearly all of the file.
	within := &bounded{s, directoryBytes}
	directory, err := zip.NewReader(within, s.Size())
	if within.left <= 0 {
		return nil, FaultManyFiles.With()
	} else if err != nil {
		return nil, s.Explain(err)
	}
	within.left = 1 << 62
	z := &ZIP{Source: s, directory: directory, byName: map[string]*zip.File{}}
	for _, file := range directory.File {
		if name := plainName(file.Name); z.byName[name] == nil {
			z.byName[name] = file
		}
	}
	return z, nil
}

// bounded is what may be read of so much.
type bounded struct {
	io.ReaderAt
	left int64
}

func (b *bounded) ReadAt(p []byte, at int64) (int, error) {
	if b.left -= int64(len(p)); b.left <= 0 {
		return 0, errBudget
	}
	return b.ReaderAt.ReadAt(p, at)
}

func plainName(name string) string { return strings.ToLower(strings.ReplaceAll(name, `\`, "/")) }

// Names lists all that the table of contents names, as it stands there.
func (z *ZIP) Names() []string {
	names := make([]string, len(z.directory.File))
	for i, file := range z.directory.File {
		names[i] = file.Name
	}
	return names
}

// Has reports whether a file is there, whatever the case of its name.
func (z *ZIP) Has(name string) bool { return z.byName[plainName(name)] != nil }

// UnpackedSize is what the archive says of the size of a file; at least 1.
func (z *ZIP) UnpackedSize(name string) int64 {
	if file := z.byName[plainName(name)]; file != nil {
		return sizeOf(file)
	}
	return 1
}

func sizeOf(file *zip.File) int64 { return max(1, int64(min(file.UncompressedSize64, 1<<62))) }

// Open unpacks a file, whatever the case of its name. It returns FaultEncrypted or
// FaultDamaged, or the error of the source; so does reading, and the budget's fault.
func (z *ZIP) Open(name string, b *Budget) (io.ReadCloser, error) {
	file := z.byName[plainName(name)]
	if file == nil {
		return nil, z.Explain(errMissing)
	}
	return z.open(file, b)
}

func (z *ZIP) open(file *zip.File, b *Budget) (io.ReadCloser, error) {
	const encrypted = 1
	if file.Flags&encrypted != 0 {
		return nil, FaultEncrypted.With()
	}
	r, err := file.Open()
	if err != nil {
		return nil, z.Explain(err)
	}
	return &unpacked{ReadCloser: r, source: z.Source, budget: b}, nil
}

// Single returns the one file in the archive. It returns FaultNoFile or
// FaultSeveralFiles when there is not one.
func (z *ZIP) Single(limit int64, progress *Progress) (*File, error) {
	var files []*zip.File
	for _, file := range z.directory.File {
		if !ignored(file.Name) {
			files = append(files, file)
		}
	}
	switch {
	case len(files) == 0:
		return nil, FaultNoFile.With()
	case len(files) > 1:
		return nil, FaultSeveralFiles.With(len(files))
	}
	return &File{
		Packed: "ZIP",
		Name:   readableName(path.Base(strings.ReplaceAll(files[0].Name, `\`, "/"))),
		open: func() (io.ReadCloser, error) {
			r, err := z.open(files[0], UnpackBudget(limit))
			if err != nil {
				return nil, err
			}
			return readCloser{progress.Of(r, sizeOf(files[0])), r}, nil
		},
	}, nil
}

// ignored: what systems put into archives beside the files.
func ignored(name string) bool {
	name = strings.ReplaceAll(name, `\`, "/")
	base := path.Base(name)
	return strings.HasSuffix(name, "/") || strings.HasPrefix(name, "__MACOSX/") ||
		base == ".DS_Store" || strings.EqualFold(base, "Thumbs.db") || strings.EqualFold(base, "desktop.ini")
}

// readableName: Chinese systems write names in GBK without saying so.
func readableName(name string) string {
	if !utf8.ValidString(name) {
		if text, err := simplifiedchinese.GB18030.NewDecoder().String(name); err == nil {
			name = text
		}
	}
	return name
}
