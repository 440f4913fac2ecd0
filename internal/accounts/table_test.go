package accounts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/archive"
	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/accounts/text"
	"tagsweep/internal/fault"
)

// brief writes an understanding as its separator, header and account column of
// how many, and then what is out of the ordinary.
func (u Understanding) brief() string {
	separator := "-"
	if u.Separator != OnePerLine && !u.Workbook {
		separator = fmt.Sprintf("%q", u.Separator[0])
	}
	words := fmt.Sprintf("%s %q %d/%d", separator, u.Header, u.Column, u.Columns)
	if u.Workbook {
		words = fmt.Sprintf("%s of %q", strings.Replace(words, "-", u.firstSheet(), 1), u.Sheets)
	} else if u.Encoding != UTF8 {
		words += " " + string(u.Encoding)
	}
	if u.Quote != `"` && !u.Workbook {
		words += " quote " + u.Quote
	}
	if u.WholeLine {
		words += " whole"
	}
	if len(u.Above) > 0 {
		words += fmt.Sprintf(" from %d below %q", u.FirstLine, u.Above)
	}
	var asks []string
	for _, q := range u.Unsure {
		asks = append(asks, q.Name)
	}
	if asks != nil {
		words += " asks " + strings.Join(asks, " ")
	}
	if u.Packed != "" {
		words += fmt.Sprintf(" in %s %q", u.Packed, u.Entry)
	}
	return words
}

func TestEveryFileIsReadAsDecided(t *testing.T) {
	none := Choices{}
	for _, test := range []struct {
		file, understanding, rows string
		choices                   Choices
	}{
		{"comma.csv", `',' ["account" "name"] 0/2`, "2=a1 3=a2", none},
		{"bom-crlf.csv", `',' ["UserID" "姓名"] 0/2`, "2=a1 3=a2", none},
		{"tab.tsv", `'\t' ["name" "To_Account"] 1/2`, "2=a1 3=a2", none},
		{"semicolon-decimal-comma.csv", `';' [] 0/2 asks separator column`, "1=a1 2=a2 3=a3", none},
		{"pipe.txt", `'|' ["序号" "用户 ID" "备注"] 1/3`, "2=a1 3=a2", none},
		{"one-per-line.txt", `- [] 0/1`, "1=a1 2=a2 3=a3", none},
		{"one-per-line-header.txt", `- ["账号"] 0/1`, "2=a1 3=a2", none},
		{"one-row.txt", `- [] 0/1`, "1=a1", none},
		{"header-by-look.csv", `',' ["客户编码" "手机"] 0/2 asks column`, "2=a1 3=a2", none},
		{"header-over-numbers.csv", `',' ["member" "level"] 0/2 asks header column`, "2=ann 3=bob 4=cat", none},
		{"no-header-words.txt", `- ["admin"] 0/1 asks header`, "2=u1001 3=u1002", none},
		{"account-beats-id.csv", `',' ["id" "account" "name"] 1/3 asks column`, "2=a1 3=a2", none},
		{"header-of-two-lines.csv", `',' ["name" "User\nID"] 1/2`, "3=a1 4=a2", none},
		{"excel-sep-line.csv", `';' ["name" "account"] 1/2 from 2 below ["sep=;"]`, "3=a1 4=a2", none},
		{"semicolon-list-in-comma.csv", `',' ["account" "tags"] 0/2`, "2=a1 3=a2 4=a3", none},
		{"pipe-in-every-row.csv", `',' [] 0/3 asks separator column`, "1=a1 2=a2 3=a3", none},

		{"mixed-line-ends.txt", `- [] 0/1`, "1=a1 2=a2 3=a3 4=a4 6=a5", none},
		{"carriage-returns.csv", `',' ["account" "name"] 0/2`, "2=a1 3=a2", none},
		{"blank-lines.csv", `',' ["account" "name"] 0/2`, "5=a1 8=a2", none},
		{"blank-cells.csv", `',' ["account" "name"] 0/2`, "2=a1 3!empty 4!empty 5!empty 6!empty 7=a2", none},
		{"ragged.csv", `',' ["name" "account" "day"] 1/3 asks separator column`, "2=a1 3!ragged 4!empty 5!ragged 6!empty 7=a5 8!ragged", none},
		{"trailing-separators.csv", `',' ["account" "name" "" ""] 0/4 asks column short_row`, "2!short_row 3=a2 4=a3", none},
		{"byte-order-mark-inside.txt", `- [] 0/1`, "1=a1 2!bad_character 3=a3", none},
		{"nul.txt", `- [] 0/1 asks header unlike`, "1!unlike 2!not_text" + numbered(3, 20, "account-%03d"), none},
		{"stray-bytes.csv", `',' ["account" "name"] 0/2`, "2!not_text" + numbered(3, 24, "b%d") + " 27!not_text", none},

		{"quoted.csv", `',' ["account" "note"] 0/2 asks unlike`, `2=a1 3!unlike 4=a3`, none},
		{"quoted-lines.csv", `',' ["account" "note" "day"] 0/3`, "2=a1 5=a2 7=a3", none},
		{"quoted-lines-first.csv", `',' ["note" "account"] 1/2`, "2=a1 4=a2", none},
		{"quoted-lines-words.csv", `',' ["user_id" "city"] 0/2`, "2=ann 3=bob 4=cid 6!open_quote 7!stray_quote", none},
		{"quoted-lines-mixed.csv", `',' ["user_id" "note" "city"] 0/3`, "2=1001 3=bob 4=c_3 7!open_quote 8!stray_quote", none},
		{"quote-never-closed.csv", `',' ["account" "note"] 0/2`, "2=a1 3!open_quote 4=a3 5=a4", none},
		{"quote-meets-next-quote.csv", `',' ["account" "note"] 0/2`, "2!open_quote 3=a2 4=a3 5=a4", none},
		{"quote-swallows-rows.csv", `',' ["account" "note"] 0/2`, "2!open_quote 3!in_quote 4!open_quote 5=a4", none},
		{"quote-swallows-one-row.csv", `',' ["account" "note"] 0/2`, "2!open_quote 3!open_quote 4=a3", none},
		{"quote-closes-in-text.csv", `',' ["account" "note"] 0/2`, "2!open_quote 3!in_quote 4!stray_quote 5=a3", none},
		{"quote-around-accounts.txt", `- [] 0/1`, "1!open_quote 2!in_quote 3!stray_quote 4=a4", none},
		{"quote-in-header.csv", `',' [] 0/2 asks separator header column`, "1!open_quote 2!in_quote 3!open_quote 4=a3", none},
		{"text-after-quote.csv", `',' ["account" "note"] 0/2`, "2!stray_quote 3=a2 4!stray_quote 5=a4", none},
		{"quote-inside-cell.csv", `',' ["account" "size"] 0/2 asks column`, "2!stray_quote 3!stray_quote 4=a3", none},

		{"no-account.csv", `',' ["account" "name"] 0/2 asks header column`, "2!empty 3!bad_character", none},
		{"case-kept.txt", `- [] 0/1 asks header`, "1=Ann 2=ann 3=ANN", none},
		{"several-in-one-cell.txt", `- [] 0/1 asks several_values`,
			"1=a1 2!several_values 3!several_values 4!several_values 5!several_values 6!bad_character 7=a11", none},
		{"outer-spaces.csv", `',' ["account" " name"] 0/2 asks several_values`, "2=a1 3!several_values 4!several_values 5!several_values", none},
		{"characters.txt", `- [] 0/1 asks header several_values`,
			"1=a1 2!several_values 3!bad_character 4!bad_character 5!bad_character 6!bad_character 7!bad_character 8=A1 9!bad_character 10!bad_character",
			none},
		{"too-long.txt", `- [] 0/1`, "1=12345678901234567890123456789012 2!too_long", none},
		{"damaged-numbers.csv", `',' ["uid" "name"] 0/2 asks unlike`,
			"2!damaged_number 3!damaged_number 4!damaged_number 5!damaged_number 6=12e4567 7!unlike 8!unlike", none},
		{"spreadsheet-leftovers.csv", `',' ["uid" "name"] 0/2 asks several_values`, "2!formula 3=0012 4=0012 5!formula 6!several_values", none},
		{"apostrophes.csv", `',' ["account" "name"] 0/2 asks header column unlike several_values`,
			"2!several_values 3!several_values 4!unlike 5!unlike 6!annotated 7!unlike", none},

		{"semicolon.csv", `';' ["account" "name"] 0/2`, "2=a1 3=a2", none},
		{"separator-chosen.csv", `';' [] 0/2 asks separator column`, "1=a1 2=a2", none},
		{"separator-chosen.csv", `',' [] 0/2 asks several_values`, "1!several_values 2!several_values", Choices{Separator: ",", Column: 1}},
		{"one-per-line-chosen.txt", `- [] 0/1 asks header several_values`,
			"1!several_values 2!several_values 3!several_values 4!several_values", none},
		{"one-per-line-chosen.txt", `- [] 0/1 whole asks header unlike`, "1=a1,b 2=a2;c|d 3=a3 4!unlike", Choices{Separator: OnePerLine}},
		{"single-quotes.csv", `',' ["account" "name"] 0/2 quote ' asks unlike`, "2=a1 3=a2 4!unlike", Choices{Quote: `'`}},
		{"single-quote-stray.csv", `';' ["account" "name"] 0/2 quote '`, "2=a1 3!stray_quote 4=a3", Choices{Quote: `'`}},
		{"no-quotes-chosen.csv", `',' ["account" "size"] 0/2 asks column`, "2!stray_quote 3=a2 4!open_quote", none},
		{"no-quotes-chosen.csv", `',' ["account" "size"] 0/2 quote none asks column unlike`, `2=a1 3!unlike 4=a3`, Choices{Quote: NoQuote}},
		{"several-quoted.csv", `',' ["account" "name"] 0/2 asks several_values`, "2!several_values 3!several_values 4!several_values 5=a7", none},
		{"outer-space-quote.csv", `',' ["account" "name"] 0/2 asks several_values`, "2!several_values 3!several_values", none},
		{"damaged-small.csv", `',' ["uid" "name"] 0/2`, "2!damaged_number 3!damaged_number 4=1e5", none},
		{"leading-zeros.csv", `',' ["account" "name"] 0/2`, "2=00123 3=0", none},
		{"wide-blank.csv", `',' ["account" "name"] 0/2 asks separator column`, "2!ragged 3!ragged", none},

		{"gb18030.csv", `',' ["用户ID" "姓名"] 0/2 GB18030`, "2=a1 3=a2 4=a3", none},
		{"gb18030-four-bytes.csv", `',' ["用户ID" "姓名"] 0/2 GB18030`, "2=a1 3=a2 4=a3", none},
		{"gb18030-below-ascii-header.csv", `',' ["account" "name"] 0/2 GB18030`, "2=a1 3=a2 4=a3", none},
		{"gb18030-few-names.csv", `';' ["account" "city"] 0/2 GB18030 asks unlike`, numbered(2, 8, "a%d")[1:] + " 10!unlike", none},
		{"gb18030-stray-bytes.csv", `',' ["账号" "姓名"] 0/2 GB18030 asks unlike`,
			numbered(2, 24, "b%d")[1:] + " 26!not_text 27!not_text 28!unlike", none},
		{"gbk-pipe-in-character.txt", `'|' ["姓名" "账号"] 1/2 GB18030`, "2=a1 3=a2 4=a3 5=a4", none},
		{"big5.csv", `',' ["帳號" "姓名"] 0/2 Big5`, "2=a1 3=a2 4=a3", none},
		{"windows-1252.csv", `',' ["account" "name"] 0/2 Windows-1252`, "2=a1 3=a2 4=a3 5=a4", none},
		{"gb18030-one-rare-name.csv", `',' ["account" "name"] 0/2 GB18030`, "2=u1001 3=u1002", none},
		{"windows-1252-price.csv", `',' ["account" "price"] 0/2 Windows-1252`, "2=u1001 3=u1002", none},
		{"euro-sign.csv", `',' ["account" "price"] 0/2 Windows-1252`, "2=u1001 3=u1002", none},
		{"pipe-in-doubtful-character.txt", `'|' ["name" "account" "n"] 1/3 Big5 asks column short_row`, "2!short_row 3=u1002", none},
		{"utf-16.csv", `'\t' ["账号" "姓名"] 0/2 UTF-16LE`, "2=a1 3=a2", none},
		{"utf-16-no-bom.csv", `',' ["account" "name"] 0/2 UTF-16LE`, "2=a1 3=a2", none},
		{"utf-16-big-endian.csv", `',' ["账号" "姓名"] 0/2 UTF-16BE`, "2=a1 3=a2", none},
		{"utf-16-big-endian-no-bom.csv", `',' ["account" "name"] 0/2 UTF-16BE`, "2=a1 3=a2", none},
		{"utf-16-half-character.csv", `',' ["account" "name"] 0/2 UTF-16LE asks unlike`,
			numbered(2, 12, "b%d")[1:] + " 14!not_text 15!unlike", none},
		{"encoding-chosen.csv", `',' ["帳號" "姓名"] 0/2 Big5`, "2=a1 3=a2", none},
		{"encoding-chosen.csv", `',' ["±b¸¹" "©m¦W"] 0/2 Windows-1252 asks separator column`,
			"2=a1 3=a2", Choices{Encoding: Windows1252, Header: Yes}},

		{"preamble.csv", `',' ["account" "name"] 0/2 from 3 below ["Report exported 2026-11-01" "共 2 行"] asks first_line`, "4=a1 5=a2", none},
		{"preamble-padded.csv",
			`';' ["name" "用户ID" "day"] 1/3 from 4 below ["导出时间：2026-11-01;;" "Report exported by: Ann;;" ";;"] asks first_line`,
			"5=a1 6=a2", none},
		{"gb18030-semicolon-preamble.csv", `';' ["姓名" "账号" "备用账号"] 1/3 GB18030 from 2 below ["导出时间：2026-11-01;;"] asks first_line column`,
			"3=a1 4=a2 5=a3", none},
		{"gb18030-semicolon-preamble.csv", `';' ["姓名" "账号" "备用账号"] 2/3 GB18030 from 2 below ["导出时间：2026-11-01;;"] asks first_line`,
			"3=b1 4=b2 5=b3", Choices{Column: 3}},
		{"preamble-of-one-column.txt", `- ["账号"] 0/1 from 2 below ["导出时间：今天"] asks first_line`, "3=a1 4=a2", none},
		{"preamble-might-be-rows.csv", `',' ["user_id" "name"] 0/2 from 3 below ["b1,x" "b2,y"] asks first_line`, "4=a1", none},
		{"preamble-chosen.csv", `',' ["member" "name"] 0/2 from 3 below ["b1,x" "b2,y"] asks first_line`, "4=a1 5=a2", none},
		{"preamble-chosen.csv", `',' ["member" "name"] 0/2 from 3 below ["b1,x" "b2,y"]`, "4=a1 5=a2", Choices{FirstLine: 3, Header: Yes}},
		{"column-by-look.csv", `',' [] 2/4 asks separator column`, "1=user_0001 2=user_0002 3=user_0003 4=user_0004", none},
		{"column-after-running-number.csv", `',' [] 1/2 asks separator header column`, "1=ann 2=bob 3=cat 4=dan", none},
		{"column-after-names.csv", `';' [] 1/3 asks separator column`, "1=u1001 2=u1002 3=u1003", none},
		{"column-after-country-code.csv", `',' [] 1/2 asks separator column`,
			"1=10023400 2=10023411 3=10099999 4=10023402 5=10023555 6=10023477 7=10023478 8=10023479 9=10023471 10=10023472 11=10023473", none},
		{"column-unsure.csv", `',' [] 0/2 asks separator header column`, "1=ann 2=bob 3=cat", none},
		{"column-chosen.csv", `',' ["account" "other"] 0/2 asks column`, "2=a1 3=a2", none},
		{"column-chosen.csv", `',' ["account" "other"] 1/2`, "2=b1 3=b2", Choices{Column: 2}},
		{"column-marked.csv", `',' ["n" "member [account]" "row"] 1/3`, "2=a1 3=a2", none},
		{"header-by-look-second-column.csv", `',' ["姓名" "编号"] 1/2 asks column`, "2=a1 3=a2", none},
		{"header-not.csv", `- ["id"] 0/1`, "2=b1", none},
		{"header-not.csv", `- [] 0/1 asks columns_changed`, "1!columns_changed 2!columns_changed", Choices{Header: No}},
		{"header-chosen.csv", `',' ["first" "second"] 0/2 asks separator header column`, "2=a1 3=a2", none},
		{"header-chosen.csv", `',' ["first" "second"] 0/2 asks separator column`, "2=a1 3=a2", Choices{Header: Yes}},
		{"header-traditional.csv", `',' ["姓名" "帳號"] 1/2`, "2=a1 3=a2", none},
		{"header-repeated.csv", `',' ["user_id" "name"] 0/2`, "2=a1 3!repeated_header 4=a2 5!repeated_header 6!repeated_header", none},
		{"header-in-the-middle.txt", `- ["user_id"] 0/1 from 3 below ["a1" "a2"] asks first_line`, "4=a3", none},

		{"lines-above-header.txt", `',' ["user_id" "name"] 0/2 from 8 below ["u1001" "u1002" "u1003" "u1004" "u1005"] asks first_line`,
			"9=b1", none},
		{"numbers-above-header.csv", `',' ["user_id" "name"] 0/2 from 3 below ["17" "23"] asks first_line`, "4=b1 5=b2", none},
		{"other-separator-above-header.csv", `';' ["user_id" "name" "city"] 0/3 from 3 below ["u1001,Ann" "u1002,Bob"] asks first_line`,
			"4=b1 5=b2", none},
		{"rows-above-header.csv", `',' ["账号" "姓名"] 0/2 from 4 below ["a1,x,2024" "a2,y,2024" "a3,z,2024"] asks first_line`, "5=b1", none},
		{"title-above-header.csv", `',' ["user_id" "name"] 0/2 from 3 below ["Churned" "Exported by: crm"] asks first_line`, "4=b1 5=b2", none},
		{"words-above-header.csv", `',' ["user_id" "name"] 0/2 from 3 below ["ann" "bob"] asks first_line`, "4=b1 5=b2", none},
		{"title-below.csv", `',' ["序号" "会员" "IM账号"] 2/3 from 2 below ["清理名单"] asks first_line`, "3=im_1 4=im_2", none},
		{"title-like-account.csv", `',' ["id" "账号"] 1/2 from 2 below ["churn_2026"] asks first_line column`, "3=b1 4=b2", none},
		{"title-unknown-words.csv", `',' ["序号" "会员" "客户编码"] 2/3 from 2 below ["清理名单"] asks first_line column`,
			"3=im_1 4=im_2", none},
		{"joined-no-header.csv", `',' ["name" "account"] 1/2 from 4 below ["a1,ann" "a2,bob" "a3,cat"] asks first_line`, "5=b1", none},
		{"joined-other-order.csv", `',' ["user_id" "name"] 0/2 asks columns_changed`,
			"2=a1 3!columns_changed 4!columns_changed 5!columns_changed 6!repeated_header 7=a2", none},
		{"joined-other-words.csv", `',' ["user_id" "name"] 0/2 asks columns_changed`,
			"2=a1 3!repeated_header 4=b1 5!columns_changed 6!columns_changed 7!bad_character 8!columns_changed", none},
		{"weak-id.csv", `',' ["ID" "IM账号"] 1/2`, "2=im_1 3=im_2", none},
		{"weak-numbers.txt", `- ["id"] 0/1`, "2=17 3=23", none},
		{"weak-only.csv", `',' ["id" "name"] 0/2`, "2=u1 3=u2", none},
		{"weak-user.csv", `',' ["user" "mail"] 0/2 asks header column several_values`, "2!several_values 3!several_values", none},
		{"name-with-affix.csv", `',' ["id" "im_account_id" "name"] 1/3 asks column`, "2=p901 3=p902", none},
		{"name-with-remark.csv", `',' ["手机号" "用户ID（必填）"] 1/2`, "2=u1001 3=u1002", none},
		{"affix-is-a-row.csv", `',' [] 0/2 asks separator header column`, "1=test_account 2=bob 3=cat", none},
		{"affix-is-an-account.txt", `- ["test_account"] 0/1 asks header`, "2=u1001 3=u1002", none},
		{"first-row-is-no-header.csv", `',' ["张三" "bj"] 0/2 asks separator column`, "2=a1 3=a2", none},
		{"column-after-addresses.csv", `',' [] 1/2 asks separator column`, "1=u1001 2=u1002 3=u1003", none},
		{"column-after-level.csv", `',' ["VIP" "张三" "ann"] 2/3 asks header column`, "2=bob 3=cat", none},
		{"column-after-phones.csv", `',' [] 1/2 asks separator column`, "1=u1001 2=u1002 3=u1003", none},
		{"column-after-times.csv", `',' [] 1/2 asks separator column`, "1=u1001 2=u1002 3=u1003", none},
		{"several-per-line.txt", `',' [] 0/3 asks separator column`, "1=u1001 2=u1004", none},
		{"spaces-between.txt", `- [] 0/1 asks several_values`, "1!several_values 2!several_values 3!several_values 4!several_values 5=u1", none},
		{"list-marks.txt", `- [] 0/1 asks header columns_changed`,
			"1=u1001 2!annotated 3!annotated 4!annotated 5!commented 6!columns_changed 7!columns_changed 8!columns_changed " +
				"9!no_value 10!annotated 11!annotated 12!columns_changed 13!columns_changed", none},
		{"marked-as-text.csv", `',' ["account" "name"] 0/2 asks header column unlike`, "2!annotated 3!annotated 4!annotated 5!unlike", none},
		{"damaged-more.csv", `',' ["uid" "name"] 0/2 asks unlike`, "2!damaged_number 3!damaged_number 4!damaged_number 5!unlike 6=12e45", none},
		{"no-value-first.csv", `',' [] 0/2 asks separator header column`, "1=vip_ann 2=vip_bob 3=vip_cat", none},
		{"no-values.csv", `',' ["account" "n"] 0/2 asks header column`,
			"2!no_value 3!no_value 4!no_value 5!no_value 6!no_value 7!no_value 8!no_value 9!no_value 10!no_value 11!no_value 12!no_value 13=nulla",
			none},
		{"unnamed-cells-filled.csv", `',' ["name" "account" "" ""] 1/4 asks header column`, "2=John 3=a2", none},
		{"header-word-is-a-value.csv", `',' ["ann" "user"] 1/2 from 2 below ["a1,account"] asks first_line header column unlike`,
			"3!unlike", none},
		{"name-of-other-accounts.csv", `',' ["id" "备用账号"] 0/2 asks column`, "2=u1 3=u2", none},
		{"total-above-header.csv", `',' ["账号" "姓名"] 0/2 from 2 below ["Total,12345"] asks first_line`, "3=a1", none},
		{"several-per-line.txt", `',' [] 0/3 asks separator`, "1=u1001 2=u1004", Choices{Column: 1}},
		{"spaces-between.txt", `- [] 0/1 whole asks header unlike`,
			"1=u1001 u1002 u1003 2=u1001  Ann 3!unlike 4=user 7 5=u1",
			Choices{Separator: OnePerLine}},
		{"like-html.txt", `- [] 0/1 asks unlike`, "1!unlike 2!unlike", none},
		{"like-parquet.txt", `- [] 0/1`, "1=PAR1001 2=PAR1002", none},

		{"packed.zip", `';' ["account" "name"] 0/2 in ZIP "churned.csv"`, "2=a1 3=a2", none},
		{"packed.csv.gz", `',' ["account" "name"] 0/2 in gzip ""`, "2=a1 3=a2", none},
		{"packed-gb18030.zip", `',' ["账号" "姓名"] 0/2 GB18030 in ZIP "流失.csv"`, "2=a1", none},
		{"packed-with-litter.zip", `- [] 0/1 in ZIP "a.csv"`, "1=a1 2=a2", none},
		{"packed-in-two-members.gz", `- ["account"] 0/1 in gzip ""`, "2=a1 3!repeated_header 4=a2", none},
		{"packed-workbook.zip", `Sheet1 ["账号"] 0/1 of ["Sheet1"] in ZIP "a.xlsx"`, "2=a1", none},
		{"packed-workbook.xlsx.gz", `Sheet1 ["user_id" "n"] 0/2 of ["Sheet1"] in gzip ""`, "2=a1", none},

		{"workbook.xlsx", `Sheet1 ["name" "user_id" "since"] 1/3 of ["Sheet1"]`, "2=a1 4=a2", none},
		{"workbook-numbers.xlsx", `One ["uid"] 0/1 of ["One"] asks unlike`,
			"2!unlike 3!unlike 4!unlike 5!damaged_number 6!damaged_number 7!damaged_number " +
				"8!cell_type 9!unlike 10=0 11=7 12!cell_type 13=1 14!cell_type", none},
		{"workbook-texts.xlsx", `One ["uid"] 0/1 of ["One"] asks columns_changed`,
			"2=a1 3=a2 4!columns_changed 5!columns_changed 6!cell_type 7!bad_character 8!columns_changed 9!columns_changed 10!columns_changed", none},
		{"workbook-cells.xlsx", `One ["uid"] 0/2 of ["One"] asks column`,
			"2!cell_type 3!formula 4!formula 5!formula 6!cell_type 7!cell_type 8=1234567 9!cell_type 10!formula", none},
		{"workbook-sheets.xlsx", `Churned ["" "account"] 1/2 of ["Old" "Empty" "Churned" "More"] asks sheet`, "4=a1 5=a2", none},
		{"workbook-sheets.xlsx", `Old ["account"] 0/1 of ["Old" "Empty" "Churned" "More"]`, "2=o1", Choices{Sheets: []string{"Old"}}},
		{"workbook-merged.xlsx", `Sheet1 ["account" "name"] 0/2 of ["Sheet1"]`, "2=a1 3!empty 4=a2", none},
		{"workbook-preamble.xlsx", `Sheet1 ["客户" "账号" "城市"] 1/4 of ["Sheet1"] from 3 below ["Report exported 2026-11-01"] asks first_line column unlike`,
			"4=a1 5!unlike 6=a3", none},
		{"workbook-title.xlsx", `Sheet1 ["序号" "会员编号"] 1/2 of ["Sheet1"] from 2 below ["清理名单"] asks first_line column`,
			"3=C7001 4=C7002 5=C7003", none},
		{"workbook-formats.xlsx", `One ["uid"] 0/1 of ["One"] asks unlike`,
			"2=12345 3=12345 4=12345 5=12345 6=12345 7=12345 8=12345 9=12345 10!cell_type 11!cell_type 12!cell_type " +
				"13!cell_type 14!cell_type 15!cell_type 16!cell_type 17!cell_type 18!cell_type 19!cell_type 20!cell_type " +
				"21!cell_type 22!cell_type 23!cell_type 24!unlike 25!cell_type 26!cell_type", none},
		{"workbook-no-header.xlsx", `Sheet1 [] 1/2 of ["Sheet1"] asks column`, "1=u1001 2=u1002 3=u1003", none},
	} {
		t.Run(test.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", test.file))
			require.NoError(t, err)
			r, err := Open(filetest.Section(string(text)), Options{Choices: test.choices})
			require.NoError(t, err)
			rows, err := rest(r)
			require.NoError(t, err)
			require.Equal(t, test.understanding, r.Understanding().brief())
			require.Equal(t, test.rows, brief(rows))
		})
	}
}

func numbered(line, n int, format string) (words string) {
	for i := range n {
		words += fmt.Sprintf(" %d="+format, line+i, i)
	}
	return words
}

func TestFileWithoutTextRowsIsRefused(t *testing.T) {
	for _, test := range []struct {
		file string
		want *fault.Sentence
		name string // in the sentence
	}{
		{"empty.csv", FaultEmpty, ""},
		{"only-bom.csv", FaultEmpty, ""},
		{"only-blank.csv", FaultEmpty, ""},
		{"only-header.csv", FaultEmpty, ""},
		{"columns-1001.csv", FaultColumns, "1001 columns"},
		{"picture.csv", FaultBinary, "PNG"},
		{"document.pdf", FaultBinary, "PDF"},
		{"old-workbook.xls", FaultBinary, "XLS"},
		{"workbook.xlsb", FaultBinary, "XLSB"},
		{"document.docx", FaultBinary, "DOCX"},
		{"table.xls", FaultBinary, "HTML"},
		{"page.csv", FaultBinary, "HTML"},
		{"list.json", FaultBinary, "JSON"},
		{"picture.zip", FaultBinary, "PNG"},
		{"utf-32.csv", text.FaultEncoding, "UTF-32"},
		{"mixed-encodings.csv", text.FaultEncodingUnknown, ""},
		{"no-encoding.csv", text.FaultEncodingUnknown, ""},
		{"several.zip", archive.FaultSeveralFiles, "3 files"},
		{"no-file.zip", archive.FaultNoFile, ""},
		{"nested.zip", FaultNested, "ZIP"},
		{"nested.csv.gz.gz", FaultNested, "gzip"},
		{"nested.tar.gz", FaultNested, "tar"},
		{"encrypted.zip", archive.FaultEncrypted, ""},
		{"password.xlsx", archive.FaultEncrypted, ""},
		{"damaged.zip", FaultDamaged, ""},
		{"cut.zip", FaultDamaged, ""},
		{"wrong-size.zip", FaultDamaged, ""},
		{"cut.csv.gz", FaultDamaged, ""},
		{"damaged.csv.gz", FaultDamaged, ""},
		{"tail.csv.gz", FaultDamaged, ""},
		{"only-blank.xlsx", FaultEmpty, ""},
		{"only-charts.xlsx", FaultEmpty, ""},
		{"only-hidden.xlsx", FaultHidden, ""},
		{"row-in-row.xlsx", FaultDamaged, ""},
		{"doctype.xlsx", FaultDamaged, ""},
		{"cut-sheet.xlsx", FaultDamaged, ""},
		{"rows-back.xlsx", FaultDamaged, ""},
		{"no-such-text.xlsx", FaultDamaged, ""},
		{"nuls.csv", text.FaultNotText, ""},
	} {
		t.Run(test.file, func(t *testing.T) {
			file, err := os.ReadFile(filepath.Join("testdata", "refused", test.file))
			require.NoError(t, err)
			_, err = Open(filetest.Section(string(file)), Options{})
			require.True(t, test.want.Is(err), "%v", err)
			require.Contains(t, err.Error(), test.name)
			require.NotContains(t, err.Error(), "%!")
		})
	}
}

func TestEveryFileOfTestdataIsTested(t *testing.T) {
	source, err := os.ReadFile("table_test.go")
	require.NoError(t, err)
	for _, pattern := range []string{"testdata/*.*", "testdata/refused/*.*"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			require.Contains(t, string(source), `{"`+filepath.Base(file)+`"`)
		}
	}
}
