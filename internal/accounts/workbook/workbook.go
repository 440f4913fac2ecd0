// Package workbook reads the rows of Excel workbooks (XLSX) as a stream. It
// knows nothing of accounts.
//
// Nothing is evaluated: no formula, macro or link. Charts are no sheets. Blank rows
// are none; hidden ones are rows, and say so. Of merged cells the first has the value.
// A formula's last value is its cell's text, and dates are written as 2006-01-02.
// Parts may be written in UTF-16 or any encoding that they declare, and be named in
// any case and with backslashes. [Kind] tells whether a cell's text is what a person
// sees:
//
//   - Text is taken as it is, also digits, but without how it is pronounced. What is
//     raised, lowered or struck out stands between ⁽ and ⁾.
//   - _x000D_ and _x005F_ are read where Excel wrote the workbook. From another
//     program they may be meant as they stand, so the cell is not sure.
//   - A number is taken by the digits stored, however it is shown (8.61E+12). A
//     whole number of more than 15 digits is rounded: Excel has lost the rest.
//   - A fraction, a date, a truth value, and a number that is shown as something
//     else than is stored are neither: with zeros in front, words, a percent
//     sign, signs between the digits, or not at all. Thousands separators,
//     decimals, exponents, colours and padding are nothing else. A format that is
//     not understood, is not there, or has over 255 bytes, shows something else.
//
// Workbooks are read up to 64 MiB, and with as much text that cells share, which
// is held in a temporary file; such a text counts as unpacked in every cell. All that is
// unpacked before the rows are read is at most 256 MiB. 1000 sheets with names of
// their own, 5000 number formats, 100,000 styles, and 10,000 relations of a part
// are the most. A part that is damaged or out of order is a fault: no row is lost
// in silence.
//
// It is not read by excelize: its stream of rows gives texts alone, not whether a
// cell is text, a number or a formula, which decides whether an account can be
// trusted; and it ends without an error where a sheet is damaged, so that rows are
// lost in silence.
package workbook

import (
	"encoding/xml"
	"strconv"
	"strings"

	"tagsweep/internal/accounts/archive"
	"tagsweep/internal/fault"
)

// MaxBytes is the largest workbook, packed.
const MaxBytes = 64 << 20

const (
	openingBytes = 256 << 20 // unpacked before the rows are read
	sharedBytes  = MaxBytes  // of the texts that cells share
	sharedCount  = 4 << 20
	maxSheets    = 1000
	maxFormats   = 5000
	maxStyles    = 100_000 // Excel has 65,490
)

// FaultLarge is of a workbook beyond a limit, which archive.Size writes.
var FaultLarge = fault.Declare(fault.Invalid, "file.workbook_large",
	"Upload failed: the workbook is too large. The limit is %s, both for the file and for the text in it. Save "+
		"the sheet as “CSV UTF-8”, and upload that file.")

// Large returns FaultLarge with the largest size.
func Large() error { return FaultLarge.With(archive.Size(MaxBytes)) }

// Limits are of a row, and of the whole.
type Limits struct {
	Columns  int   // cells beyond are not kept
	RowBytes int   // of text; what is beyond is not kept
	Unpacked int64 // of all that is unpacked at a time
}

// Workbook is what has to be known of an XLSX file to read one of its sheets.
type Workbook struct {
	Sheets    []Sheet // those that have cells
	zip       *archive.ZIP
	limits    Limits
	opening   *archive.Budget   // of the parts, until the rows are read
	progress  *archive.Progress // of the sheet that was opened last
	tempDir   string
	shared    *textList // of the cells; nil: they share none
	formats   []numberFormat
	since1904 bool
	escapes   bool // by Excel, as far as is known
}

// Sheet is a sheet that has cells.
type Sheet struct {
	Name   string
	Hidden bool
	part   string
}

// Within reports whether a ZIP file is a workbook.
func Within(z *archive.ZIP) bool {
	return z.Has("[Content_Types].xml") && (z.HasFolder("xl") || z.Has("workbook.xml"))
}

// Open reads what all sheets share. Progress tells how far a sheet has been read.
// It returns FaultLarge, the faults of the archive, or the error of its source or of the
// folder for temporary files. Call Close.
func Open(z *archive.ZIP, l Limits, tempDir string, progress *archive.Progress) (_ *Workbook, err error) {
	if z.Size() > MaxBytes {
		return nil, Large()
	}
	w := &Workbook{zip: z, limits: l, tempDir: tempDir, progress: progress}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	w.opening = archive.UnpackBudget(l.Unpacked)
	if l.Unpacked > openingBytes {
		w.opening = archive.NewBudget(openingBytes, Large())
	}
	root, err := w.relations("")
	if err != nil {
		return nil, err
	}
	main := "xl/workbook.xml"
	for _, r := range root {
		switch {
		case r.kind == "officeDocument":
			main = r.target
		case strings.HasPrefix(r.kind, "extended") && w.zip.Has(r.target):
			if err := w.readProgram(r.target); err != nil {
				return nil, err
			}
		}
	}
	related, err := w.relations(main)
	if err != nil {
		return nil, err
	}
	if err := w.readSheets(main, related); err != nil || len(w.Sheets) == 0 {
		return w, err
	}
	for _, r := range related {
		switch {
		case !w.zip.Has(r.target): // nothing may refer to it
		case r.kind == "sharedStrings":
			err = w.readShared(r.target)
		case r.kind == "styles":
			err = w.readFormats(r.target)
		}
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Close gives back what reading needed.
func (w *Workbook) Close() error { return w.shared.close() }

// readSheets lists the sheets that have cells; not charts.
func (w *Workbook) readSheets(main string, related map[string]relation) error {
	names, parts := map[string]bool{}, map[string]bool{}
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
			r, name := related[id], attribute(e, "name")
			switch {
			case r.kind != "worksheet":
			case len(w.Sheets) == maxSheets:
				return Large()
			case len(name) > nameBytes || names[name]:
				return errName
			default:
				names[name], parts[r.target] = true, true
				state := attribute(e, "state")
				w.Sheets = append(w.Sheets, Sheet{name, state != "" && state != "visible", r.target})
			}
		}
		return nil
	})
	if err == nil && len(parts) < len(w.Sheets) {
		err = w.zip.Explain(errName)
	}
	return err
}

func isTrue(s string) bool { return s == "1" || strings.EqualFold(s, "true") }

func (w *Workbook) readShared(name string) (err error) {
	if w.shared == nil {
		if w.shared, err = newTextList(w.tempDir); err != nil {
			return err
		}
	}
	err = w.eachOf(name, func(p *part, e xml.StartElement) error {
		if e.Name.Local != "si" {
			return nil
		}
		text, err := p.text(true)
		if err != nil {
			return err
		}
		cell := w.unescaped(text)
		cell.Text = cell.Text[:min(len(cell.Text), w.limits.RowBytes+1)] // enough to see that its row is too long
		if w.shared.bytes+len(cell.Text) > sharedBytes || w.shared.n == sharedCount {
			return Large()
		}
		return w.zip.Failed(w.shared.add(cell))
	})
	if err == nil {
		err = w.shared.done()
	}
	return err
}

// readFormats learns how the numbers of each style are shown.
func (w *Workbook) readFormats(name string) error {
	codes := map[int]string{}
	var styles, fonts []int // the number of each style's format and font
	var struck []bool       // whether each font strikes text out
	inCells, inFonts := false, false
	err := w.eachOf(name, func(_ *part, e xml.StartElement) error {
		id, err := strconv.Atoi(attribute(e, "numFmtId"))
		switch e.Name.Local {
		case "numFmt":
			// A longer one is kept by its beginning, still too long to be judged.
			code := attribute(e, "formatCode")
			if err == nil {
				codes[id] = strings.Clone(code[:min(len(code), formatBytes+1)])
			}
		case "fonts", "fills", "cellXfs", "cellStyles", "dxfs", "cellStyleXfs":
			inFonts, inCells = e.Name.Local == "fonts", e.Name.Local == "cellXfs"
		case "font":
			struck = append(struck, false)
		case "strike":
			if inFonts && len(struck) > 0 {
				value := attribute(e, "val")
				struck[len(struck)-1] = value == "" || isTrue(value)
			}
		case "xf":
			if err != nil && attribute(e, "numFmtId") != "" {
				id = -1
			}
			if inCells {
				font, _ := strconv.Atoi(attribute(e, "fontId"))
				styles, fonts = append(styles, id), append(fonts, font)
			}
		}
		if len(codes) > maxFormats || len(styles) > maxStyles || len(struck) > maxStyles {
			return Large()
		}
		return nil
	})
	judged := map[int]numberFormat{}
	for i, id := range styles {
		f, done := judged[id]
		if !done {
			f = formatOfNumber(id, codes[id])
			judged[id] = f
		}
		f.struck = fonts[i] >= 0 && fonts[i] < len(struck) && struck[fonts[i]]
		w.formats = append(w.formats, f)
	}
	return err
}

// Sheet finds a sheet by its name.
func (w *Workbook) Sheet(name string) (Sheet, bool) {
	for _, s := range w.Sheets {
		if s.Name == name {
			return s, true
		}
	}
	return Sheet{}, false
}
