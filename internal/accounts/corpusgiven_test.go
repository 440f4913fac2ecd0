package accounts

import (
	"strings"
	"testing"
)

// givenSpecimens are two files of each kind of fault that public reports of bugs led to.
func givenSpecimens(*testing.T) []specimen {
	kunde := span("kunde_%d", 1001, 1020)
	auth0 := strings.Fields(`auth0|cfcd208495d565ef66e7dff9 auth0|c4ca4238a0b923820dcc509a auth0|c81e728d9d4c2f636f067f89
		auth0|eccbc87e4b5ce2fe28308fd9 auth0|a87ff679a2f3e71d9181a67b auth0|e4da3b7fbbce2345d7772b06
		auth0|1679091c5a880faf6fb5e608 auth0|8f14e45fceea167a5a36dedd auth0|c9f0f895fb98ab9159f51fd0
		auth0|45c48cce2e2d7fbdea1afc51 auth0|d3d9446802a44259755d38e6 auth0|6512bd43d9caa6e02c990b0a`)
	var tenants []string
	for i, id := range im(1001, 1012) {
		tenants = append(tenants, span("shop%d", 1, 12)[i]+";"+id)
	}
	return []specimen{
		{kind: "K1", name: "enc-ascii-utf16-appended.csv", truth: append(im(1001, 1012), im(1101, 1112)...),
			expect: "refused or aside"},
		{kind: "K1", name: "mix-append-2.txt", truth: append(im(1001, 1012), im(1101, 1102)...),
			expect: "refused or aside"},
		{kind: "K2", name: "st-quote-spans-two-rows.csv", truth: im(1001, 1003)},
		{kind: "K2", name: "q-two-rows-account-middle.csv", truth: im(1001, 1027)},
		{kind: "K3", name: "xl-stacked-tables.xlsx", truth: append(im(1001, 1003), im(2001, 2003)...)},
		{kind: "K3", name: "join-order-changed-4.csv", truth: append(im(1001, 1012), im(21, 28)...)},
		{kind: "K4", name: "num-excel-rounded-15-digits.csv", expect: "asked: rounded or aside or refused"},
		{kind: "K4", name: "num-js-rounded-2-53.csv", expect: "asked: rounded or aside or refused"},
		{kind: "K5", name: "col-german-header.csv", truth: kunde},
		{kind: "K5", name: "col-russian-header.csv", truth: im(1001, 1020)},
		{kind: "K6", name: "col-bank-account-cn.csv", truth: im(1001, 1020)},
		{kind: "K6", name: "id-inviter-en.csv", truth: im(1001, 1008)},
		{kind: "K7", name: "col-duplicate-header-names.csv", truth: im(1001, 1020), expect: "asked: column or refused"},
		{kind: "K7", name: "xl-side-by-side.xlsx", truth: append(im(1001, 1003), im(2001, 2003)...),
			expect: "asked: column or refused"},
		{kind: "K8", name: "xl-second-sheet-has-rows.xlsx", truth: append(im(1001, 1003), im(1011, 1013)...),
			expect: "asked: sheet"},
		{kind: "K8", name: "xl-active-tab-second.xlsx", truth: im(1001, 1003), expect: "asked: sheet"},
		{kind: "K9", name: "xl-filtered-rows.xlsx", truth: []string{"im_1001", "im_1003"}, expect: "asked: hidden"},
		{kind: "K9", name: "xl-hidden-rows-many.xlsx", truth: im(1001, 1020), expect: "asked: hidden"},
		{kind: "K10", name: "xl-openpyxl-x-escape.xlsx", truth: []string{"map_x0050_y0020", "srv_x0041_7", "im_1001"}},
		{kind: "K11", name: "col-german-only-header-accepted.csv", truth: kunde},
		{kind: "K11", name: "first-row-swallowed-as-header.csv",
			truth: strings.Fields("alice bob_1 carol_2 dave_3 erin_4 frank_5 " +
				"gina_6 hans_7 ida_8 jon_9 kim_10")},
		{kind: "K12", name: "col-qualtrics.csv", truth: im(1001, 1009)},
		{kind: "K12", name: "st-section-titles.txt", truth: im(1001, 1006)},
		{kind: "K13", name: "fmt-json-numbers.json", truth: span("%d", 10001, 10003), expect: "refused or read"},
		{kind: "K13", name: "fmt-eml.eml", truth: im(1001, 1002)},
		{kind: "K14", name: "fmt-ini.ini", truth: im(1001, 1002), expect: "refused or aside"},
		{kind: "K14", name: "fmt-tilde-separated.txt", truth: im(1001, 1002)},
		{kind: "K15", name: "id-auth0-list.txt", truth: auth0},
		{kind: "K15", name: "id-tenant-semicolon-list.txt", truth: tenants},
		{kind: "K16", name: "st-one-line-mixed-names.txt", truth: []string{"alice", "bob", "carol", "dave"}},
		{kind: "K16", name: "st-one-line-mixed-ids.txt", truth: []string{"im_1001", "bob", "7788990", "carol_x"}},
		{kind: "K17", name: "st-comment-hash.csv", truth: im(1002, 1002), expect: "aside: commented"},
		{kind: "K17", name: "cell-range.csv", truth: []string{"10070"}, expect: "aside: range"},
		{kind: "K18", name: "novalue-words.csv", truth: im(1001, 1009), expect: "aside: no_value"},
		{kind: "K19", name: "num-thousands-dot.csv", expect: "aside"},
		{kind: "K19", name: "num-negative.csv", truth: []string{"100200301"},
			arguable: []string{"-100200300", "(100200302)"}},
		{kind: "K20", name: "st-excel-missing-delimiters.csv", truth: im(1001, 1064), expect: "read"},
		{kind: "K20", name: "st-excel-missing-delimiters-outlook.csv", truth: im(1001, 1010)},
		{kind: "K21", name: "zip-appledouble-outside.zip", truth: im(1001, 1003), expect: "read"},
		{kind: "K21", name: "zip-macosx-in-folder.zip", truth: im(1001, 1003), expect: "read"},
		{kind: "K22", name: "xl-backslash-parts.xlsx", truth: im(1001, 1003), expect: "read"},
		{kind: "K23", name: "xl-utf16-parts.xlsx", truth: im(1001, 1003), expect: "read"},
		{kind: "K23", name: "xl-gbk-declared.xlsx", truth: im(1001, 1003), expect: "read"},
		{kind: "K24", name: "zip-password-xlsx-inside.zip", truth: im(1001, 1003), expect: "refused: file.encrypted"},
		{kind: "K24", name: "xls-zip-password-inside.zip", truth: im(1001, 1003), expect: "refused: file.encrypted"},
		{kind: "K25", name: "xl-first-header-only.xlsx", truth: im(1001, 1003), expect: "read"},
		{kind: "K26", name: "xl-120-columns.xlsx", truth: im(1001, 1003), expect: "read"},
		{kind: "K26", name: "cols-96-with-reject.csv", truth: im(1001, 1003), arguable: []string{" im_1009"},
			expect: "asked: several_values"},
		{kind: "K27", name: "st-excel-text-formula.csv", truth: []string{"00123", "00124"}, expect: "read"},
		{kind: "K28", name: "st-quoted-list.txt", truth: im(1001, 1003), expect: "read"},
		{kind: "K29", name: "title-0-xlsx.xlsx", truth: im(1001, 1008)},
		{kind: "K29", name: "title-5-xlsx.xlsx", truth: im(1001, 1008)},
		{kind: "K30", name: "inv-nul-terminated.txt", truth: im(1001, 1003)},
		{kind: "K30", name: "mix-utf16-then-ascii.txt", truth: append(im(1001, 1040), im(1101, 1140)...),
			expect: "refused or aside"},
		{kind: "K31", name: "xls-superscript-footnote.xlsx", truth: im(1001, 1001), expect: "read or aside"},
		{kind: "K32", name: "title-key-values.csv", truth: im(1001, 1008)},
		{kind: "K32", name: "title-key-values-operator.xlsx", truth: im(1001, 1008)},
	}
}
