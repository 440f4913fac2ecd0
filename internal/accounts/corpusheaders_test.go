package accounts

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// misplacedSpecimens have a header with a cell more or less than the rows, so that names and cells do not meet.
func misplacedSpecimens(t *testing.T) (list []specimen) {
	ids, numbers, names := im(1001, 1016), span("%d", 83120455, 83120470),
		strings.Fields("alice bruno carla dmitri elena farid greta hugo "+
			"ivan jana kim leo mia ned ola pia")
	for i, truth := range [][]string{ids, numbers, names} {
		for j, form := range []struct{ header, row string }{
			{"user_id,name,", "{n},{},{name}"}, {"user_id,name", "{n},{},{name}"}, {",user_id,name", "{},{name}"},
			{"user_id,name,city,", "{n},{},{name},Rome"}, {"name,user_id,", "{n},{name},{}"},
			{",name,user_id", "{name},{}"},
			{"no,user_id,name", "{},{name}"}, {"user_id,name,,", "x,{},{name},"},
			{"name,user_id", "{name},,{}"}, {",,user_id,name", "{},{name}"}, {"user_id;name;", "{n};{};{name}"},
			{"user_id\tname\t", "{n}\t{}\t{name}"},
			{"用户ID,昵称,", "{n},{},{姓名}"}, {",用户ID,昵称", "{},{name}"}, {"#user_id,name", "{},{name}"},
			{"user_id,,name", "{n},{},{name}"},
		} {
			list = append(list, specimen{kind: "K5", name: fmt.Sprintf("misplaced-%d-%02d.csv", i, j), truth: truth,
				content: rowsOf(form.header, form.row, "\n", truth)})
			if !strings.ContainsAny(form.header, ";\t") && form.header != "no,user_id,name" {
				list = append(list, specimen{kind: "K5", name: fmt.Sprintf("misplaced-%d-%02d.xlsx", i, j),
					truth: truth,
					content: sheetOf(t, nil, strings.ReplaceAll(form.header, ",", "|"),
						strings.ReplaceAll(form.row, ",", "|"), truth)})
			}
		}
	}
	return list
}

// sortedSpecimens are tables that were sorted with their header.
func sortedSpecimens(t *testing.T) (list []specimen) {
	for i, form := range []struct{ header, row string }{
		{"user_id,name", "{},{name}"}, {"name,user_id", "{name},{}"}, {"member", "{}"}, {"user_id", "{}"},
		{"ID;Name", "{};{name}"},
		{"order,user_id", "SO{n}77,{}"}, {"用户ID,昵称", "{},{姓名}"},
	} {
		for _, n := range []int{12, 5000} {
			truth := im(10001, 10000+n)
			lines := strings.Split(strings.TrimSpace(rowsOf(form.header, form.row, "\n", truth)), "\n")
			slices.Sort(lines)
			add := func(name, content string) {
				list = append(list, specimen{kind: "K29", name: fmt.Sprintf("sorted-%d-%d%s", i, n, name),
					truth: truth, content: content})
			}
			add(".csv", strings.Join(lines, "\n")+"\n")
			slices.Reverse(lines)
			add("-back.csv", strings.Join(lines, "\n")+"\n")
			add("-middle.csv", with(rowsOf("", form.row, "\n", truth), n/2, form.header))
			add("-last.csv", rowsOf("", form.row, "\n", truth)+form.header+"\n")
			if n == 12 {
				add("-last.xlsx", bookFrom(t, rowsOf("", form.row, "\n", truth)+form.header, ","))
			}
		}
	}
	return list
}

// convertedSpecimens have what a spreadsheet makes of accounts that look like dates, times, numbers or truth.
func convertedSpecimens(*testing.T) (list []specimen) {
	for i, value := range []string{
		"1-Mar", "01-Mar", "Mar-01", "Mar-26", "1-Sep-26", "2026/3/1", "2026-03-01", "3/1/2026", "01.03.2026",
		"2026年3月1日", "3月1日", "1. Mrz", "1-mars",
		"12:30", "12:30:00", "0:30:00", "2026-03-01 00:00:00", "3/1/2026 0:00", "1900/1/5", "TRUE", "FALSE", "WAHR",
		"VRAI", "1E+05", "1.00E+05", "1,00E+05",
		"1E5", "2.5E+17", "########", "#NAME?", "#VALUE!", "1001.0", "1.001", "100%", "$5.00", "5 €", "1/2", "(5)",
	} {
		s := specimen{kind: "K19", name: fmt.Sprintf("converted-%02d.csv", i), truth: mixedNames}
		if value == "1E5" || value == "1.001" || value == "100%" || value == "1/2" || value == "1-mars" {
			s.arguable = []string{value}
		}
		cell := value
		if strings.Contains(value, ",") {
			cell = `"` + value + `"`
		}
		s.content = with(rowsOf("user_id,city", "{},Rome", "\n", mixedNames), places[i%3].after, cell+",Oslo")
		list = append(list, s)
	}
	return list
}
