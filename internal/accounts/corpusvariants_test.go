package accounts

import (
	"slices"
	"strings"
	"testing"

	"tagsweep/internal/accounts/filetest"
)

// TestNoVariantIsReadWrong reads tables once more as other programs write them: as a workbook, with all cells
// quoted, and in UTF-16.
func TestNoVariantIsReadWrong(t *testing.T) {
	kinds := []string{"K3", "K6", "K7", "K12", "K17", "K29", "K32"}
	n := 0
	for _, r := range readCorpus(t) {
		s := r.specimen
		if !slices.Contains(kinds, s.kind) || strings.ContainsAny(s.content, `"`) || !strings.Contains(s.content, "\n") {
			continue
		}
		s.expect = ""
		text := strings.ReplaceAll(s.content, "\r\n", "\n")
		row := text
		if len(s.truth) > 0 && strings.Contains(text, s.truth[0]) { // of a row, not of a title
			row = text[:strings.Index(text, s.truth[0])+len(s.truth[0])+1]
			row = row[strings.LastIndex(strings.TrimSuffix(row, "\n"), "\n")+1:]
		}
		sep := ","
		for _, other := range []string{";", "\t"} {
			if strings.Contains(row, other) {
				sep = other
			}
		}
		n++
		name := []string{"workbook", "quoted", "UTF-16"}[n%3] // of neighbours in a list each is read in its own way
		switch name {
		case "workbook":
			s.content = bookFrom(t, text, sep)
		case "quoted":
			s.content = allQuoted(text, sep)
		default:
			s.content = inEncoding(t, utf16LE, text)
		}
		if f := s.read(t, s.said); f.fault(s) != "" {
			t.Errorf("%s %s as %s: %s\n%s", s.kind, s.name, name, f.fault(s), f)
		}
	}
}

func bookFrom(t *testing.T, text, sep string) string {
	var rows [][]any
	for _, line := range strings.Split(text, "\n") {
		var cells []any
		for _, cell := range strings.Split(line, sep) {
			if cell != "" {
				cells = append(cells, cell)
			} else {
				cells = append(cells, nil)
			}
		}
		rows = append(rows, cells)
	}
	return filetest.Workbook(t, rows)
}

func allQuoted(text, sep string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = `"` + strings.ReplaceAll(line, sep, `"`+sep+`"`) + `"`
		}
	}
	return strings.Join(lines, "\n") + "\n"
}
