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

const (
	directoryBytes = 4 << 20 // of a ZIP: tens of thousands of files
	encrypted      = 1       // a flag of a file
)

var (
	errBudget  = errors.New("too much is read")
	errShared  = errors.New("files of the archive are larger than the archive")
	errMissing = errors.New("a file of the archive is missing")
)

// ZIP is a ZIP file with its table of contents. Names of files are the same
// whatever their case, with backslashes, and below "/" or "./".
type ZIP struct {
	*Source
	byName map[string]*zip.File // the first of each name, by plainName
	files  []*zip.File          // that count
}

// OpenZIP reads the table of contents. It returns FaultManyFiles, FaultEncrypted
// or FaultDamaged, or the error of the source.
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
	packed := uint64(0)
	z := &ZIP{Source: s, byName: map[string]*zip.File{}}
	for _, file := range directory.File {
		name := plainName(file.Name)
		if packed += min(file.CompressedSize64, 1<<62); packed > uint64(s.Size()) { // files that share bytes unpack to any size
			return nil, s.Explain(errShared)
		}
		if file.Flags&encrypted != 0 {
			return nil, FaultEncrypted.With()
		}
		if z.byName[name] == nil {
			z.byName[name] = file
		}
		if !strings.HasSuffix(file.Name, "/") && !strings.HasSuffix(file.Name, `\`) && !isLitter(name) {
			z.files = append(z.files, file)
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

func plainName(name string) string { return strings.ToLower(strings.TrimPrefix(slashed(name), "/")) }

func slashed(name string) string { return path.Clean("/" + strings.ReplaceAll(name, `\`, "/")) }

// isLitter: what systems and programs put into archives beside the files.
func isLitter(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "__macosx", ".ds_store", ".localized", ".fseventsd", ".spotlight-v100", ".trashes", "@eadir", "thumbs.db",
			"ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information":
			return true
		}
		if strings.HasPrefix(part, "._") || strings.HasPrefix(part, ".~lock.") || strings.HasPrefix(part, "~$") {
			return true
		}
	}
	return false
}

// Has reports whether a file is there.
func (z *ZIP) Has(name string) bool { return z.byName[plainName(name)] != nil }

// HasFolder reports whether a file is in a folder.
func (z *ZIP) HasFolder(name string) bool {
	for file := range z.byName {
		if strings.HasPrefix(file, plainName(name)+"/") {
			return true
		}
	}
	return false
}

// UnpackedSize is what the archive says of the size of a file; at least 1.
func (z *ZIP) UnpackedSize(name string) int64 {
	if file := z.byName[plainName(name)]; file != nil {
		return sizeOf(file)
	}
	return 1
}

func sizeOf(file *zip.File) int64 { return max(1, int64(min(file.UncompressedSize64, 1<<62))) }

// Open unpacks a file. It returns FaultDamaged, or the error of the source; so does
// reading, and the budget's fault.
func (z *ZIP) Open(name string, b *Budget) (io.ReadCloser, error) {
	file := z.byName[plainName(name)]
	return z.open(file, b, inflateBudget(z.packed(file), inflatedXML, littleXML/int64(max(1, len(z.files)))))
}

// packed is the size of a file as it is in the archive, which cannot be more than that.
func (z *ZIP) packed(file *zip.File) int64 {
	if file == nil {
		return 0
	}
	return int64(min(file.CompressedSize64, uint64(z.Size())))
}

func (z *ZIP) open(file *zip.File, b, ratio *Budget) (io.ReadCloser, error) {
	if file == nil {
		return nil, z.Explain(errMissing)
	}
	r, err := file.Open()
	if err != nil {
		return nil, z.Explain(err)
	}
	return &unpacked{ReadCloser: r, source: z.Source, budget: b, ratio: ratio}, nil
}

// Single returns the one file in the archive. It returns FaultNoFile or
// FaultSeveralFiles when there is not one.
func (z *ZIP) Single(limit int64, progress *Progress) (*File, error) {
	switch len(z.files) {
	case 0:
		return nil, FaultNoFile.With()
	case 1:
	default:
		return nil, FaultSeveralFiles.With(len(z.files))
	}
	file := z.files[0]
	return &File{
		Packed: "ZIP",
		Name:   readableName(path.Base(slashed(file.Name))),
		open: func() (io.ReadCloser, error) {
			r, err := z.open(file, UnpackBudget(limit), inflateBudget(z.packed(file), inflatedText, littleText))
			if err != nil {
				return nil, err
			}
			return readCloser{progress.Of(r, sizeOf(file)), r}, nil
		},
	}, nil
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
