package accounts

import (
	"bufio"
	"io"
	"strings"
)

const byteOrderMark = "\uFEFF"

// Writer writes CSV for people: UTF-8 with a byte order mark and CRLF, so that
// spreadsheets show every script, and with no cell that they would run as a
// formula. Reader gives the same cells back. Check the error of Flush.
type Writer struct {
	out *bufio.Writer
}

// NewWriter begins a file; the byte order mark is the first thing written.
func NewWriter(w io.Writer) *Writer {
	out := bufio.NewWriterSize(w, 32<<10)
	out.WriteString(byteOrderMark)
	return &Writer{out: out}
}

// Write adds a row.
func (w *Writer) Write(cells []string) error {
	for i, cell := range cells {
		if i > 0 {
			w.out.WriteByte(',')
		}
		cell = neutral(cell)
		// A lone blank cell would be a blank line, which is no row.
		if !needsQuotes(cell) && !(len(cells) == 1 && isBlank(cell)) {
			w.out.WriteString(cell)
			continue
		}
		w.out.WriteByte('"')
		w.out.WriteString(strings.ReplaceAll(cell, `"`, `""`))
		w.out.WriteByte('"')
	}
	_, err := w.out.WriteString("\r\n") // bufio keeps the first error
	return err
}

// Flush writes what is buffered and returns the first error of all writes.
func (w *Writer) Flush() error { return w.out.Flush() }

// OnOneLine is a line of a file that holds one account a line between quotes, from
// which Reader gives the account back.
func OnOneLine(account string) string {
	return `"` + strings.ReplaceAll(neutral(account), `"`, `""`) + "\"\n"
}

// needsQuotes: spaces alone do not, so that a value set aside for its outer
// spaces is set aside again when it comes back uncorrected. Every separator does,
// so that a value holding one is read as what it is.
func needsQuotes(cell string) bool { return strings.ContainsAny(cell, "\"\r\n,;|\t") }
