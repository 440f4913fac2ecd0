package messages

import (
	"slices"
	"strings"

	"tagsweep/internal/accounts"
	"tagsweep/internal/jobs"
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

// Question is an open question about a file.
func (t *Text) Question(q accounts.Question) string {
	if slices.Contains(accounts.Doubts, accounts.Reason(q.Name)) {
		return t.T("ask."+q.Name, q.Rows)
	}
	return t.T("ask." + q.Name)
}

// Asked is what an open question is about.
func (t *Text) Asked(q jobs.Asked) string { return t.named("ask."+string(q)+".about", string(q)) }

// Doubt names rows that are in doubt for a reason.
func (t *Text) Doubt(r accounts.Reason) string {
	return t.Capital(t.Asked(jobs.Asked(r)))
}

// named is the text of a key; what has no text is shown as it is.
func (t *Text) named(key, otherwise string) string {
	if !t.Has(key) {
		return otherwise
	}
	return t.T(key)
}
