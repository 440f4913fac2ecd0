package accounts

import (
	"encoding/xml"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zip"
)

const (
	sharedBytes = workbookBytes // of the texts that cells share, held in memory
	sharedCount = 8 << 20
	maxSheets   = 1000
)

// workbook is what has to be known of an XLSX file to read one of its sheets.
//
// It is read here and not by excelize: its stream of rows gives texts alone, not
// whether a cell is text, a number or a formula, which decides whether an account
// can be trusted; and it ends without an error where a sheet is damaged, so that
// rows are lost in silence.
type workbook struct {
	file      *file
	directory *zip.Reader
	sheets    []sheetPart
	shared    textList // of the cells
	formats   []numberFormat
	since1904 bool
}

type sheetPart struct {
	name, part string
	hidden     bool
}

// textList holds many texts in one piece of memory.
type textList struct {
	text []byte
	ends []uint32
}

func (t *textList) add(s string) {
	t.text = append(t.text, s...)
	t.ends = append(t.ends, uint32(len(t.text)))
}

func (t *textList) at(i int) (string, bool) {
	if i < 0 || i >= len(t.ends) {
		return "", false
	}
	from := uint32(0)
	if i > 0 {
		from = t.ends[i-1]
	}
	return string(t.text[from:t.ends[i]]), true
}

func openWorkbook(f *file, directory *zip.Reader) (*workbook, error) {
	w := &workbook{file: f, directory: directory}
	root, err := f.relations(directory, "")
	if err != nil {
		return nil, err
	}
	main := "xl/workbook.xml"
	for _, r := range root {
		if r.kind == "officeDocument" {
			main = r.target
		}
	}
	related, err := f.relations(directory, main)
	if err != nil {
		return nil, err
	}
	if err := w.readSheets(main, related); err != nil {
		return nil, err
	}
	for _, r := range related {
		switch r.kind {
		case "sharedStrings":
			err = w.readShared(r.target)
		case "styles":
			err = w.readFormats(r.target)
		}
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

// readSheets lists the sheets that have cells; not charts.
func (w *workbook) readSheets(main string, related map[string]relation) error {
	p, err := w.file.openPart(w.directory, main, nil)
	if err != nil {
		return err
	}
	defer p.Close()
	err = p.each(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "workbookPr":
			w.since1904 = isTrue(attribute(e, "date1904"))
		case "sheet":
			id := ""
			for _, a := range e.Attr {
				if a.Name.Local == "id" && a.Name.Space != "" {
					id = a.Value
				}
			}
			if r := related[id]; r.kind == "worksheet" && len(w.sheets) < maxSheets {
				w.sheets = append(w.sheets, sheetPart{readable(attribute(e, "name")), r.target, attribute(e, "state") != "" && attribute(e, "state") != "visible"})
			}
		}
		return nil
	})
	if err != nil {
		return w.file.source.why(err)
	}
	if len(w.sheets) == 0 {
		return FaultEmpty.With()
	}
	return nil
}

func isTrue(s string) bool { return s == "1" || s == "true" }

func (w *workbook) readShared(name string) error {
	p, err := w.file.openPart(w.directory, name, nil)
	if err != nil {
		return err
	}
	defer p.Close()
	err = p.each(func(e xml.StartElement) error {
		if e.Name.Local != "si" {
			return nil
		}
		text, err := p.text(true)
		if err != nil {
			return err
		}
		w.shared.add(unescaped(text))
		if len(w.shared.text) > sharedBytes || len(w.shared.ends) > sharedCount {
			return FaultWorkbookLarge.With(size(workbookBytes))
		}
		return nil
	})
	if err != nil {
		return w.file.source.why(err)
	}
	return nil
}

// readFormats learns how the numbers of each style are shown.
func (w *workbook) readFormats(name string) error {
	p, err := w.file.openPart(w.directory, name, nil)
	if err != nil {
		return err
	}
	defer p.Close()
	codes := map[int]string{}
	inCells := false
	err = p.each(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "numFmt":
			if id, err := strconv.Atoi(attribute(e, "numFmtId")); err == nil && len(codes) < 10_000 {
				codes[id] = attribute(e, "formatCode")
			}
		case "cellXfs":
			inCells = true
		case "cellStyles", "dxfs", "cellStyleXfs":
			inCells = false
		case "xf":
			if inCells && len(w.formats) < 100_000 {
				id, _ := strconv.Atoi(attribute(e, "numFmtId"))
				w.formats = append(w.formats, formatOfNumber(id, codes[id]))
			}
		}
		return nil
	})
	if err != nil {
		return w.file.source.why(err)
	}
	return nil
}

// sheet finds a sheet by its name.
func (w *workbook) sheet(name string) (sheetPart, bool) {
	for _, s := range w.sheets {
		if s.name == name {
			return s, true
		}
	}
	return sheetPart{}, false
}

// byDefault are the sheets in the order in which one with rows is looked for.
func (w *workbook) byDefault() (order []sheetPart) {
	for _, hidden := range []bool{false, true} {
		for _, s := range w.sheets {
			if s.hidden == hidden {
				order = append(order, s)
			}
		}
	}
	return order
}

// unescaped undoes how texts write characters that XML cannot hold: _x000D_.
func unescaped(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	var out strings.Builder
	for {
		at := strings.Index(s, "_x")
		if at < 0 || at+7 > len(s) {
			break
		}
		code, err := strconv.ParseUint(s[at+2:at+6], 16, 16)
		if err != nil || s[at+6] != '_' {
			out.WriteString(s[:at+2])
			s = s[at+2:]
			continue
		}
		out.WriteString(s[:at])
		out.WriteRune(rune(code))
		s = s[at+7:]
	}
	return out.String() + s
}
