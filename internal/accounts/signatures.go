package accounts

import (
	"bytes"
	"slices"

	"tagsweep/internal/accounts/archive"
)

// signatures are the first bytes by which a format is known.
var signatures = []struct{ first, name string }{
	{"PK\x03\x04", zipped},
	{"PK\x05\x06", zipped},
	{"\x1f\x8b", gzipped},
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
	{"BZh", "bzip2"},
	{"SQLite format 3\x00", "SQLite"},
	{"PAR1", "Parquet"},
	{`{\rtf`, "RTF"},
}

const (
	zipped  = "ZIP"
	gzipped = "gzip"
)

// archives are formats that hold files.
var archives = []string{zipped, gzipped, "7z", "RAR", "Zstandard", "xz", "bzip2", "tar"}

// markup are the first words, in lower case, of what browsers and programs save
// under the name of a spreadsheet.
var markup = []struct{ first, name string }{
	{"<!doctype html", "HTML"}, {"<html", "HTML"}, {"<head", "HTML"}, {"<meta", "HTML"}, {"<table", "HTML"},
	{"<?xml", "XML"},
}

// formatOf tells what a file is by how it begins; "" may be text.
func formatOf(head []byte) string {
	for _, s := range signatures {
		switch {
		case !bytes.HasPrefix(head, []byte(s.first)):
		case s.name == "bzip2" && (len(head) < 10 || string(head[4:10]) != "1AY&SY"):
		case s.name == "Parquet" && !bytes.ContainsFunc(head[:min(len(head), 64)], isControl):
		default:
			return s.name
		}
	}
	if len(head) > 262 && string(head[257:262]) == "ustar" {
		return "tar"
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(head, []byte(byteOrderMark)))
	start := bytes.ToLower(text[:min(len(text), 32)])
	for _, m := range markup {
		rest, is := bytes.CutPrefix(start, []byte(m.first))
		if is && (len(rest) == 0 || bytes.IndexByte([]byte("> \t\r\n"), rest[0]) >= 0) {
			return m.name
		}
	}
	if len(text) > 0 && (text[0] == '[' || text[0] == '{') {
		if inner := bytes.TrimSpace(text[1:]); len(inner) > 0 && slices.Contains([]byte(`"{[`), inner[0]) {
			return "JSON"
		}
	}
	return ""
}

func isControl(c rune) bool { return c < '\t' || c > '\r' && c < ' ' }

// officeFormat names formats other than XLSX that are ZIP files of parts.
func officeFormat(z *archive.ZIP) string {
	for _, name := range z.Names() {
		switch name {
		case "xl/workbook.bin":
			return "XLSB"
		case "word/document.xml":
			return "DOCX"
		case "ppt/presentation.xml":
			return "PPTX"
		case "META-INF/manifest.xml":
			return "ODS"
		case "Index/Document.iwa":
			return "Numbers"
		}
	}
	return ""
}

// encryptedPackage is how Office names the part of a workbook with a password.
var encryptedPackage = []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00")
