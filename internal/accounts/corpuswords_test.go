package accounts

import (
	"fmt"
	"strings"
	"testing"
)

// headingSpecimens have a first row of which only a person knows whether it is a header.
func headingSpecimens(*testing.T) (list []specimen) {
	add := func(name, content string, truth []string) {
		list = append(list, specimen{kind: "K11", name: name, content: content, truth: truth})
	}
	names := strings.Fields("alice bruno carla dmitri elena farid greta hugo ivan jana")
	numbered := strings.Fields("bob_1 carol_2 dave_3 erin_4 frank_5 gina_6 hans_7 ida_8 jon_9 kim_10")
	for i, header := range strings.Fields("Mitglied Kundennummer Nutzerkennung Utilisateur Identifiant Usuario Conta " +
		"Hesap Kullanici members " +
		"Login handle nick value accounts_nov x V1 col1 Column1 field_1 ID1 list Sheet1 0 Unnamed:0 count VIP") {
		add(fmt.Sprintf("word-%02d-over-names.txt", i), rowsOf(header, "{}", "\n", names), names)
		add(fmt.Sprintf("word-%02d-over-ids.txt", i), rowsOf(header, "{}", "\n", numbered), numbered)
		add(fmt.Sprintf("word-%02d-over-numbers.csv", i), rowsOf(header+",n", "{},{name}", "\n",
			span("%d", 10032211, 10032222)),
			span("%d", 10032211, 10032222))
	}
	for i, first := range []string{"alice,max", "alice,", "alice,Ann", "root,17", "Ann,Lee"} {
		id, _, _ := strings.Cut(first, ",")
		add(fmt.Sprintf("swallowed-%d.csv", i), rowsOf(first, "{},{n}", "\n", numbered),
			append([]string{id}, numbered...))
		add(fmt.Sprintf("swallowed-words-%d.csv", i), rowsOf(first, "{},{name}", "\n", numbered),
			append([]string{id}, numbered...))
	}
	for _, h := range accountHeaders {
		for i, header := range strings.Split(h.names, "|") {
			given := []string{"Vorname", "名前", "Prénom", "昵称"}[i%4]
			add(fmt.Sprintf("%s-%02d.csv", h.language, i), rowsOf(header+";"+given, "{};{name}", "\n", numbered), numbered)
			add(fmt.Sprintf("%s-%02d-names.csv", h.language, i), rowsOf(given+","+header, "{name},{}", "\r\n", names), names)
			add(fmt.Sprintf("%s-%02d-names.txt", h.language, i), rowsOf(header, "{}", "\n", names), names)
			add(fmt.Sprintf("%s-%02d.txt", h.language, i), rowsOf(header, "{}", "\n", im(1001, 1012)), im(1001, 1012))
		}
	}
	add("admin-first.txt", rowsOf("admin", "{}", "\n", numbered), append([]string{"admin"}, numbered...))
	add("account-first.txt", rowsOf("account", "{}", "\n", numbered), numbered)
	add("user-first.txt", rowsOf("user", "{}", "\n", span("user%d", 1, 12)), span("user%d", 1, 12))
	add("pandas-series.csv", rowsOf(",0", "{n},{}", "\n", numbered), numbered)
	add("r-vector.csv", rowsOf(`"","x"`, `"{n}","{}"`, "\n", numbered), numbered)
	return list
}

// remarkSpecimens have lines between, above and below the rows that are none.
func remarkSpecimens(*testing.T) (list []specimen) {
	truth, names := im(1001, 1020),
		strings.Fields("alice bruno.x carla_9 dmitri elena-3 farid greta77 hugo ivan jana kim_a leo mia ned ola pia "+
			"quin rae sam tom")
	add := func(name, content string, truth []string) {
		list = append(list, specimen{kind: "K12", name: name, content: content, truth: truth})
	}
	for i, line := range []string{
		"Total: 20", "Total 20", "TOTAL", "Grand total", "Summe", "Gesamt: 20", "Total général", "Total général : 20",
		"Suma", "Soma", "Totale",
		"Итого", "Итого: 20", "合計", "合计：20", "总计", "共 20 条", "합계", "Tổng cộng",
		"รวม", "المجموع", "Toplam", "Totaal",
		"Razem", "Yhteensä",
		"(20 rows)", "20 rows in set (0.00 sec)", "(20 row(s) affected)", "20 rows selected.",
		"Query OK, 20 rows affected", "-- end --", "EOF", "END",
		"*** end of report ***", "Page 1 of 3", "Page 1", "第1页", "Seite 1 von 3", "Exported by admin_7",
		"Operator: admin_7", "Generated 2026-11-30",
		"Confidential", "Copyright 2026", "---", "====", "VIP users", "[Gold]", "== Silver ==", "Refunded",
		"Churned in November", "Section B", "Block_2",
		"Sheet2", "string", "varchar(32)", "nvarchar", "TEXT", "int", "Note", "Ann Lee", "cc: Ann", "done",
		"and 12 more", "...",
	} {
		place := places[i%3]
		add(fmt.Sprintf("list-%02d-%s.txt", i, place.name), with(rowsOf("", "{}", "\n", truth), place.after, line),
			truth)
		add(fmt.Sprintf("table-%02d-%s.csv", i, place.name), with(rowsOf("user_id,name", "{},{name}", "\n", truth),
			place.after, line), truth)
		add(fmt.Sprintf("padded-%02d-%s.csv", i, place.name), with(rowsOf("user_id,visits", "{},{n}", "\n", truth),
			place.after, line+","), truth)
		if strings.Contains(line, " ") && !strings.Contains(line, "Ann") { // a single word may be a name among names
			add(fmt.Sprintf("names-%02d-%s.txt", i, place.name), with(rowsOf("user_id", "{}", "\n", names),
				place.after, line), names)
		}
	}
	for i, rows := range []string{
		"string,string", "user_id,name\nvarchar(32),text", "用户ID,昵称", "User's ID,Name",
		`"{""ImportId"":""QID1""}","{""ImportId"":""QID2""}"`,
		"Response,Response", "Open-Ended Response,Open-Ended Response", "(required),(optional)", "必填,选填", "text,text",
		"id,label", "-------,----",
	} {
		add(fmt.Sprintf("second-header-%02d.csv", i), with(rowsOf("user_id,name", "{},{name}", "\n", truth), 1, rows),
			truth)
		add(fmt.Sprintf("second-header-%02d-names.csv", i), with(rowsOf("user_id,n", "{},{n}", "\n", names), 1, rows),
			names)
	}
	return list
}

// mixedNames are accounts that are not alike.
var mixedNames = strings.Fields("alice bruno.x carla_9 dmitri elena-3 farid greta77 hugo ivan 7788990 kim_a leo mia ned ola")

// markSpecimens have ranges, masks and lines that were commented out.
func markSpecimens(*testing.T) (list []specimen) {
	forms := []struct {
		name, expect string
		truth        []string
		values       []string
	}{
		{"range-numbers", "aside: range bad_character or asked", span("%d", 10070, 10085),
			[]string{"10001-10020", "10030~10040", "10050..10060", "10001 - 10020",
				"10001 to 10020", "10001:10020", "10001—10020", "10001至10020", "10001...10020", "10001 ~ 10020"}},
		{"range-ids", "aside or asked", im(1070, 1085), []string{"im_1001-im_1020", "im_1001~im_1020",
			"im_1001..im_1020", "im_1001-1020",
			"im_1001~1020", "im_1001 to im_1020", "im_1001 - im_1020", "im_1001...im_1020", "im_[1001-1020]",
			"im_1001至im_1020"}},
		{"masked-phones", "aside or asked", span("138001%05d", 38000, 38015),
			[]string{"138****8000", "138XXXX8000", "138xxxx8000", "1380013****",
				"*******8000", "138...8000", "138____8000", "138####8000"}},
		{"masked-ids", "aside or asked", im(1070, 1085), []string{"im_10**", "im_****", "im_***1", "i***1", "im_10..",
			"im_1…", "im_*", "im_10??", "im_%"}},
		{"commented", "aside or asked", im(1070, 1085), []string{"#im_1001", "# im_1001", "//im_1001", "// im_1001",
			"--im_1001", "-- im_1001", ";im_1001",
			"; im_1001", "/* im_1001 */", "/*im_1001*/", "<!-- im_1001 -->", "!im_1001", "%im_1001", "REM im_1001",
			"'im_1001", "~~im_1001~~"}},
	}
	for i, form := range forms {
		for j, value := range form.values {
			place := places[(i+j)%3]
			add := func(name, content string, truth []string, expect string) {
				list = append(list, specimen{kind: "K17", name: fmt.Sprintf("%s-%02d-%s", form.name, j, name),
					content: content, truth: truth, expect: expect})
			}
			add("list.txt", with(rowsOf("user_id", "{}", "\n", form.truth), place.after, value), form.truth,
				form.expect)
			add("table.csv", with(rowsOf("user_id,name", "{},{name}", "\n", form.truth), place.after, value+",Zoe"),
				form.truth, form.expect)
			if j < 5 { // where nothing is alike, the mark alone tells
				add("names.csv", with(rowsOf("user_id,name", "{},{name}", "\n", mixedNames), place.after, value+",Zoe"),
					mixedNames, "aside or asked")
			}
		}
	}
	return list
}

// nothings are what programs write for no value, each a value that nobody has as an account.
var nothings = strings.Split(`NA|<NA>|N/A|n/a|#N/A|NULL|null|Null|(null)|[NULL]|[null]|<null>|\N|None|none|NONE|nil|`+
	`NIL|<nil>|(nil)|NaN|nan|-nan|+nan|`+
	`nan(ind)|-nan(ind)|NaT|<NaT>|undefined|[undefined]|(undefined)|-|--|---|–|—|?|??|.|..|...|…|(blank)|[blank]|`+
	`<blank>|(empty)|<empty>|[empty]|(none)|`+
	`<none>|[none]|(not set)|(not provided)|N.A.|n.a.|NA.|N.a.|1.#QNAN|1.#IND|-1.#IND|#NULL!|#REF!|#DIV/0!|#NAME?|`+
	`#VALUE!|#NUM!|'null'|{null}|{}|[]|()|<>|`+
	`_|__|*|**|/|//|\|~|x_|k.A.|(无)|无|空|なし|없음|нет|-/-|N / A|#EMPTY|<unset>|(unset)|[object Object]|[object Null]|`+
	`DBNull|System.DBNull|`+
	`00000000-0000-0000-0000-000000000000|NULL.|null;|"null"|%null%|\0|$null|@null|(missing)|<missing>|<undefined>|`+
	`<Null>|__NULL__|(Leer)|(vide)|(en blanco)`, "|")

func nothingSpecimens(*testing.T) (list []specimen) {
	for i, word := range nothings {
		if word == "x_" { // only a mark between others
			continue
		}
		cell := word
		if strings.ContainsAny(word, `",;`) {
			cell = `"` + strings.ReplaceAll(word, `"`, `""`) + `"`
		}
		truth := [][]string{im(1001, 1016), span("%d", 83120455, 83120470), mixedNames}[i%3]
		place := places[i%3]
		add := func(name, content string, truth []string) {
			list = append(list, specimen{kind: "K18", name: fmt.Sprintf("%03d-%s", i, name), content: content,
				truth: truth})
		}
		add("table.csv", with(rowsOf("user_id,name", "{},{name}", "\n", truth), place.after, cell+",Zoe"), truth)
		add("names.csv", with(rowsOf("name,user_id", "{name},{}", "\n", mixedNames), place.after, "Zoe,"+cell), mixedNames)
		add("list.txt", with(rowsOf("user_id", "{}", "\n", mixedNames), place.after, word), mixedNames)
	}
	return list
}

// numberSpecimens are numbers as people and programs write them, which are no accounts.
func numberSpecimens(*testing.T) (list []specimen) {
	for i, form := range []string{
		"100.200.3{n}0;x", "100,200,3{n}0;x", "100 200 3{n}0;x", "100'200'3{n}0;x", "1,00,200,3{n}0;x",
		"100200{n}.0;x", "100200{n}.00;x", "100200{n},00;x",
		"1.0020{n}E+08;x", "1,0020{n}E+08;x", "€ 1002{n};x", "1002{n} €;x", "１００２{n};x", "1.00{n}.300;x",
	} {
		list = append(list, specimen{kind: "K19", name: fmt.Sprintf("number-%02d.csv", i),
			content: rowsOf("user_id;name", form, "\n", im(1, 9)),
			expect:  "aside or asked or refused"})
	}
	truth := span("%d", 100200300, 100200315)
	for i, value := range []string{"100.200.399", "100,200,399", "100 200 399", "100'200'399", "100200399.0",
		"1.002E+08", "-100200399", "(100200399)", "100200399-"} {
		list = append(list, specimen{kind: "K19", name: fmt.Sprintf("one-%02d.csv", i), truth: truth,
			content: with(rowsOf("user_id;name", "{};{name}", "\n", truth), places[i%3].after, value+";Zoe")})
	}
	return list
}

// quotedSpecimens are accounts as formulas that keep zeros, and lists pasted from code.
func quotedSpecimens(*testing.T) (list []specimen) {
	zeros, ids := span("%08d", 123, 135), im(1001, 1012)
	for i, form := range []struct{ header, row string }{
		{"user_id,name", `="{}",{name}`}, {"user_id,name", `"=""{}""",{name}`}, {"name;user_id", `{name};="{}"`},
		{"user_id\tname", "=\"{}\"\t{name}"},
		{"user_id", `="{}"`}, {"用户ID,昵称", `="{}",{姓名}`}, {"user_id,name", `"=""{}""","{name}"`},
		{`"user_id","name"`, `="{}","{name}"`},
	} {
		list = append(list, specimen{kind: "K27", name: fmt.Sprintf("formula-%d.csv", i),
			content: rowsOf(form.header, form.row, "\n", zeros), truth: zeros, expect: "read"},
			specimen{kind: "K27", name: fmt.Sprintf("formula-id-%d.csv", i), content: rowsOf(form.header, form.row,
				"\r\n", ids), truth: ids, expect: "read"})
	}
	list = append(list, specimen{kind: "K27", name: "real-formula.csv",
		content: "user_id,name\n=A1&\"x\",Ann\n=1+1,Ben\n=CONCAT(\"a\";\"b\"),Cy\nim_1,Di\nim_2,Ed\n", truth: im(1, 2)})
	for i, content := range []string{
		rowsOf("", `"{}",`, "\n", ids), rowsOf("", `"{}",`, "\r\n", ids), rowsOf("", `"{}", `, "\n", ids),
		strings.TrimSuffix(rowsOf("", `"{}",`, "\n", ids), ",\n"),
		rowsOf("", `"{}";`, "\n", ids), rowsOf("", `    "{}",`, "\n", ids), rowsOf("", `'{}',`, "\n", ids),
		rowsOf("", `{},`, "\n", ids), rowsOf("", `{};`, "\r\n", ids),
		"[\n" + rowsOf("", `  "{}",`, "\n", ids) + "]\n", "(\n" + rowsOf("", `'{}',`, "\n", ids) + ")\n",
		rowsOf("", "- {}", "\n", ids), rowsOf("", "* {}", "\n", ids),
		rowsOf("", "{n}. {}", "\n", ids), rowsOf("", "@{}", "\n", ids), rowsOf("", "`{}`,", "\n", ids),
		rowsOf("", "“{}”,", "\n", ids), rowsOf("", "<{}>", "\n", ids),
	} {
		expect := ""
		if i < 4 && i != 2 {
			expect = "read"
		}
		s := specimen{kind: "K28", name: fmt.Sprintf("pasted-%02d.txt", i), content: content, truth: ids,
			expect: expect}
		if strings.HasPrefix(content, "@") || strings.HasPrefix(content, "<") { // these may belong to the account
			s.arguable = append(span("@im_%d", 1001, 1012), span("<im_%d>", 1001, 1012)...)
			s.truth = nil
		}
		list = append(list, s)
	}
	return list
}
