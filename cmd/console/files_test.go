package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim/timtest"
)

// exportFromBeijing is an export in GB18030 with semicolons, a line above its
// header, and two columns that could be the account; of the second, which is
// it, three cells need mending.
func exportFromBeijing(t testing.TB, n int) []byte {
	var file strings.Builder
	file.WriteString("导出时间：2026-11-01 09:30\r\n编号;用户ID;IM账号名;城市\r\n")
	for i := range n {
		fmt.Fprintf(&file, "%d;crm_%05d;member_%07d;成都\r\n", i+1, i, i)
	}
	file.WriteString("901;crm_90001;;深圳\r\n902;crm_90002;member 9002 ;上海\r\n903;crm_90003;会员九〇三;北京\r\n904;crm_90004;member_0000003;西安\r\n")
	encoded, err := simplifiedchinese.GB18030.NewEncoder().String(file.String())
	require.NoError(t, err)
	return []byte(encoded)
}

// A file as it comes from Excel in Beijing: the page says how it was understood,
// the person corrects the account column, mends what was set aside, uploads that
// and runs both. The next such file is understood as corrected.
func TestUploadOfChineseExcelToEnd(t *testing.T) {
	t.Parallel()
	_, base := simulate(t, func(c *timtest.Config) { c.UnknownShare = 0 })
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.start()
	w := p.openTab()
	w.signIn("olga")
	upload := func(name string, content []byte) {
		w.open("/jobs/new")
		w.chooseFile(name, content)
		require.Equal(t, 200, w.follow(click("form[data-upload] button[type=submit]")))
	}
	upload("流失用户.csv", exportFromBeijing(t, 800))

	how := w.text("#how .facts")
	for _, said := range []string{"GB18030", "semicolon", "1 line that is not sent", "导出时间：2026-11-01 09:30", "2: 用户ID"} {
		require.Contains(t, strings.ToLower(how), strings.ToLower(said))
	}
	require.Equal(t, []string{"804", "804", "0", "0", "0"}, w.texts(".sum .term strong"))
	require.Equal(t, []string{"1", "crm_00000", "member_0000000", "成都"}, w.texts(".grid tbody tr:first-child td:not(.number)"))
	require.Contains(t, w.text(".grid th.taken"), "用户ID")

	w.do(click("details.correction summary"), chromedp.SetValue(chromedp.ID("column"), "3"))
	require.Equal(t, 200, w.follow(click("form#correct button")))
	require.Contains(t, w.text(".grid th.taken"), "IM账号名")
	require.Contains(t, w.text("#how"), "olga")
	require.Equal(t, []string{"804", "800", "1", "3", "0"}, w.texts(".sum .term strong"))
	require.Contains(t, w.text("#questions"), "导出时间", "whether the first line is a title")
	w.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("form.questions label:has(.tag)").forEach(l => l.click())`))
	require.Equal(t, 200, w.follow(click("form.questions button")))
	require.Equal(t, []string{"804", "800", "1", "3", "0"}, w.texts(".sum .term strong"))
	faults := strings.Join(w.texts(".faults li"), "\n")
	for _, row := range []string{"801", "802", "803", "804"} {
		require.Contains(t, faults, row)
	}
	first := strings.TrimPrefix(w.at(), "/jobs/")

	// What was set aside comes with the person's own columns, unmended it is set aside again …
	name, content := w.download(".faults ~ p a[download]")
	require.Equal(t, "流失用户-set-aside-Test-chat-test.csv", name)
	rows := readCSV(t, content)
	require.Equal(t, []string{"编号", "用户ID", "IM账号名 [account]", "城市", "row", "line", "kind", "reason",
		"repeats_row"}, rows[0])
	require.Equal(t, []string{"903", "crm_90003", "会员九〇三", "北京", "803", "805", "rejected"}, rows[3][:7])
	upload("unmended.csv", content)
	require.Contains(t, w.text(".grid th.taken, #how strong"), "IM账号名")
	require.Equal(t, []string{"4", "1", "0", "3", "0"}, w.texts(".sum .term strong"), "the account that was repeated stands alone now")

	// … and mended it is read.
	rows[1][2], rows[2][2], rows[3][2] = "member_0009001", "member_0009002", "member_0009003"
	var mended bytes.Buffer
	out := csv.NewWriter(&mended)
	require.NoError(t, out.WriteAll(rows[:4]))
	upload("mended.csv", mended.Bytes())
	require.Equal(t, []string{"3", "3", "0", "0", "0"}, w.texts(".sum .term strong"))
	require.Equal(t, 200, w.follow(fill("#confirm", "3"), click("form[action$=start] button")))
	w.until(`document.querySelector(".head .state").dataset.state === "finished"`)
	requireMatch(t, p.database, base, strings.TrimPrefix(w.at(), "/jobs/"))

	w.open("/jobs/" + first)
	require.Equal(t, 200, w.follow(fill("#confirm", "800"), click("form[action$=start] button")))
	w.until(`document.querySelector(".head .state").dataset.state === "finished"`)
	requireMatch(t, p.database, base, first)
	_, content = w.download(".outcomes tfoot a")
	results := readCSV(t, content)
	require.Equal(t, []string{"row", "account", "outcome", "code", "message", "batch", "at", "编号", "用户ID",
		"IM账号名", "城市"}, results[0])
	require.Equal(t, []string{"1", "crm_00000", "member_0000000", "成都"}, results[1][7:])

	// The same file again: understood as it was corrected, and warned of.
	upload("流失用户-2.csv", exportFromBeijing(t, 800))
	require.Contains(t, w.text(".grid th.taken"), "IM账号名")
	require.Contains(t, w.text("#how"), "file with the same header")
	warned := w.text("#warnings")
	require.Contains(t, warned, "流失用户.csv")
	done, err := reopen(t, p.database).Get(t.Context(), first)
	require.NoError(t, err)
	require.Contains(t, warned, fmt.Sprintf("%d accounts", done.Counts[jobs.Cleared]), "those that had tags")
	require.Equal(t, 200, w.follow(click("details.correction summary"), click("form#detect button")))
	require.Contains(t, w.text(".grid th.taken"), "用户ID")
}

func gzipped(t testing.TB, content []byte) []byte {
	var packed bytes.Buffer
	out := gzip.NewWriter(&packed)
	_, err := out.Write(content)
	require.NoError(t, err)
	require.NoError(t, out.Close())
	return packed.Bytes()
}

func zipped(t testing.TB, name string, content []byte) []byte {
	var packed bytes.Buffer
	out := zip.NewWriter(&packed)
	file, err := out.Create(name)
	require.NoError(t, err)
	_, err = file.Write(content)
	require.NoError(t, err)
	require.NoError(t, out.Close())
	return packed.Bytes()
}

// Packed or not, pasted or not, the same accounts are sent, and the results come
// back with the person's own columns.
func TestAFileMayComePackedOrPasted(t *testing.T) {
	t.Parallel()
	_, base := simulate(t, func(c *timtest.Config) { c.UnknownShare = 0 })
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.start()
	olga := p.signIn("olga")
	content := memberFile(150)
	files := map[string][]byte{"a.csv": content, "a.csv.gz": gzipped(t, content), "a.zip": zipped(t, "members.csv", content)}
	for name, file := range files {
		answer, body := olga.upload(name, file)
		require.Equal(t, http.StatusSeeOther, answer.StatusCode, body)
		id := strings.TrimPrefix(answer.Header.Get("Location"), "/jobs/")
		j := olga.job(id)
		require.Equal(t, []int64{155, 3, 2, 150}, []int64{j.Rows, j.Rejected, j.Duplicate, j.Accounts}, name)
		olga.start(id)
		until(t, "the job is finished", func() bool { return olga.ended(id) })
		requireMatch(t, p.database, base, id)
		_, results := olga.get("/jobs/" + id + "/results.csv")
		rows := readCSV(t, []byte(results))
		require.Len(t, rows, 151)
		require.Equal(t, []string{"member_0000149", "Chengdu"}, rows[150][7:])
	}
	answer, body := olga.post("/jobs", url.Values{"text": {"ann"}})
	require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode, body)
	pasted := olga.paste("ann\nbob\nann\n")
	j := olga.job(pasted)
	require.Equal(t, []int64{3, 1, 2}, []int64{j.Rows, j.Duplicate, j.Accounts})
}

// An admin protects accounts: files are read without them, and a job that is
// under way sends them no more.
func TestProtectedAccountsAreNeverSent(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		simulator, base := simulate(t, func(c *timtest.Config) { c.UnknownShare = 0 })
		p := newProgram(t, base, database)
		p.settings = append(p.settings, "CONSOLE_TIM_RATE=20")
		p.start()
		olga, adam := p.signIn("olga"), p.signIn("adam")
		answer, body := olga.post("/protected", url.Values{"accounts": {"member_0000001"}, "note": {"VIP"}})
		require.Equal(t, http.StatusForbidden, answer.StatusCode, body)
		protect := func(accounts string) {
			answer, body := adam.post("/protected", url.Values{"accounts": {accounts}, "note": {"VIP"}})
			require.Equal(t, http.StatusSeeOther, answer.StatusCode, body)
		}
		protect("member_0000001\nmember_0000002")
		id := olga.draft(accountFile(6_000))
		j := olga.job(id)
		require.Equal(t, []int64{6_000, 2, 5_998}, []int64{j.Rows, j.Protected, j.Accounts})
		olga.start(id)
		until(t, "the job runs", func() bool { return len(simulator.Ledger()) > 2 })
		protect("member_0005998\nmember_0005999")
		until(t, "the job is finished", func() bool { return olga.ended(id) })
		j = olga.job(id)
		require.Equal(t, []int64{6_000, 4, 5_996, 5_996},
			[]int64{j.Rows, j.Protected, j.Accounts, j.Outcomes["cleared"] + j.Outcomes["untagged"]})
		for _, call := range simulator.Ledger() {
			for _, name := range []string{"member_0000001", "member_0000002", "member_0005998", "member_0005999"} {
				require.NotContains(t, call.Accounts, name)
			}
		}
		requireMatch(t, database, base, id)
		_, rejects := olga.get("/jobs/" + id + "/rejects.csv")
		require.Len(t, readCSV(t, []byte(rejects)), 1+4)
	})
}
