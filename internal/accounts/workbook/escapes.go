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
		excel = excel || strings.HasPrefix(text.Text, "Microsoft") && strings.Contains(text.Text, "Excel")
		version = version || versions.MatchString(text.Text)
		return err
	})
	w.escapes = excel && version
	return err
}

var escape = regexp.MustCompile(`^_x[0-9A-Fa-f]{4}_`)

// unescaped reads the escapes of a text, such as _x000D_. By the standard they are
// of what XML cannot hold, and _x005F_ is the underscore of a text that looks like
// one. Many programs do not write the latter, so it is certain only from Excel;
// and _x0041_ is no escape at all, but a text that was written as it is.
func (w *Workbook) unescaped(c Cell) Cell {
	const length = len("_x0041_")
	var out strings.Builder
	rest := c.Text
	for {
		at := strings.Index(rest, "_x")
		if at < 0 || at+length > len(rest) {
			break
		}
		out.WriteString(rest[:at])
		sign, size := '_', 1 // what is written instead of so much
		if rest = rest[at:]; escape.MatchString(rest) {
			code, _ := strconv.ParseUint(rest[2:6], 16, 16)
			switch {
			case code < ' ' || code >= 0xD800 && code < 0xE000 || code >= 0xFFFE:
				sign, size = rune(code), length
			case code == '_' && w.escapes && escape.MatchString(rest[length-1:]):
				size = length
			case code == '_':
				c.Kind = Escaped
			}
		}
		out.WriteRune(sign)
		rest = rest[size:]
	}
	c.Text = out.String() + rest
	return c
}
