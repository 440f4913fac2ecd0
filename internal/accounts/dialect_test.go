package accounts

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"tagsweep/internal/accounts/filetest"
)

var plainRules = rules{limit: UserIDBytes}

var (
	anAccount = rapid.Custom(func(t *rapid.T) string {
		return rapid.StringOfN(rapid.Map(rapid.IntRange(0x20, 0x7E), func(n int) rune { return rune(n) }), 1, 32, 32).
			Filter(func(s string) bool { return plainRules.judge(s) == "" && original(s) == s }).Draw(t, "account")
	})
	aCell = rapid.StringOfN(rapid.OneOf(
		rapid.RuneFrom([]rune("ab1 ,;|\t\"'=+-@张三é")),
		rapid.Rune().Filter(func(c rune) bool { return c != 0 }),
	), 0, 20, 60)
	plainCell = rapid.StringMatching(`[a-z]{1,6}`)
)

// names are cells that stand beside accounts, in each encoding.
var names = map[Encoding][]string{
	UTF8: {"张三", "é", "x", "陳"}, UTF16LE: {"张三", "é", "😀", "上海"}, UTF16BE: {"张三", "é", "x", "上海"},
	GB18030: {"张三", "欧阳娜娜", "王五", "x"}, Big5: {"王小明", "陳美玲", "x"}, Windows1252: {"Müller", "José", "x"},
}

// headers name the account column, in each encoding.
var headers = map[Encoding][]string{
	UTF8: {"To_Account", "user_id", "用户ID"}, UTF16LE: {"UserID", "用户ID"}, UTF16BE: {"to_account", "用户 ID"},
	GB18030: {"UserID", "用户id", "IM账号"}, Big5: {"user_id", "用戶ID"}, Windows1252: {"To_Account", "user_id"},
}

func TestDialectsGiveTheSameAccounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		written := rapid.SampledFrom(Encodings).Draw(t, "encoding")
		separator := rapid.SampledFrom([]string{",", "\t", ";", "|", ""}).Draw(t, "separator")
		sign := rapid.SampledFrom([]string{`"`, `"`, `'`}).Draw(t, "quote")
		lineEnd := rapid.SampledFrom([]string{"\n", "\r\n", "\r"}).Draw(t, "line end")
		mark := rapid.Bool().Draw(t, "byte order mark")
		always := rapid.Bool().Draw(t, "quote always")
		last := rapid.Bool().Draw(t, "line end at the end")
		above := rapid.Bool().Draw(t, "preamble") && separator != ""
		accounts := rapid.SliceOfN(anAccount, 1, 30).Draw(t, "accounts")
		quote := func(cell string) string {
			if always || plainRules.judge(cell) != "" || strings.ContainsAny(cell, sign+"\t") {
				return sign + strings.ReplaceAll(cell, sign, sign+sign) + sign
			}
			return cell
		}
		header := []string{"name", rapid.SampledFrom(headers[written]).Draw(t, "header"), "note"}
		if !mark && (written == UTF16LE || written == UTF16BE) {
			header[1] = "UserID" // there must be something by which to know it
		}
		if separator == "" {
			header = header[1:2]
		}
		lines := []string{strings.Join(header, separator)}
		for _, account := range accounts {
			cells := []string{quote(account)}
			if separator != "" {
				cells = []string{rapid.SampledFrom(names[written]).Draw(t, "name"), quote(account), plainCell.Draw(t, "note")}
			}
			lines = append(lines, strings.Join(cells, separator))
		}
		if above {
			lines = slices.Insert(lines, 0, "Exported today", "")
		}
		text := strings.Join(lines, lineEnd)
		if last {
			text += lineEnd
		}
		file := packedAs(t, encoded(t, text, written, mark))
		c := Choices{Rows: AcceptAll()}
		if sign == `'` {
			c.Quote = sign
		}
		r, err := Open(filetest.Section(file), Options{Choices: c})
		require.NoError(t, err, "%q", text)
		read, err := rest(r)
		require.NoError(t, err)
		require.Equal(t, header, r.Understanding().Header, "%q", text)
		require.Equal(t, accounts, accountsOf(read), "%q", text)
		require.Equal(t, 1000, r.Read())
	})
}

var codings = map[Encoding]encoding.Encoding{
	UTF16LE: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), UTF16BE: unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
	GB18030: simplifiedchinese.GB18030, Big5: traditionalchinese.Big5, Windows1252: charmap.Windows1252,
}

// encoded writes a text in an encoding.
func encoded(t require.TestingT, text string, e Encoding, mark bool) string {
	if mark && strings.HasPrefix(string(e), "UTF") {
		text = byteOrderMark + text
	}
	if coding := codings[e]; coding != nil {
		written, err := coding.NewEncoder().String(text)
		require.NoError(t, err)
		return written
	}
	return text
}

func packedAs(t *rapid.T, text string) string {
	switch rapid.SampledFrom([]string{"", "", "gzip", "ZIP"}).Draw(t, "packed") {
	case "gzip":
		return filetest.Gzip(t, text)
	case "ZIP":
		return filetest.ZIP(t, "folder/", "", "accounts.csv", text)
	}
	return text
}

func TestWorkbookDialectsGiveSameAccounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []string
		rows := [][]any{{"name", rapid.SampledFrom(headers[UTF8]).Draw(t, "header"), "n"}}
		for i := range rapid.IntRange(1, 10).Draw(t, "rows") {
			account := anAccount.Filter(func(s string) bool { return plainRules.judge(s) == "" }).Draw(t, "account")
			want = append(want, account)
			rows = append(rows, []any{rapid.SampledFrom(names[UTF8]).Draw(t, "name"), account, i})
			if rapid.Bool().Draw(t, "number") {
				number := rapid.Int64Range(0, 999_999_999_999_999).Draw(t, "id")
				want = append(want, strconv.FormatInt(number, 10))
				rows = append(rows, []any{nil, number})
			}
		}
		r, err := Open(filetest.Section(packedAs(t, filetest.Workbook(t, rows))), Options{Choices: Choices{Column: 2, Rows: AcceptAll()}})
		require.NoError(t, err)
		read, err := rest(r)
		require.NoError(t, err)
		require.Equal(t, want, accountsOf(read))
		require.Equal(t, 1000, r.Read())
	})
}

func TestExportComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows [][]string
		for range rapid.IntRange(1, 20).Draw(t, "rows") {
			account := anAccount.Filter(func(s string) bool { return strings.TrimSpace(s) == s }).Draw(t, "account")
			if rapid.Bool().Draw(t, "formula") && len(account) < UserIDBytes-2 {
				account = rapid.SampledFrom([]string{"=", "+", "-", "@", "'=", "''@"}).Draw(t, "sign") + account
			}
			if plainRules.judge(account) != "" {
				account = "a"
			}
			rows = append(rows, []string{aCell.Draw(t, "cell"), account, aCell.Draw(t, "cell")})
		}
		var out bytes.Buffer
		w := NewWriter(&out)
		for _, row := range slices.Insert(slices.Clone(rows), 0, []string{"row", "user_id", "name"}) {
			require.NoError(t, w.Write(row))
		}
		require.NoError(t, w.Flush())
		text := out.String()
		r, err := Open(filetest.Section(out.String()), Options{Choices: Choices{Column: 2, Rows: AcceptAll()}})
		require.NoError(t, err)
		read, err := rest(r)
		require.NoError(t, err)
		if slices.ContainsFunc(read, func(row Row) bool { return row.Reason == OpenQuote }) {
			t.Skip("a cell holds a line that looks like a row")
		}
		require.Len(t, read, len(rows))
		for i, row := range read {
			require.Equal(t, rows[i], row.Fields, "%q", text)
			require.Equal(t, rows[i][1], row.Account, "%q", text)
		}
	})
}

func TestExportRunsNoFormula(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	require.NoError(t, w.Write([]string{"=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=x", "x=1", "'x",
		"\n=1+1", "＝1+1", "＋1", "－1", "＠x", "'＝x", "1＝"}))
	require.NoError(t, w.Write([]string{""}))
	require.NoError(t, w.Write([]string{" a1", "张三", `"`}))
	require.NoError(t, w.Flush())
	require.Equal(t, "\uFEFF'=1+1,'+1,'-1,'@x,\"'\tx\",\"'\rx\",''=x,x=1,'x,\"'\n=1+1\",'＝1+1,'＋1,'－1,'＠x,''＝x,1＝\r\n\"\"\r\n a1,张三,\"\"\"\"\r\n", out.String())
}

func accountsOf(rows []Row) (accounts []string) {
	for _, row := range rows {
		accounts = append(accounts, row.Account)
	}
	return accounts
}
