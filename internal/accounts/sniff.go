package accounts

import (
	"bytes"
	"unicode/utf8"
)

var byteOrderMark = []byte("\uFEFF")

// signatures are the first bytes by which a format is known.
var signatures = []struct{ first, name string }{
	{"PK\x05\x06", "ZIP"},
	{"\x1f\x8b", "gzip"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS"},
	{"%PDF-", "PDF"},
	{"\x89PNG\r\n\x1a\n", "PNG"},
	{"\xff\xd8\xff", "JPEG"},
	{"GIF87a", "GIF"},
	{"GIF89a", "GIF"},
	{"7z\xbc\xaf\x27\x1c", "7z"},
	{"Rar!\x1a\x07", "RAR"},
	{"\x28\xb5\x2f\xfd", "Zstandard"},
	{"\xfd7zXZ\x00", "xz"},
	{"SQLite format 3\x00", "SQLite"},
	{`{\rtf`, "RTF"},
}

// markup are the first words, in lower case, of what browsers and programs save
// under the name of a spreadsheet.
var markup = []struct{ first, name string }{
	{"<!doctype html", "HTML"}, {"<html", "HTML"}, {"<head", "HTML"}, {"<meta", "HTML"}, {"<table", "HTML"},
	{"<?xml", "XML"},
}

// checkText returns the fault of a file that is not UTF-8 text, judged by how
// it begins. The sample ends at a line end, or at the end of the file.
func checkText(sample []byte) error {
	if name := formatOf(sample); name != "" {
		return FaultBinary.With(name)
	}
	switch {
	case bytes.HasPrefix(sample, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(sample, []byte("\x00\x00\xfe\xff")):
		return FaultEncoding.With("UTF-32")
	case bytes.HasPrefix(sample, []byte("\xff\xfe")), bytes.HasPrefix(sample, []byte("\xfe\xff")):
		return FaultEncoding.With("UTF-16")
	}
	if nuls := bytes.Count(sample, []byte{0}); nuls*100 > len(sample) {
		if looksLikeUTF16(sample, nuls) {
			return FaultEncoding.With("UTF-16")
		}
		return FaultNotText.With()
	}
	if !mostlyUTF8(sample) {
		return FaultEncoding.With("GB18030/GBK, Big5, Windows-1252")
	}
	return nil
}

func formatOf(sample []byte) string {
	if bytes.HasPrefix(sample, []byte("PK\x03\x04")) {
		if bytes.Contains(sample, []byte("[Content_Types].xml")) || bytes.Contains(sample, []byte("xl/")) {
			return "XLSX"
		}
		return "ZIP"
	}
	for _, s := range signatures {
		if bytes.HasPrefix(sample, []byte(s.first)) {
			return s.name
		}
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(sample, byteOrderMark))
	start := bytes.ToLower(text[:min(len(text), 32)])
	for _, m := range markup {
		if bytes.HasPrefix(start, []byte(m.first)) {
			return m.name
		}
	}
	if len(text) > 0 && (text[0] == '[' || text[0] == '{') {
		if inner := bytes.TrimSpace(text[1:]); len(inner) > 0 && bytes.IndexByte([]byte(`"{[`), inner[0]) >= 0 {
			return "JSON"
		}
	}
	return ""
}

// looksLikeUTF16: in text of mostly ASCII letters, every second byte is NUL.
func looksLikeUTF16(sample []byte, nuls int) bool {
	odd := 0
	for i := 1; i < len(sample); i += 2 {
		if sample[i] == 0 {
			odd++
		}
	}
	return nuls*4 >= len(sample) && (odd*10 >= nuls*9 || odd*10 <= nuls)
}

func mostlyUTF8(sample []byte) bool {
	if utf8.Valid(sample) {
		return true
	}
	lines, broken := 0, 0
	for len(sample) > 0 {
		end, next := lineEnd(sample)
		if line := sample[:end]; !isBlank(line) {
			lines++
			if !utf8.Valid(line) {
				if lines == 1 {
					return false
				}
				broken++
			}
		}
		sample = sample[next:]
	}
	return broken*10 <= lines
}
