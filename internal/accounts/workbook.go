package accounts

import (
	"encoding/xml"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zip"
)

const (
	sharedBytes = workbookBytes // of the texts that cells share, held in memory
	sharedCount = 4 << 20
	maxSheets   = 1000
	maxFormats  = 5000
	maxStyles   = 100_000 // Excel has 65,490
)

// workbook is what has to be known of an XLSX file to read one of its sheets.
//
// It is read here and not by excelize: its stream of rows gives texts alone, not
// whether a cell is text, a number or a formula, which decides whether an account
// can be trusted; and it ends without an error where a sheet is damaged, so that
// rows are lost in silence.
type workbook struct {
	file      *file
	parts     map[string]*zip.File
	sheets    []sheetPart
	blank     map[string]bool // parts in which no row was found
	shared    textList        // of the cells
	formats   []numberFormat
	since1904 bool
}

type sheetPart struct {
	name, part string
	hidden     bool
}

func openWorkbook(f *file, directory *zip.Reader) (*workbook, error) {
	w := &workbook{file: f, parts: map[string]*zip.File{}, blank: map[string]bool{}}
	for _, entry := range directory.File {
		if name := partName(entry.Name); w.parts[name] == nil {
			w.parts[name] = entry
		}
	}
	root, err := w.relations("")
	if err != nil {
		return nil, err
	}
	main := "xl/workbook.xml"
	for _, r := range root {
		if r.kind == "officeDocument" {
			main = r.target
		}
	}
	related, err := w.relations(main)
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
	names := map[string]bool{}
	err := w.eachOf(main, func(_ *part, e xml.StartElement) error {
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
			r, name := related[id], readable(attribute(e, "name"))
			switch {
			case r.kind != "worksheet":
			case len(w.sheets) == maxSheets:
				return FaultWorkbookLarge.With(size(workbookBytes))
			case len(name) > nameBytes || names[name]:
				return errName
			default:
				names[name] = true
				w.sheets = append(w.sheets, sheetPart{name, r.target, attribute(e, "state") != "" && attribute(e, "state") != "visible"})
			}
		}
		return nil
	})
	if err == nil && len(w.sheets) == 0 {
		return FaultEmpty.With()
	}
	return err
}

func isTrue(s string) bool { return s == "1" || s == "true" }

func (w *workbook) readShared(name string) error {
	err := w.eachOf(name, func(p *part, e xml.StartElement) error {
		if e.Name.Local != "si" {
			return nil
		}
		text, err := p.text(true)
		if err != nil {
			return err
		}
		w.shared.add(unescaped(text))
		if w.shared.bytes > sharedBytes || w.shared.count > sharedCount {
			return FaultWorkbookLarge.With(size(workbookBytes))
		}
		return nil
	})
	w.shared.end()
	return err
}

// readFormats learns how the numbers of each style are shown.
func (w *workbook) readFormats(name string) error {
	codes := map[int]string{}
	var styles []int // the number of each one's format
	inCells := false
	err := w.eachOf(name, func(_ *part, e xml.StartElement) error {
		id, err := strconv.Atoi(attribute(e, "numFmtId"))
		switch e.Name.Local {
		case "numFmt":
			// A longer one is kept by its beginning, still too long to be judged.
			code := attribute(e, "formatCode")
			if err == nil {
				codes[id] = strings.Clone(code[:min(len(code), formatBytes+1)])
			}
		case "cellXfs":
			inCells = true
		case "cellStyles", "dxfs", "cellStyleXfs":
			inCells = false
		case "xf":
			if err != nil && attribute(e, "numFmtId") != "" {
				id = -1
			}
			if inCells {
				styles = append(styles, id)
			}
		}
		if len(codes) > maxFormats || len(styles) > maxStyles {
			return FaultWorkbookLarge.With(size(workbookBytes))
		}
		return nil
	})
	judged := map[int]numberFormat{}
	for _, id := range styles {
		f, done := judged[id]
		if !done {
			f = formatOfNumber(id, codes[id])
			judged[id] = f
		}
		w.formats = append(w.formats, f)
	}
	return err
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

// byDefault are the sheets among which one with rows is looked for: a person has
// not seen what hidden ones hold.
func (w *workbook) byDefault() (order []sheetPart) {
	for _, s := range w.sheets {
		if !s.hidden {
			order = append(order, s)
		}
	}
	if order == nil {
		return w.sheets
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
