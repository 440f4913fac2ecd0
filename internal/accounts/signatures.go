package accounts

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"tagsweep/internal/accounts/archive"
)

const (
	zipped   = "ZIP"
	gzipped  = "gzip"
	compound = "XLS" // or a workbook with a password
)

// archives are formats that hold files.
var archives = []string{zipped, gzipped, "7z", "RAR", "Zstandard", "xz", "bzip2", "LZ4", "tar"}

// signatures are the first bytes by which a format is known.
var signatures = []struct{ first, name string }{
	{"PK\x03\x04", zipped}, {"PK\x05\x06", zipped}, {"\x1f\x8b", gzipped},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", compound},
	{"%PDF-", "PDF"}, {"\x89PNG\r\n\x1a\n", "PNG"}, {"\xff\xd8\xff", "JPEG"}, {"GIF87a", "GIF"}, {"GIF89a", "GIF"},
	{"7z\xbc\xaf\x27\x1c", "7z"}, {"Rar!\x1a\x07", "RAR"}, {"\x28\xb5\x2f\xfd", "Zstandard"}, {"\xfd7zXZ\x00", "xz"},
	{"\x04\x22\x4d\x18", "LZ4"}, {"BZh", "bzip2"}, {"SQLite format 3\x00", "SQLite"}, {"PAR1", "Parquet"},
	{"bplist00", "plist"}, {"\x00\x05\x16\x07", "AppleDouble"},
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
	return formatOfText(head)
}

func isControl(c rune) bool { return c < '\t' || c > '\r' && c < ' ' }

// textFormats are formats of text that are no tables. Each is known by what no
// list of accounts begins with, so one word such as From or begin is not enough.
var textFormats = formats(
	"HTML", `(?i)<(?:!doctype html|(?:html|head|meta|body|table|div|title|style|script|p|ul|ol)(?:\s|/?>)(?s:.*)</)`,
	"XML", `<(?:[!?](?:[a-z]|--|\[)|[a-z][\w:.-]*(?:\s|/?>)(?s:.*)</|[a-z][\w:.-]*(?:\s[^<>]*)?/>)`,
	"JSON", `(?:\)\]\}',?\s|//.*\n|/\*(?s:.*?)\*/|\s)*`+
		`(?:\{\s*(?:"|'|[a-z_$][\w$]*\s*:\s*["'\[{\d])|\[\s*(?:["'{]|\[\s*["'{\[\d-]|(?:-?\d[\d.e+-]*|true|false|null)\s*,))`,
	"JavaScript", `(?:var|let|const)\s+[\w$]+\s*=|window\.\w+\s*=|"use strict"|[\w$.]+\(\s*[\[{]["'{\[]`,
	"SQL", `(?:--.*\n|#.*\n|/\*(?s:.*?)\*/;?|(?:begin|commit)\s*;|go\s*\n|\s)*(?:`+
		`(?:insert|replace)\s+(?:ignore\s+)?into\s+[^\s(]+\s*(?:\(|values|select|set\s)|merge\s+into\s+\S+\s.*\busing\b|`+
		`delete\s+from\s+\S+(?:\s+where\s[^;]*)?;\s*$|update\s+\S+\s+set\s+\S+\s*=|`+
		`select\s+(?:\*|[^\s;]+(?:,\s*[^\s;]+)*)\s+from\s+[^\s;]+`+
		`(?:\s+(?:where|order|group|limit|join|left|inner)\s[^;]*)?;\s*$|`+
		`(?:create|drop)\s+(?:or\s+replace\s+|temporary\s+|unique\s+)*(?:table|database|schema|index|view|sequence|type)`+
		`\s+(?:if\s+(?:not\s+)?exists\s+)?\S+\s*(?:[(;]|as\s|on\s)|create\s+table\s+[^\s(]+\(|`+
		`alter\s+table\s+\S+\s+(?:add|alter|change|disable|drop|enable|modify|owner)\s|`+
		`(?:(?:lock\s+tables|truncate(?:\s+table)?|use|set\s+names)\s+\S+(?:\s(?:read|write))?|grant\s.+\sto\s.+)\s*;\s*$|`+
		`use\s+\S+\s+go\s*$|set\s+[^;=\n]+(?:=|\sto\s)[^;\n]+;\s*$|`+
		`copy\s+[^\s(]+\s*(?:\([^)]*\)\s*)?from\s+stdin|(?:start\s+transaction|begin\s+(?:transaction|work))\s*;|`+
		`pragma\s+\w+\s*=|declare\s+@|delimiter\s+[/$;]|with\s+\S+\s+as\s*\()`,
	"EML", `(?:`+mailHeader+`)+(?:subject|mime-version|message-id|received|content-type):\s|`+
		`subject:.*\n(?:`+mailHeader+`)*(?:from|to|date|cc):\s|mime-version: *1\.|received: (?:from|by) |`+
		`-{3,} *(?:forwarded|original) message *-{3,}|begin forwarded message:|return-path: *<|delivered-to: \S+@|`+
		`message-id: *<|dkim-signature: |(?:发件人|寄件人|寄件者)[:：].*\n(?:.+\n)*(?:主题|主旨)[:：]`,
	"MBOX", `From \S+ +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? `,
	"HTTP", `HTTP/\d|(?:get|post|put) /\S* http/\d`,
	"PEM", `(?:.+\n){0,20}?----[- ]BEGIN [A-Z0-9 ]+----`,
	"SSH", `(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\S+) AAAA`,
	"Diff", `diff (?:-\S|\S+ \S)|--- \S.*\n\+\+\+ \S|\*\*\* \S.*\n--- \S.*\n\*{9}|index: .*\n={9}|@@ -\d+|`+
		`\d+(?:,\d+)?[acd]\d+(?:,\d+)?\r?\n[<>] |from [0-9a-f]{40} `,
	"vCard", `begin:v\w+\s*\n`,
	"LDIF", `(?:version: \d+|#.*\n|\s)*dn:(?:: \S|\s*\w+=)`,
	"SYLK", `ID;P\w*(?:;\w*)*\r?\n(?:.*\n)*?[CF];(?:.*;)?[XY]\d`,
	"DIF", `table\r?\n0,1\r?\n"`,
	"INI", `(?:[;#].*\n|\s)*\[\[?[^\[\],;\n]+\]\]?\s*\n(?:[;#].*\n|\s)*[^=,;|\t\n]{1,80}(?:=[ \t]*[^=\s]|: )`,
	"YAML", `%YAML|---\s*\n(?:#.*\n|\s)*(?:- |["']?[\w.-]+["']?:\s)|- ["']?\w+["']?: .*\n +["']?\w+["']?:\s`,
	"RTF", `\{\\rtf`,
	"PostScript", `%!PS`,
	"TeX", `\\(?:documentclass|begin|input|section)\b`,
	"Script", `#! ?/|@?echo off\b|#(?:include *[<"]|pragma once)|(?:package|import|using|namespace) [\w.:*]+ ?[;{]|`+
		`package \w+\s+import\s|from [\w.]+ import \S|import [\w.]+ as \w|(?:def|function) \w+\(|`+
		`public (?:static |final )*class `,
	"passwd", `[\w.-]+:[^:\n]*:\d+:\d+:[^:\n]*:/`, "PHP", `[aO]:\d+:[{"]`,
	"Registry", `Windows Registry Editor|REGEDIT4\s`,
	"M3U", `#EXTM3U`, "WebVTT", `WEBVTT\s`, "SRT", `\d+\r?\n\d\d:\d\d:\d\d,\d{3} --> `,
	"HL7", `(?:FHS|BHS|MSH)\|\^~\\&`, "EDIFACT", `UNA:\+|UNB\+`, "X12", `ISA\*..\*`, "SWIFT", `\{1:F01`,
	"OFX", `OFXHEADER:`, "QIF", `!(?:Type:|Option:|Account\s+N)`, "GEDCOM", `0 HEAD\s`, "uuencode", `begin [0-7]{3} \S`,
	"BibTeX", `@\w+\{[^,\n]*,\s*\n\s*\w+\s*=`, "ARFF", `(?:%.*\n|\s)*@relation\s`, "Git LFS", `version https://git-lfs`,
	"Graphviz", `(?:strict )?(?:di)?graph \w* *\{`, "Protobuf", `syntax *= *"proto`,
)

// mailHeader is a line of the head of a mail, with those that continue it.
const mailHeader = `(?:from|to|cc|bcc|date|sent|subject|sender|reply-to|return-path|received|references|in-reply-to|` +
	`message-id|mime-version|importance|thread-\w+|(?:content|snapshot|list|arc|dkim|x)-[\w-]+):.*\n(?:[ \t]+\S.*\n)*`

type textFormat struct {
	name   string
	begins *regexp.Regexp
}

// formats takes names and how texts begin, in turns. Case does not matter.
func formats(list ...string) (all []textFormat) {
	for i := 0; i < len(list); i += 2 {
		all = append(all, textFormat{list[i], regexp.MustCompile(`(?im)\A(?:` + list[i+1] + `)`)})
	}
	return all
}

// formatOfText names the format of a text, in UTF-8, that is no table, by how it
// begins; "" may be one.
func formatOfText(head []byte) string {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), " \t\r\n")
	for _, f := range textFormats {
		if f.begins.Match(head) {
			return f.name
		}
	}
	if bytes.ContainsAny(head[:min(1, len(head))], "[{") && json.Valid(head) {
		return "JSON"
	}
	return ""
}

// officeFormat names formats other than XLSX that are ZIP files of parts.
func officeFormat(z *archive.ZIP) string {
	for _, part := range []string{"XLSB xl/workbook.bin", "DOCX word/document.xml", "PPTX ppt/presentation.xml",
		"ODS META-INF/manifest.xml", "Numbers Index/Document.iwa"} {
		if name, file, _ := strings.Cut(part, " "); z.Has(file) {
			return name
		}
	}
	return ""
}

// encryptedPackage is how Office names the part of a workbook with a password.
var encryptedPackage = []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00")
