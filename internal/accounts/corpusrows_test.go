package accounts

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// with puts lines into a text after so many of its lines; -1 is the end.
func with(text string, after int, lines ...string) string {
	all := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if after < 0 {
		after = len(all)
	}
	return strings.Join(slices.Insert(all, after, lines...), "\n") + "\n"
}

// places are the beginning, the middle and the end of a list of rows.
var places = []struct {
	name  string
	after int
}{{"first", 1}, {"middle", 9}, {"last", -1}}

// quoteSpecimens have two stray quotes that pair up over two rows or more.
func quoteSpecimens(*testing.T) (list []specimen) {
	truth := im(1001, 1024)
	for _, form := range []struct{ name, header, row, open, close string }{
		{"note-last", "user_id,note", "{},x", `{},"6 inch`, `{},9"`},
		{"nick-first", "nick,user_id,city", "{name},{},Rome", `"Big {name},{},Rome`, `Boss",{},Rome`},
		{"semicolon", "Nick;Benutzer-ID;Ort", "{name};{};Bonn", `"Der {name};{};Bonn`, `Chef";{};Bonn`},
		{"tab", "user_id\tnote\tday", "{}\tx\t{day}", "{}\t\"a\t{day}", "{}\tb\"\t{day}"},
		{"account-last", "note,user_id", "x,{}", `"x,{}`, `y",{}`},
		{"three-columns", "a,user_id,b", "x,{},y", `x,{},"y`, `x",{},y`},
	} {
		for _, gap := range []int{0, 1, 5} {
			for _, at := range []int{0, 10, 17} {
				content := form.header + "\n"
				for i, id := range truth {
					switch i {
					case at:
						content += filled(form.open, id, i) + "\n"
					case at + 1 + gap:
						content += filled(form.close, id, i) + "\n"
					default:
						content += filled(form.row, id, i) + "\n"
					}
				}
				list = append(list, specimen{kind: "K2", name: fmt.Sprintf("%s-gap%d-at%d", form.name, gap, at),
					content: content, truth: truth})
			}
		}
	}
	return list
}

// stackedSpecimens have a second table below the first.
func stackedSpecimens(t *testing.T) (list []specimen) {
	first, second := im(1001, 1014), im(21, 29)
	both := append(append([]string(nil), first...), second...)
	for i, form := range []struct{ header, row, below, belowRow string }{
		{"user_id,name", "{},{name}", "name,user_id", "{name},{}"},
		{"user_id,name", "{},{name}", "order_no,user_id", "SO{n}77,{}"},
		{"user_id,name", "{},{name}", "Order,User,Total", "SO{n}77,{},9"},
		{"用户ID,昵称", "{},{姓名}", "订单号,用户ID", "SO{n}77,{}"},
		{"用户ID,昵称,城市", "{},{姓名},深圳", "群ID,用户ID", "g_{n},{}"},
		{"name,user_id", "{name},{}", "user_id,name", "{},{name}"},
		{"user_id;Name", "{};{name}", "Rechnung;user_id", "R-{n}12;{}"},
		{"user_id\tname", "{}\t{name}", "group\tuser_id", "g{n}\t{}"},
		{"user_id,name", "{},{name}", "device,user_id,os", "d_{n}9,{},ios"},
		{"user_id,score", "{},{n}", "score,user_id", "{n}0001,{}"},
		{"user_id,code", "{},c_{n}", "code,user_id", "im_77{n},{}"}, // alike
		{"user_id", "{}", "group_id", "-"},
		{"user_id", "{}", "order_id", "-"},
		{"会员ID,手机", "{},{phone}", "手机,会员ID", "{phone},{}"},
	} {
		for _, gap := range []string{"", "\n", "\n\nOrders\n"} {
			truth, below := both, rowsOf(form.below, form.belowRow, "\n", second)
			if form.belowRow == "-" {
				truth, below = first, rowsOf(form.below, "g_{n}", "\n", second)
			}
			list = append(list, specimen{kind: "K3", name: fmt.Sprintf("stacked-%02d-%d", i+1, len(gap)), truth: truth,
				content: rowsOf(form.header, form.row, "\n", first) + gap + below})
		}
	}
	long := im(1, 3000) // the second table begins beyond the sample
	list = append(list, specimen{kind: "K3", name: "far-below.csv", truth: append(long, second...),
		content: rowsOf("user_id,name", "{},{name}", "\n", long) + rowsOf("order_no,user_id", "SO{n}77,{}", "\n",
			second)})
	book := [][]any{{"user_id", "name"}}
	for _, id := range first {
		book = append(book, []any{id, "Ann"})
	}
	return append(list, specimen{kind: "K3", name: "stacked-cn.xlsx", truth: both,
		content: sheetOf(t, append(book, []any{}, []any{"订单"}), "订单号|用户ID|金额", "SO{n}77|{}|9.9", second)})
}

// roundedSpecimens are long numbers that a program has rounded.
func roundedSpecimens(t *testing.T) (list []specimen) {
	excel, script, e17, mixed := "", "", "", ""
	for i := range 15 {
		exact := 7312845619274650112 + int64(i)*104729*98765
		excel += fmt.Sprintf("%d0000,Ann\n", exact/10000)
		script += fmt.Sprintf("%d00,Ann\n", int64(float64(exact/100)))
		e17 += fmt.Sprintf("%d00,Ann\n", 73128456192746501+int64(i)*7919)
		mixed += fmt.Sprintf("%d0000,Ann\n", exact/10000)
	}
	add := func(name, content string, truth ...string) {
		list = append(list, specimen{kind: "K4", name: name, content: content, truth: truth,
			expect: "asked: rounded or aside or refused"})
	}
	add("excel-userid.csv", "UserID,Name\n"+excel)
	add("excel-no-header.txt", strings.ReplaceAll(excel, ",Ann", ""))
	add("excel-cn.csv", "用户ID,昵称\n"+strings.ReplaceAll(excel, "Ann", "张三"))
	add("excel-semicolon.csv", "Name;user_id\nAnn;"+strings.TrimSuffix(strings.ReplaceAll(excel, ",Ann\n", "\nAnn;"),
		"Ann;"))
	add("script.csv", "user_id,name\n"+script)
	add("script-no-header.txt", strings.ReplaceAll(script, ",Ann", ""))
	add("nineteen.csv", "user_id,name\n"+e17)
	list = append(list,
		specimen{kind: "K4", name: "a-few-exact.csv", content: "user_id,name\n" + mixed + "7312845619274650113,Ben\n",
			truth: []string{"7312845619274650113"}, expect: "asked: rounded or aside or refused"},
		specimen{kind: "K4", name: "exact.csv", content: "user_id,name\n7312845619274650113,A\n7312845619274650127,B\n7312845619274651100,C\n" +
			"7312845619274652219,D\n7312845619274658841,E\n", expect: "read",
			truth: strings.Fields("7312845619274650113 7312845619274650127 7312845619274651100 7312845619274652219 " +
				"7312845619274658841")},
		specimen{kind: "K4", name: "text-cells.xlsx", expect: "asked: rounded or aside or refused",
			content: sheetOf(t, nil, "user_id|name", "{}0000|{name}", span("%d", 731284561927465, 731284561927479))})
	return list
}

// sharedSpecimens say what several accounts in one line look like.
func sharedSpecimens(*testing.T) (list []specimen) {
	add := func(name, content string, truth []string) {
		list = append(list, specimen{kind: "K16", name: name, content: content, truth: truth})
	}
	names, mixed := strings.Fields("alice bob carol dave erin frank"), strings.Fields("im_1001 bob 7788990 carol_x d-4")
	for i, sep := range []string{",", ", ", ";", "; ", "|", " | ", "\t", " ", "、", "，", " / ", " and ", "  ", ":"} {
		add(fmt.Sprintf("names-%02d", i), strings.Join(names, sep), names)
		add(fmt.Sprintf("mixed-%02d", i), strings.Join(mixed, sep)+"\n", mixed)
		add(fmt.Sprintf("many-%02d", i), strings.Join(im(1, 400), sep)+"\r\n", im(1, 400))
		add(fmt.Sprintf("two-lines-%02d", i), strings.Join(names, sep)+"\n"+strings.Join(mixed, sep)+"\n",
			append(mixed, names...))
		add(fmt.Sprintf("headed-%02d", i), "user_id\n"+strings.Join(mixed, sep)+"\n", mixed)
	}
	add("quoted", `"`+strings.Join(names, `", "`)+`"`, names)
	add("single-quoted", "('"+strings.Join(names, "', '")+"')", names)
	add("brackets", "["+strings.Join(mixed, ", ")+"]", mixed)
	add("labelled", "Users: "+strings.Join(names, ", ")+"\n", names)
	return list
}

// shiftedSpecimens have a row with one separator too many or too few, at every place of tables whose
// other columns could hold accounts.
func shiftedSpecimens(*testing.T) (list []specimen) {
	truth := im(1001, 1020)
	for account := range 5 {
		for cell := range 6 {
			for _, lastEmpty := range []bool{false, true} {
				for _, fewer := range []bool{false, true} {
					row := 1 + (account*31+cell*7)%20
					header := []string{"order_no", "sku", "code", "ref", "memo"}
					header[account] = "user_id"
					content := strings.Join(header, ",") + "\n"
					for i, id := range truth {
						cells := []string{fmt.Sprint("SO9", i), fmt.Sprint("sku_", i), fmt.Sprint("c", i, "x"),
							fmt.Sprint("im_77", i), fmt.Sprint("m", i)}
						cells[account] = id
						if lastEmpty && account < 4 {
							cells[4] = ""
						}
						switch {
						case i+1 != row:
						case fewer && cell > 0 && cell < 5: // a separator is missing between two cells
							cells = slices.Concat(cells[:cell-1], []string{cells[cell-1] + cells[cell]}, cells[cell+1:])
						case !fewer:
							cells = slices.Insert(cells, cell, "")
						}
						content += strings.Join(cells, ",") + "\n"
					}
					expect := truth
					if fewer && cell > 0 && cell < 5 && (account == cell || account == cell-1 && (cell < 4 || !lastEmpty)) {
						expect = slices.DeleteFunc(slices.Clone(truth),
							func(id string) bool { return id == truth[row-1] }) // grown together
					}
					list = append(list, specimen{kind: "K20", name: fmt.Sprintf("account%d-cell%d-empty%t-fewer%t",
						account, cell, lastEmpty, fewer),
						content: content, truth: expect, said: Choices{Separator: ",", Header: Yes, Column: account + 1}})
				}
			}
		}
	}
	drop := rowsOf("user_id;Name;Telefon;Fax", "{};{name};{phone};", "\r\n", truth[:9]) +
		rowsOf("", "{};{name};{phone}", "\r\n", truth[9:])
	tabs := rowsOf("用户ID\t昵称\t备注\t标签", "{}\t{姓名}\t\t", "\n", truth[:16]) + rowsOf("", "{}\t{姓名}", "\n", truth[16:])
	return append(list,
		specimen{kind: "K20", name: "excel-drops-semicolons.csv", content: drop, truth: truth, expect: "read"},
		specimen{kind: "K20", name: "excel-drops-two.tsv", content: tabs, truth: truth, expect: "read"},
		specimen{kind: "K20", name: "shifted-and-dropped.csv", truth: truth, // a cell too many, and the empty last one dropped
			content: with(rowsOf("order,user_id,city,fax", "SO{n}9,{},Rome,", "\n", truth[1:]), 12,
				"x,SO77,"+truth[0]+",Rome")},
		specimen{kind: "K20", name: "every-row-shifted.csv", content: rowsOf("user_id,name", "im_90{n},{},x", "\n",
			truth), truth: truth},
		specimen{kind: "K20", name: "comma-in-name.csv", truth: truth,
			content: with(rowsOf("name,user_id,city", "{name},{},Rome", "\n", truth[1:]), 5,
				"Lee, Ann,"+truth[0]+",Rome")},
		specimen{kind: "K20", name: "comma-in-first-name.csv", truth: truth,
			content: with(rowsOf("name,user_id", "{name},{}", "\n", truth[1:]), 5, "Lee, im_5,"+truth[0])})
}
