package accounts

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// pollutedSpecimens are one table, each time with one thing wrong in one place of its header or rows: a separator
// too many or too few, a quote, another separator. No other column can hold accounts, so nothing else is asked.
func pollutedSpecimens(*testing.T) (list []specimen) {
	truth := im(1001, 1020)
	for _, account := range []int{0, 3, 8} {
		for _, comments := range []string{"", "ok"} {
			var table [][]string
			for i := range 21 {
				cells := []string{"DATE", "TIME", "Qty", "Price", "ProductType", "Description", "URL", "Comments"}
				id := "user_id"
				if i > 0 {
					id = truth[i-1]
					cells = strings.Split(filled("{day}|10:0{count}|{count}|1{count}.50|Type {count}|\"Bag, {n} "+
						"inch\"|https://example.com/{n}|",
						"", i), "|")
					if i%7 == 3 {
						cells[7] = comments
					}
				}
				table = append(table, slices.Insert(cells, account, id))
			}
			for _, row := range []int{0, 1, 2, 10, 19, 20} {
				for cell := range 9 {
					add := func(name string, cells []string, meant bool) {
						rows := make([]string, 0, len(table))
						for i, line := range table {
							if i == row {
								line = cells
							}
							rows = append(rows, strings.Join(line, ","))
						}
						s := specimen{kind: "K20", name: fmt.Sprintf("%s-row%d-cell%d-account%d-%s.csv", name, row,
							cell, account, comments),
							content: strings.Join(rows, "\n") + "\n", truth: truth}
						if !meant { // it has grown together with its neighbour
							s.truth = slices.DeleteFunc(slices.Clone(truth),
								func(id string) bool { return row > 0 && id == truth[row-1] })
						}
						if name == "quote-mid" || name == "quote-begin" || name == "quote-end" {
							s.kind = "K2"
						}
						list = append(list, s)
					}
					line := table[row]
					replaced := func(cell int, text string) []string {
						changed := slices.Clone(line)
						changed[cell] = text
						return changed
					}
					add("more", slices.Insert(slices.Clone(line), cell, ""), true)
					if cell > 0 {
						joined := line[cell-1] + line[cell]
						whole := cell != account && cell-1 != account || joined == line[account]
						add("less", slices.Concat(line[:cell-1], []string{joined}, line[cell+1:]), whole)
						add("semicolon", slices.Concat(line[:cell-1], []string{line[cell-1] + ";" + line[cell]},
							line[cell+1:]), true)
					}
					add("quote-begin", replaced(cell, `"`+line[cell]), true)
					add("quote-end", replaced(cell, line[cell]+`"`), true)
					if len(line[cell]) > 2 {
						add("quote-mid", replaced(cell, line[cell][:2]+`"`+line[cell][2:]), cell != account)
					}
				}
			}
		}
	}
	return list
}
