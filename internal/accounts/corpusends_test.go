package accounts

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
)

var unlikeNames = strings.Fields("alice bob_1 carol.x dave77 eve-2 frank G_harry irene9 jo kate.m leo_v mary01 nils olaf_88 pia.z")

// endSpecimens have words among names of which none is like the other: nothing but
// the word itself tells that it is no account.
func endSpecimens(*testing.T) (list []specimen) {
	add := func(kind, name, content string, truth []string) {
		list = append(list, specimen{kind: kind, name: name, content: content, truth: truth, expect: "asked"})
	}
	column, table := "user_id\n"+strings.Join(unlikeNames, "\n")+"\n", rowsOf("user_id,orders", "{},{n}", "\n", unlikeNames)
	for i, word := range strings.Fields("Total Subtotal Summe Gesamt Somme Totale Suma Razem Itogo EOF END Ende Fin Thanks Danke " +
		"Regards Killed Terminated string varchar required example_user Total: Keep: Remove keep Agents") {
		add("K12", fmt.Sprintf("end-%02d.txt", i), column+word+"\n", unlikeNames)
		add("K12", fmt.Sprintf("end-%02d.csv", i), table+word+",190\n", unlikeNames)
		add("K12", fmt.Sprintf("begin-%02d.csv", i), with(table, 1, word+",text"), unlikeNames)
		add("K12", fmt.Sprintf("lone-%02d.csv", i), with(table, 9, word+","), unlikeNames)
	}
	for i, total := range []string{"合计", "总计", "Итого", "Gesamtbetrag €", "総計"} { // no account can be this
		list = append(list, specimen{kind: "K12", name: fmt.Sprintf("end-beyond-ascii-%d.csv", i), content: table + total + ",190\n",
			truth: unlikeNames, expect: "aside: bad_character"})
	}
	for i, title := range []string{"Excluded:", "Keep these", "Agents", "Do not touch:", "保留", "Оставить", "-----"} {
		for name, rows := range map[string]string{"ids": rowsOf("user_id,name", "{},{name}", "\n", im(1001, 1015)), "names": table} {
			truth := unlikeNames
			if name == "ids" {
				truth = im(1001, 1015)
			}
			if name == "names" && i > 3 {
				continue
			}
			add("K12", fmt.Sprintf("section-%d-%s.csv", i, name), rows+title+",\nim_9001,Bob\nzoe,Rob\n", truth)
			add("K12", fmt.Sprintf("section-%d-%s-gap.csv", i, name), rows+"\n"+title+"\nim_9001,Bob\nzoe,Rob\n", truth)
		}
	}
	for i, open := range []string{"/*", "<!--", "/* left out", "<!-- im_1 -->\n<!--", "/* im_1 */\n/**"} {
		end := []string{"*/", "-->", "these */", "-->", "**/"}[i]
		for name, rows := range map[string]string{"list": rowsOf("", "{}", "\n", im(1001, 1015)), "names": column, "table": table} {
			truth := unlikeNames
			if name == "list" {
				truth = im(1001, 1015)
			}
			inside := "im_9001\nzoe\nim_9003\n"
			if name == "table" {
				inside = "im_9001,1\nzoe,1\nim_9003,1\n"
			}
			add("K17", fmt.Sprintf("block-%d-%s", i, name), with(rows, 9, open+"\n"+inside+end), truth)
		}
	}
	return list
}

// affixSpecimens have signs at or in accounts that are no part of them.
func affixSpecimens(*testing.T) (list []specimen) {
	ids := im(1001, 1015)
	for i, form := range []string{"@{}", "<{}>", "[{}]", "({})", "-{}", "{}.", "{}!", "b'{}'", "u'{}'", "{}>x", "${}", "{{}}"} {
		list = append(list, specimen{kind: "K14", name: fmt.Sprintf("affix-%02d.txt", i), truth: ids,
			content: rowsOf("", form, "\n", ids), expect: "asked: unlike or asked: several_values"})
	}
	for i, mask := range []string{"im_40XX", "im_4%", "im_4*", "im_40--", "im_40xxx", "im_4?", "xxxx1234", "138xxxx1234",
		"im_[0-9]+", "im_40.."} {
		list = append(list, specimen{kind: "K17", name: fmt.Sprintf("mask-%02d.txt", i), truth: ids,
			content: with(rowsOf("", "{}", "\n", ids), 7, mask), expect: "asked or aside: masked"},
			specimen{kind: "K17", name: fmt.Sprintf("mask-%02d-names.csv", i), truth: unlikeNames,
				content: with(rowsOf("user_id,n", "{},{n}", "\n", unlikeNames), 7, mask+",1"), expect: "asked or aside: masked"})
	}
	return list
}

// paddedSpecimens have spaces around the accounts, as columns of a fixed width have.
func paddedSpecimens(t *testing.T) (list []specimen) {
	ids := im(1001, 1015)
	return []specimen{
		{kind: "K28", name: "padded.csv", truth: ids, content: rowsOf("user_id,name", "{}   ,{name}", "\n", ids), expect: "read"},
		{kind: "K28", name: "padded.xlsx", truth: ids, content: sheetOf(t, nil, "user_id|name", "{}   |{name}", ids), expect: "read"},
		{kind: "K28", name: "aligned.txt", truth: ids, content: rowsOf(" user_id | name ", " {} | {name}  ", "\n", ids), expect: "read"},
		{kind: "K28", name: "indented.xlsx", truth: ids, content: sheetOf(t, nil, "user_id|name", "  {}|{name}", ids), expect: "read"},
		{kind: "K20", name: "comma-in-name.csv", truth: unlikeNames, content: rowsOf("name,user_id,city", "Lee, {name},{}", "\n", unlikeNames),
			expect: "asked"},
	}
}

// struckSpecimens are workbooks in which people crossed out whom they do not mean.
func struckSpecimens(t *testing.T) (list []specimen) {
	ids := im(1001, 1015)
	for name, cells := range map[string][2]string{"row": {"A4", "B4"}, "account": {"A4", "A4"}, "beside": {"B4", "B4"}} {
		list = append(list, specimen{kind: "K9", name: "struck-" + name + ".xlsx", truth: append(im(1001, 1002), im(1004, 1015)...),
			expect: "asked: hidden", content: bookWith(t, func(f *excelize.File) {
				style, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Strike: true}})
				require.NoError(t, err)
				require.NoError(t, f.SetCellStyle("U", cells[0], cells[1], style))
			}, tab("U", "user_id|name", "{}|{name}", ids))})
	}
	return list
}

// A column whose values repeat, or that only numbers the rows, is not suggested
// beside one of distinct accounts; nor is one that nobody sees.
func TestColumnOfDistinctIsSuggested(t *testing.T) {
	ids := im(1001, 1015)
	for name, content := range map[string]string{
		"agents":    rowsOf("user_id,target", "agent_{count},{}", "\n", ids),
		"agents, 2": rowsOf("uid,uid_target", "op_{count},{}", "\n", ids),
		"row keys":  rowsOf("user_id,handle", "{n},{}", "\n", ids),
		"orders":    rowsOf("주문번호,회원아이디", "88{n}1203,{}", "\n", ids),
		"hidden": bookWith(t, func(f *excelize.File) { require.NoError(t, f.SetColVisible("U", "A", false)) },
			tab("U", "user_id|member", "im_7{n}00|{}", ids)),
	} {
		f := specimen{content: content}.read(t, Choices{})
		require.NotEmpty(t, f.asked, name)
		for _, q := range f.asked {
			if q.Name == AskColumn {
				require.Equal(t, "2", q.Suggested, name)
			}
		}
		require.Equal(t, 1, f.inner.Column, name)
	}
}

// Of two tables with separators of their own, the first is suggested.
func TestFirstOfJoinedTablesIsSuggested(t *testing.T) {
	first, second := im(1001, 1010), im(2001, 2010)
	for _, separator := range []string{"\t", ";", "|"} {
		content := rowsOf("user_id,name", "{},{name}", "\n", first) + rowsOf("name"+separator+"user_id", "{name}"+separator+"{}", "\n", second)
		f := specimen{content: content}.read(t, Choices{})
		require.Equal(t, AskSeparator, f.asked[0].Name)
		require.Equal(t, first, f.accepted())
	}
}

// A formula whose value was not stored is not an empty cell.
func TestFormulaWithoutValueIsShown(t *testing.T) {
	f := specimen{content: bookWith(t, func(f *excelize.File) {
		require.NoError(t, f.SetCellFormula("U", "A5", `B5&"x"`))
		require.NoError(t, f.SetCellStr("U", "B5", "Dan"))
	}, tab("U", "user_id|name", "{}|{name}", im(1001, 1003)))}.read(t, Choices{})
	require.Equal(t, Formula, f.rows[3].Reason)
	require.Equal(t, `=B5&"x"`, f.rows[3].Value)
}
