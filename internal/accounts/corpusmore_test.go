package accounts

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
)

// lateSpecimens are long files in which what is wrong stands far below what is looked at first.
func lateSpecimens(t *testing.T) (list []specimen) {
	ids, late := im(10001, 16000), im(70001, 70020)
	both := slices.Concat(ids, late)
	list8, table, cn := rowsOf("", "{}", "\n", ids), rowsOf("user_id,name", "{},{name}", "\n", ids),
		rowsOf("用户ID,昵称", "{},{姓名}", "\r\n", ids)
	add := func(kind, name, content string, truth []string) {
		list = append(list, specimen{kind: kind, name: "late-" + name, content: content, truth: truth})
	}
	add("K1", "le-behind", list8+inEncoding(t, bareLE, rowsOf("", "{}", "\n", late)), both)
	add("K1", "be-behind", list8+inEncoding(t, bareBE, rowsOf("", "{}", "\n", late)), both)
	add("K1", "le-behind-table", table+inEncoding(t, utf16LE, rowsOf("", "{},{name}", "\n", late)), both)
	add("K1", "le-in-the-middle", list8+inEncoding(t, bareLE, rowsOf("", "{}", "\n", late))+
		rowsOf("", "{}", "\n", im(20001, 26000)), slices.Concat(both, im(20001, 26000)))
	add("K30", "8-bit-behind-le", inEncoding(t, utf16LE, list8)+rowsOf("", "{}", "\n", late), both)
	add("K30", "8-bit-behind-le-table", inEncoding(t, utf16LE, cn)+rowsOf("", "{},x", "\r\n", late), both)
	add("K30", "8-bit-in-le", inEncoding(t, utf16LE, list8)+rowsOf("", "{}", "\n", late)+
		inEncoding(t, bareLE, rowsOf("", "{}", "\n", im(20001, 26000))), slices.Concat(both, im(20001, 26000)))
	add("K30", "be-behind-le", inEncoding(t, utf16LE, list8)+inEncoding(t, utf16BE, rowsOf("", "{}", "\n", late)), both)
	add("K3", "other-order", table+rowsOf("name,user_id", "{name},{}", "\n", late), both)
	add("K3", "orders", table+rowsOf("order_no,user_id", "SO{n}77,{}", "\n", late), both)
	add("K3", "orders-cn", cn+rowsOf("订单号,用户ID", "SO{n}77,{}", "\r\n", late), both)
	add("K12", "total", table+"Total,6000\n", ids)
	add("K12", "count", list8+"(6000 rows)\n", ids)
	add("K12", "titles", list8+"Refunded\n"+rowsOf("", "{}", "\n", late)+"Gold\n", both)
	add("K17", "marks", table+"10001-10020,x\nim_10**,x\n#im_10001x,y\n//im_10002x,y\n", ids)
	add("K18", "nothing", table+"NA,x\n<NA>,x\n(blank),x\nNaT,x\n[NULL],x\n", ids)
	add("K20", "shifted", table+"x,im_99999,Ann\nim_70001,Ann,\n", append(im(70001, 70001), ids...))
	add("K20", "shifted-alike", table+rowsOf("", "im_9{n},{},Ann", "\n", late), both)
	add("K20", "all-short", rowsOf("a,user_id,b", "x,{},y", "\n", ids)+rowsOf("", "im_9{n},{}", "\n", late), both)
	add("K2", "quotes", table+"im_70001,\"a\nim_70002,b\"\n", append(im(70001, 70002), ids...))
	add("K4", "exact-first", rowsOf("user_id,name", "73128456192746{count}{n}1,{name}", "\n", im(1, 0)), nil)
	list[len(list)-1].content += rowsOf("", "{}0000,Ann", "\n", span("73128%010d", 61927465, 61927480))
	add("K9", "hidden.xlsx", bookWith(t, func(f *excelize.File) {
		require.NoError(t, f.SetRowVisible("U", 2950, false))
	}, tab("U", "user_id|name", "{}|{name}", ids[:3000])), slices.Concat(ids[:2948], ids[2949:3000]))
	add("K3", "stacked.xlsx", bookOf(t, slices.Concat(tab("U", "user_id|name", "{}|{name}", ids[:3000]),
		tab("", "order|user_id", "SO{n}77|{}", late)[1:])), slices.Concat(ids[:3000], late))
	add("K7", "second-column", table+rowsOf("", "{},im_8{n}", "\n", late), both)
	return list
}

// otherSpecimens are what else people keep in text files and workbooks.
func otherSpecimens(t *testing.T) (list []specimen) {
	ids := im(1001, 1020)
	add := func(kind, name, content string, truth []string) {
		list = append(list, specimen{kind: kind, name: name, content: content, truth: truth})
	}
	titles := strings.Fields("Gold Silver Bronze Refunded Churned North South Inactive VIP Trial")
	for _, every := range []int{2, 3, 4, 7} {
		content := ""
		for i, id := range ids {
			if i%every == 0 {
				content += titles[i/every%10] + "\n"
			}
			content += id + "\n"
		}
		add("K12", fmt.Sprintf("titles-every-%d.txt", every), content, ids)
		add("K12", fmt.Sprintf("titles-every-%d-headed.txt", every), "user_id\n"+content, ids)
		add("K12", fmt.Sprintf("titles-every-%d.csv", every), "user_id,name\n"+
			strings.ReplaceAll(strings.ReplaceAll(content, "\n", ",\n"), ",\nim", "\nim"), ids)
	}
	for i, blank := range []string{"(blank)", "(空白)", "(Leer)", "(vide)", "(vuoto)", "(en blanco)", "(vazio)",
		"(пусто)", "(空白セル)"} {
		total := []string{"Grand Total", "总计", "Gesamtergebnis", "Total général", "Totale complessivo",
			"Total general", "Total Geral",
			"Общий итог", "総計"}[i]
		label := []string{"Row Labels", "行标签", "Zeilenbeschriftungen", "Étiquettes de lignes", "Etichette di riga",
			"Etiquetas de fila",
			"Rótulos de Linha", "Названия строк", "行ラベル"}[i]
		add("K12", fmt.Sprintf("pivot-%d.csv", i), rowsOf(label+",Count", "{},{n}", "\n",
			ids)+blank+",3\n"+total+",213\n", ids)
		add("K12", fmt.Sprintf("pivot-%d.xlsx", i), sheetOf(t, nil, label+"|Count", "{}|{n}", ids), ids)
	}
	members := strings.Split("member|Mitglied|membre|socio|участник|会员|會員|회원|メンバー|thành viên|สมาชิก|عضو|üye|customer|"+
		"Kunde|client|"+
		"cliente|клиент|客户|客戶|고객|お客様|khách hàng|ลูกค้า|عميل|müşteri|player|玩家|fan|follower|粉丝|buyer|买家|Käufer|"+
		"acheteur", "|")
	names := strings.Fields("alice bruno carla dmitri elena farid greta hugo ivan jana kim leo mia ned ola pia quin " +
		"rae sam tom")
	for i, member := range members { // the ids are those of three agents
		add("K6", fmt.Sprintf("agents-%02d-names.csv", i), rowsOf("user_id,"+member, "agent_{count},{}", "\n", names),
			names)
		add("K6", fmt.Sprintf("agents-%02d-ids.csv", i), rowsOf(member+",user_id", "{},agent_{count}", "\n", ids), ids)
	}
	add("K16", "transposed.csv", "user_id,"+strings.Join(ids, ",")+"\nname,"+strings.Join(names, ",")+"\n", ids)
	add("K16", "transposed-one-line.csv", "user_id,"+strings.Join(ids, ",")+"\n", ids)
	add("K16", "transposed.tsv", "user_id\t"+strings.Join(names, "\t")+"\n", names)
	add("K16", "grid.csv", strings.Join(ids[:5], ",")+"\n"+strings.Join(ids[5:10], ",")+"\n"+strings.Join(ids[10:15],
		",")+"\n"+
		strings.Join(ids[15:], ",")+"\n", ids)
	add("K16", "grid-uneven.csv", strings.Join(ids[:5], ",")+"\n"+strings.Join(ids[5:12],
		",")+"\n"+strings.Join(ids[12:], ",")+"\n", ids)
	add("K16", "names-two-lines.txt", "alice,bob\ncarol,dave\n", []string{"alice", "bob", "carol", "dave"})
	add("K14", "records.txt", rowsOf("", "user_id: {}\nname: {name}\n", "\n", ids), ids)
	add("K14", "mysql-vertical.txt", rowsOf("", "*** {n}. row ***\nuser_id: {}\n   name: {name}", "\n", ids), ids)
	add("K14", "psql-expanded.txt", rowsOf("", "-[ RECORD {n} ]\nuser_id | {}\nname    | {name}", "\n", ids), ids)
	add("K14", "records-two-columns.csv", rowsOf("", "user_id,{}\nname,{name}", "\n", ids), ids)
	add("K14", "fixed-width.txt", rowsOf("user_id   name      city", "{}   {name}       Rome", "\n", ids), ids)
	add("K14", "box.txt", "┌─────────┐\n"+rowsOf("│ user_id │", "│ {} │", "\n",
		ids)+"└─────────┘\n", ids)
	add("K13", "prose.txt", "Dear all,\n\nplease clear the tags of these users.\nThanks\n\nAnn\n", nil)
	add("K13", "todo.txt", "TODO\n[ ] ask Ben\n[x] export list\n", nil)
	add("K13", "base64.txt", wrapped(base64.StdEncoding.EncodeToString([]byte(rowsOf("", "{}", "\n", ids))), 76), nil)
	add("K13", "base64-64.txt", wrapped(base64.StdEncoding.EncodeToString([]byte(rowsOf("", "{}", "\n", ids))), 64),
		nil)
	add("K13", "uuencode.txt", "begin 644 users.csv\nM"+strings.Repeat("<'5T=&5R", 7)+"\n#:6T*\n`\nend\n", nil)
	add("K13", "hexdump.txt", rowsOf("", "0000{n}0: 6964 6d5f 3130 3031 0a69 6d5f  {}", "\n", ids), nil)
	add("K13", "stack-trace.txt", "Exception in thread \"main\" java.lang.Error\n\tat a.b.C(C.java:1)\n\tat a.b.D(D.java:2)\n", nil)
	add("K13", "robots.txt", "User-agent: *\nDisallow: /x\n", nil)
	add("K13", "csv-in-mail.txt", "> user_id,name\n"+rowsOf("", "> {},{name}", "\n", ids), ids)
	add("K2", "list-pair.txt", rowsOf("", "{}", "\n", ids[:9])+"\""+ids[9]+"\n"+ids[10]+"\"\n"+rowsOf("", "{}", "\n", ids[11:]), ids)
	add("K2", "list-pair-far.txt", rowsOf("", "{}", "\n", ids[:5])+"\""+ids[5]+"\n"+rowsOf("", "{}", "\n", ids[6:15])+ids[15]+"\"\n"+
		rowsOf("", "{}", "\n", ids[16:]), ids)
	add("K2", "backslash.csv", with(rowsOf("name,user_id", `"{name}",{}`, "\n", ids[1:]), 5, `"Big \"Ann\", Lee",`+ids[0]), ids)
	add("K29", "two-headers.xlsx", sheetOf(t, [][]any{{"用户", nil, "订单"}}, "ID|姓名|单号", "{}|{姓名}|SO{n}77", ids), ids)
	add("K29", "two-headers-order-first.xlsx", sheetOf(t, [][]any{{"订单", nil, "用户"}}, "ID|金额|ID", "SO{n}77|9|{}", ids), ids)
	add("K29", "two-headers.csv", "Order,,User,\n"+rowsOf("id,date,id,name", "SO{n}77,{day},{},{name}", "\n", ids), ids)
	return list
}

func wrapped(text string, width int) (lines string) {
	for len(text) > width {
		lines += text[:width] + "\n"
		text = text[width:]
	}
	return lines + text + "\n"
}
