package messages

import (
	"strings"

	"tagsweep/internal/accounts"
)

var signNames = map[string]string{
	",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", accounts.OnePerLine: "line",
	`"`: "double", `'`: "single", accounts.NoQuote: "none",
}

// Encoding names an encoding of files.
func (t *Text) Encoding(e accounts.Encoding) string { return t.named("encoding."+string(e), string(e)) }

// Separator names the sign between two cells.
func (t *Text) Separator(sign string) string { return t.named("separator."+signNames[sign], sign) }

// Quote names the sign around a cell.
func (t *Text) Quote(sign string) string { return t.named("quote."+signNames[sign], sign) }

// Format names the kind of a file by how it was read.
func (t *Text) Format(u accounts.Understanding) string {
	kind := "workbook"
	if !u.Workbook {
		kind = signNames[u.Separator]
	}
	name := t.named("format."+kind, strings.TrimSpace(u.Separator))
	if u.Packed != "" {
		return t.T("how.packed", name, u.Packed)
	}
	return name
}

// named is the text of a key; what has no text is shown as it is.
func (t *Text) named(key, otherwise string) string {
	if !t.Has(key) {
		return otherwise
	}
	return t.T(key)
}
