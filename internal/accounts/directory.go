package accounts

import (
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zip"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// readDirectory reads the table of contents of a ZIP, within bounds: it is held
// in memory, and can be nearly all of the file.
func readDirectory(s *source) (*zip.Reader, error) {
	within := &bounded{s, directoryBytes}
	directory, err := zip.NewReader(within, s.Size())
	if within.left <= 0 {
		return nil, FaultManyFiles.With()
	} else if err != nil {
		return nil, s.why(err)
	}
	within.left = 1 << 62
	return directory, nil
}

// bounded is what may be read of so much.
type bounded struct {
	io.ReaderAt
	left int64
}

var errBudget = errors.New("too much is read")

func (b *bounded) ReadAt(p []byte, at int64) (int, error) {
	if b.left -= int64(len(p)); b.left <= 0 {
		return 0, errBudget
	}
	return b.ReaderAt.ReadAt(p, at)
}

// ignored: what systems put into archives beside the files.
func ignored(name string) bool {
	name = strings.ReplaceAll(name, `\`, "/")
	base := path.Base(name)
	return strings.HasSuffix(name, "/") || strings.HasPrefix(name, "__MACOSX/") ||
		base == ".DS_Store" || strings.EqualFold(base, "Thumbs.db") || strings.EqualFold(base, "desktop.ini")
}

func isWorkbook(directory *zip.Reader) bool {
	return find(directory, "[Content_Types].xml") != nil && find(directory, "xl/workbook.bin") == nil &&
		slices.ContainsFunc(directory.File, func(entry *zip.File) bool { return strings.HasPrefix(entry.Name, "xl/") })
}

func find(directory *zip.Reader, name string) *zip.File {
	for _, entry := range directory.File {
		if partName(entry.Name) == partName(name) {
			return entry
		}
	}
	return nil
}

func partName(name string) string { return strings.ToLower(strings.ReplaceAll(name, `\`, "/")) }

// officeFormat names other formats that are archives of parts.
func officeFormat(files []*zip.File) string {
	for _, entry := range files {
		switch entry.Name {
		case "xl/workbook.bin":
			return "XLSB"
		case "word/document.xml":
			return "DOCX"
		case "ppt/presentation.xml":
			return "PPTX"
		case "META-INF/manifest.xml":
			return "ODS"
		case "Index/Document.iwa":
			return "Numbers"
		}
	}
	return ""
}

// entryName makes a name from an archive fit to be shown. Chinese systems write
// it in GBK without saying so.
func entryName(name string) string {
	if !utf8.ValidString(name) {
		if text, err := simplifiedchinese.GB18030.NewDecoder().String(name); err == nil {
			name = text
		}
	}
	return shorten(name)
}
