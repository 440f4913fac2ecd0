package workbook

import (
	"encoding/xml"
	"regexp"
	"strconv"
	"strings"
)

// versions are those of Excel. Programs that only say to be Excel have others.
var versions = regexp.MustCompile(`^1[2-9]\.[0-9]{4}$`)

// readProgram learns whether Excel wrote the workbook.
func (w *Workbook) readProgram(name string) error {
	excel, version := false, false
	err := w.eachOf(name, func(p *part, e xml.StartElement) error {
		if e.Name.Local != "Application" && e.Name.Local != "AppVersion" {
			return nil
		}
		text, err := p.text(false)
		excel = excel || strings.HasPrefix(text, "Microsoft") && strings.Contains(text, "Excel")
		version = version || versions.MatchString(text)
		return err
	})
	w.escapes = excel && version
	return err
}

var escape = regexp.MustCompile(`^_x[0-9A-Fa-f]{4}_`)

// unescaped reads the escapes of a text. By the standard there are two: _x000D_ is
// a sign that XML cannot hold, and _x005F_ the underscore of a text that looks like
// an escape. Many programs write such texts as they are, so both are certain only
// from Excel; and _x0041_ is no escape at all, but was written as it is.
func (w *Workbook) unescaped(text string) Cell {
	const length = len("_x0041_")
	var out strings.Builder
	kind, rest := Plain, text
	for {
		at := strings.Index(rest, "_x")
		if at < 0 || at+length > len(rest) {
			break
		}
		out.WriteString(rest[:at])
		sign, size := '_', 1 // what is written instead of so much
		if rest = rest[at:]; escape.MatchString(rest) {
			code, _ := strconv.ParseUint(rest[2:6], 16, 16)
			held := code >= ' ' && code < 0xD800 || code >= 0xE000 && code < 0xFFFE
			literal := code == '_' && escape.MatchString(rest[length-1:])
			switch {
			case !held && w.escapes:
				sign, size = rune(code), length
			case literal:
				size = length
			}
			if code == '_' && !literal || !w.escapes && (literal || !held) {
				kind = Escaped
			}
		}
		out.WriteRune(sign)
		rest = rest[size:]
	}
	return Cell{out.String() + rest, kind}
}
