package accounts

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"

	"tagsweep/internal/accounts/filetest"
)

// mixedSpecimens are texts in two encodings: UTF-16 in both orders behind 8-bit text, before it, and with a
// byte order mark in the middle.
func mixedSpecimens(t *testing.T) (list []specimen) {
	for i, n := range []int{3, 14, 40, 400} {
		first, second := im(1001, 1000+n), im(21, 20+max(2, n/3))
		both := slices.Concat(first, second)
		for _, form := range []struct{ name, header, row string }{{"list", "", "{}"},
			{"table", "user_id,name", "{},{name}"}, {"cn", "用户ID,昵称", "{},{姓名}"}} {
			top, bottom := rowsOf(form.header, form.row, "\r\n", first), rowsOf("", form.row, "\r\n", second)
			if i%2 == 1 {
				top, bottom = strings.ReplaceAll(top, "\r", ""), strings.ReplaceAll(bottom, "\r", "")
			}
			add := func(kind, name, content string) {
				list = append(list, specimen{kind: kind, name: fmt.Sprintf("%s-%s-%d", form.name, name, n),
					content: content, truth: both,
					expect: "refused or aside or asked"})
			}
			add("K1", "le-behind", top+inEncoding(t, bareLE, bottom))
			add("K1", "be-behind", top+inEncoding(t, bareBE, bottom))
			add("K1", "le-behind-with-mark", top+inEncoding(t, utf16LE, bottom))
			add("K1", "be-behind-with-mark", top+inEncoding(t, utf16BE, bottom))
			add("K1", "le-behind-utf8-mark", bom+top+inEncoding(t, bareLE, bottom))
			add("K1", "le-with-mark-behind-utf8-mark", bom+top+inEncoding(t, utf16LE, bottom))
			add("K1", "le-behind-no-line-end", strings.TrimRight(top, "\r\n")+inEncoding(t, bareLE, "\r\n"+bottom))
			add("K30", "le-then-8-bit", inEncoding(t, utf16LE, top)+bottom)
			add("K30", "be-then-8-bit", inEncoding(t, utf16BE, top)+bottom)
			add("K30", "bare-le-then-8-bit", inEncoding(t, bareLE, top)+bottom)
			add("K30", "bare-be-then-8-bit", inEncoding(t, bareBE, top)+bottom)
			add("K30", "le-then-utf8-mark", inEncoding(t, utf16LE, top)+bom+bottom)
			add("K30", "le-then-be", inEncoding(t, utf16LE, top)+inEncoding(t, utf16BE, bottom))
			add("K30", "be-then-le", inEncoding(t, utf16BE, top)+inEncoding(t, utf16LE, bottom))
			add("K30", "le-8-bit-le", inEncoding(t, utf16LE, top)+bottom+inEncoding(t, bareLE,
				rowsOf("", form.row, "\r\n", im(21, 22))))
			list = append(list, specimen{kind: "K30", name: fmt.Sprintf("%s-le-twice-%d", form.name, n), truth: both,
				// a list joined to another
				content: inEncoding(t, utf16LE, top) + inEncoding(t, utf16LE, bottom)},
				specimen{kind: "K30", name: fmt.Sprintf("%s-utf8-twice-%d", form.name, n), truth: both, content: bom +
					top + bom + bottom})
		}
	}
	ids := im(1001, 1020)
	nul := strings.Join(ids, "\x00")
	list = append(list,
		specimen{kind: "K30", name: "nul-between", content: nul, truth: ids},
		specimen{kind: "K30", name: "nul-after", content: nul + "\x00", truth: ids},
		specimen{kind: "K30", name: "nul-many", content: strings.Join(im(1, 900), "\x00") + "\x00", truth: im(1, 900)},
		specimen{kind: "K30", name: "nul-odd", content: "ab\x00cde\x00f1\x00", truth: []string{"ab", "cde", "f1"}},
		specimen{kind: "K30", name: "nul-padded", content: strings.Join(ids, "\x00\x00\x00\n") + "\x00\x00\x00\n",
			truth: ids},
		specimen{kind: "K30", name: "form-feeds", content: strings.Join(ids, "\f"), truth: ids},
		specimen{kind: "K30", name: "vertical-tabs", content: strings.Join(ids, "\v"), truth: ids},
		specimen{kind: "K30", name: "record-separators", content: strings.Join(ids, "\x1E"), truth: ids},
		specimen{kind: "K30", name: "next-lines", content: strings.Join(ids, "\u0085"), truth: ids},
		specimen{kind: "K30", name: "line-separators", content: strings.Join(ids, "\u2028"), truth: ids},
		specimen{kind: "K30", name: "utf-32", truth: im(1, 2), content: "\xFF\xFE\x00\x00" +
			strings.Join(strings.Split("im_1\nim_2\n", ""), "\x00\x00\x00") + "\x00\x00\x00"},
		specimen{kind: "K30", name: "latin-behind-utf8", truth: ids, content: rowsOf("user_id,name", "{},Zoë", "\n",
			ids[:10]) +
			inEncoding(t, charmap.Windows1252, rowsOf("", "{},Zoë", "\n", ids[10:]))},
		specimen{kind: "K30", name: "gbk-behind-utf8", truth: ids, content: rowsOf("用户ID,昵称", "{},{姓名}", "\n",
			ids[:10]) +
			inEncoding(t, simplifiedchinese.GBK, rowsOf("", "{},{姓名}", "\n", ids[10:]))},
		specimen{kind: "K30", name: "big5", truth: ids, content: inEncoding(t, traditionalchinese.Big5,
			rowsOf("用戶ID,姓名", "{},陳大文", "\n", ids))},
		specimen{kind: "K30", name: "shift-jis", truth: ids, content: inEncoding(t, japanese.ShiftJIS,
			rowsOf("ユーザーID,名前", "{},山田", "\n", ids))})
	return list
}

// foreignFormats are files that are no tables of accounts. {} stands for their rows.
var foreignFormats = []struct{ name, above, row, below string }{
	{"json-strings", `["x0",`, `"{}",`, `"x1"]`},
	{"json-numbers", "[", "{},", "0]"},
	{"json-objects", `{"users":[`, `{"user_id":"{}","name":"{name}"},`, "{}]}"},
	{"json-lines", "", `{"user_id":"{}","tags":["vip"]}`, ""},
	{"json-pretty", "[", "  {\n    \"user_id\": \"{}\",\n    \"name\": \"{name}\"\n  },", "  {}\n]"},
	{"json-account-list", `{"To_Account": [`, `  "{}",`, `  "x"], "Random": 1}`},
	{"sql-insert", "", "INSERT INTO users (user_id, name) VALUES ('{}', '{name}');", ""},
	{"sql-values", "INSERT INTO `users` VALUES", "('{}','{name}',NULL),", "('x','y',NULL);"},
	{"sql-dump", "-- MySQL dump 10.13\nDROP TABLE IF EXISTS `users`;", "INSERT INTO `users` VALUES ('{}');",
		"UNLOCK TABLES;"},
	{"sql-update", "", "UPDATE users SET tag=NULL WHERE user_id='{}';", ""},
	{"sql-in", "SELECT * FROM users WHERE user_id IN (", "'{}',", "'x');"},
	{"pg-copy", "COPY public.users (user_id, name) FROM stdin;", "{}\t{name}", `\.`},
	{"ini", "[users]\nenabled=true", "{}={name}", "[end]"},
	{"properties", "# users", "user.{n}={}", ""},
	{"toml", "[[user]]", "id = \"{}\"", ""},
	{"yaml", "users:", "  - {}", ""},
	{"yaml-maps", "users:", "  - user_id: {}\n    name: {name}", ""},
	{"eml", "Return-Path: <a@example.com>\nReceived: from mail.example.com\nFrom: Ann <a@example.com>\nTo: " +
		"b@example.com\nSubject: users\n" +
		"MIME-Version: 1.0\nContent-Type: text/plain\n", "{}", "\n-- \nRegards\nAnn Lee"},
	{"mbox", "From a@example.com Mon Nov 30 10:00:00 2026\nFrom: a@example.com\nSubject: x\n", "{}", ""},
	{"forwarded", "---------- Forwarded message ---------\nFrom: Ann\nDate: Mon\n", "> {}", "Regards"},
	{"vcard", "BEGIN:VCARD\nVERSION:3.0", "N:{name};;;\nUID:{}\nEND:VCARD\nBEGIN:VCARD", "END:VCARD"},
	{"ical", "BEGIN:VCALENDAR", "BEGIN:VEVENT\nUID:{}\nEND:VEVENT", "END:VCALENDAR"},
	{"diff", "--- a/list.txt\n+++ b/list.txt\n@@ -1,2 +1,9 @@\n ann\n-bob", "+{}", ""},
	{"diff-plain", "0a1,9", "> {}", ""},
	{"git-diff", "diff --git a/u.csv b/u.csv\nindex 1..2 100644\n--- a/u.csv\n+++ b/u.csv\n@@ -0,0 +1 @@",
		"+{},{name}", ""},
	{"pem", "-----BEGIN CERTIFICATE-----", "MIIB{hex}{hex}", "-----END CERTIFICATE-----"},
	{"pgp", "-----BEGIN PGP MESSAGE-----\n", "hQEM{hex}", "=aBcD\n-----END PGP MESSAGE-----"},
	{"ssh", "ssh-rsa AAAAB3NzaC1yc2E ann@host", "ssh-rsa AAAA{hex} {name}@host", ""},
	{"sylk", "ID;PWXL;N;E\nP;PGeneral\nB;Y9;X2", "C;Y{n};X1;K\"{}\"\nC;X2;K\"{name}\"", "E"},
	{"dif", "TABLE\n0,1\n\"EXCEL\"\nVECTORS\n0,9\n\"\"\nTUPLES\n0,2\n\"\"\nDATA\n0,0\n\"\"", "-1,0\nBOT\n1,0\n\"{}\"",
		"-1,0\nEOD"},
	{"html", "<html><body><table>", "<tr><td>{}</td><td>{name}</td></tr>", "</table></body></html>"},
	{"html-xls", "<html xmlns:x=\"urn:schemas-microsoft-com:office:excel\"><head><meta " +
		"charset=\"utf-8\"></head><table>", "<tr><td>{}</td></tr>", "</table></html>"},
	{"html-fragment", "<table>", "<tr><td>{}</td></tr>", "</table>"},
	{"html-list", "<ul>", "<li>{}</li>", "</ul>"},
	{"xml", `<?xml version="1.0"?><users>`, "<user id=\"{}\"/>", "</users>"},
	{"xml-bare", "<users>", "<user>{}</user>", "</users>"},
	{"xml-excel", `<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook><Worksheet><Table>`,
		"<Row><Cell><Data ss:Type=\"String\">{}</Data></Cell></Row>", "</Table></Worksheet></Workbook>"},
	{"rtf", `{\rtf1\ansi`, `{}\par`, "}"},
	{"markdown", "| user_id | name |\n|---|---|", "| {} | {name} |", ""},
	{"markdown-list", "# Users", "* {}", ""},
	{"latex", `\begin{tabular}{ll}`, `{} & {name} \\`, `\end{tabular}`},
	{"ldif", "version: 1", "dn: uid={},ou=people\nuid: {}\n", ""},
	{"python", "users = [", "    '{}',", "]"},
	{"php", "<?php return array (", "  {n} => '{}',", ");"},
	{"javascript", "const users = [", "  '{}',", "];"},
	{"shell", "#!/bin/sh", "curl -X POST /remove?user={}", ""},
	{"log", "", "2026-11-30 10:00:00 INFO user={} logged out", ""},
	{"access-log", "", `10.0.0.1 - {} [30/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5`, ""},
	{"passwd", "root:x:0:0:root:/root:/bin/sh", "{}:x:100{n}:100:{name}:/home/{}:/bin/sh", ""},
	{"edifact", "UNB+UNOC:3+A+B'", "NAD+BY+{}::9'", "UNZ+1'"},
	{"qif", "!Account\nNusers\n^", "P{}\n^", ""},
	{"query-string", "", "user_id={}&name={name}", ""},
	{"chat", "", "[10:0{n}] {name}: {}", ""},
}

func formatSpecimens(t *testing.T) (list []specimen) {
	ids := span("im_%d", 1001, 1008)
	for _, f := range foreignFormats {
		content := rowsOf(f.above, f.row, "\n", ids)
		if f.below != "" {
			content += f.below + "\n"
		}
		kind := "K13"
		if f.name == "ini" || f.name == "properties" || f.name == "toml" || f.name == "query-string" || f.name == "passwd" {
			kind = "K14"
		}
		truth := ids
		if !strings.Contains(f.row, "{}") {
			truth = nil
		}
		add := func(name, content string) {
			s := specimen{kind: kind, name: f.name + name, content: content, truth: truth}
			if f.name == "pg-copy" {
				s.arguable = []string{`\.`}
			}
			list = append(list, s)
		}
		add("", content)
		add("-crlf", bom+strings.ReplaceAll(content, "\n", "\r\n"))
		add("-utf16", inEncoding(t, utf16LE, content))
		add("-utf16be", inEncoding(t, utf16BE, content))
		add("-bare-utf16", inEncoding(t, bareLE, content))
		if f.name != "json-lines" {
			add("-zip", filetest.ZIP(t, "users.csv", content))
		}
	}
	for i, sep := range []string{"~", "^", ":", "::", " ", "   ", "\x01", "||", "¦", "§", "=>", "#", "/", " - ", "&",
		"\\t", "+", "|~|", "、", "，", "；", "\u00A0", "\u3000"} {
		for _, form := range []struct{ header, row string }{{"user_id{s}name{s}city", "{}{s}{name}{s}Rome"},
			{"", "{}{s}{name}"}, {"name{s}user_id", "{name}{s}{}"}} {
			list = append(list, specimen{kind: "K14", name: fmt.Sprintf("separated-%02d-%d", i, len(form.header)),
				truth:   ids,
				content: strings.ReplaceAll(rowsOf(form.header, form.row, "\n", ids), "{s}", sep)})
		}
	}
	return list
}

// wholeSpecimens are accounts that hold what elsewhere separates.
func wholeSpecimens(*testing.T) (list []specimen) {
	for i, form := range []string{"auth0|{hex}", "google-oauth2|1043{n}7781", "samlp|okta|ann{n}@example.com",
		"tenant{n};im_{n}", "a{n},im_{n}0", "user:{n}001",
		"urn:user:{n}001", "DOMAIN\\user{n}", "cn=ann{n},ou=people", "shop|{n}001", "uid=100{n}", "acct~{n}00",
		"user {n}00", "Ann Lee {n}", "ann{n}@shop;1",
		"1{n}:2{n}", "a/b/{n}", "x|y|{n}", "email|{hex}", "+86 138001380{n}", "im_{n}/ios", "{n}@c.us",
		"sip:{n}@host", "{hex}:{n}", "u{n}|v{n}"} {
		var truth []string
		for j := range 13 {
			truth = append(truth, filled(form, "", j))
		}
		quoted := `"` + form + `"`
		list = append(list,
			specimen{kind: "K15", name: fmt.Sprintf("list-%02d", i), content: rowsOf("", form, "\n", truth),
				truth: truth},
			specimen{kind: "K15", name: fmt.Sprintf("headed-%02d", i), content: rowsOf("user_id", form, "\r\n",
				truth), truth: truth},
			specimen{kind: "K15", name: fmt.Sprintf("quoted-%02d", i), content: rowsOf("user_id,name",
				quoted+",{name}", "\n", truth), truth: truth},
			specimen{kind: "K15", name: fmt.Sprintf("quoted-list-%02d", i), content: rowsOf("", quoted, "\n", truth),
				truth: truth},
			specimen{kind: "K15", name: fmt.Sprintf("tabs-%02d", i), content: rowsOf("name\tuser_id", "{name}\t"+form,
				"\n", truth), truth: truth})
	}
	return list
}
