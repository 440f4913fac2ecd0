package accounts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/fault"
)

// briefly writes rows with tags as "line=account[tag tag]" or "line!reason".
func briefly(rows []Row) string {
	var words []string
	for _, row := range rows {
		words = append(words, brief([]Row{row}))
		if row.Reason == "" {
			words[len(words)-1] += fmt.Sprintf("%q", row.Tags)
		}
	}
	return strings.Join(words, " ")
}

// taggedWorkbook has in its second column what a spreadsheet can hold of tags.
func taggedWorkbook(t require.TestingT) string {
	return filetest.Workbook(t, [][]any{
		{"账号", "标签"}, {"a1", "付费；活跃"}, {"a2", 2024}, {"a3", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"a4"}, {"a5", 1.5}, {"a6", true}, {"a7", "vip\nnew"},
	})
}

func TestEveryFileOfTagsIsReadAsDecided(t *testing.T) {
	none := Choices{}
	x, biao := strings.Repeat("x", 50), strings.Repeat("标", 16)
	for _, test := range []struct {
		file    string
		columns string // of the accounts and of the tags, from 1
		rows    string
		choices Choices
	}{
		{"comma.csv", "1 2",
			`2=a1["vip"] 3=a2["gold" "Gold"] 4=a3["vip" "new"] 5!ragged 6!no_tag 7!no_tag 8=a7["a;b" "c"] 9!bad_tag 11!empty`, none},
		{"chinese.csv", "1 3", `2=a1["付费" "活跃" "北京"] 3=a2["a" "b" "c" "d"]`, none},
		{"left-of-account.tsv", "2 1", `2=a1["vip"] 3=a2["gold" "vip"]`, none},
		{"header-by-tags.csv", "1 2", `2=ann["vip"] 3=bob["gold" "vip"]`, none},
		{"weak-id.csv", "1 2", `2=17["vip_a1"] 3=23["vip_b2"]`, none},
		{"no-header.csv", "1 2", `1=a1["vip"] 2=a2["gold" "new"] 3!no_tag`, none},
		{"other-name.csv", "1 2", `2=a1["vip"] 3=a2["gold"]`, none},
		{"unused-columns.csv", "1 3", `2=a1["vip"] 3=a2["gold"]`, none},
		{"word-beats-ending.csv", "1 3", `2=a1["vip"] 3=a2["gold"]`, Choices{TagColumn: 3}},
		{"word-beats-ending.csv", "2 3", `2=x["vip"] 3=y["gold"]`, Choices{Column: 2}},
		{"word-beats-ending.csv", "3 1", `2!unlike 3=gold["a2"]`, Choices{Column: 3, TagColumn: 1}},
		{"marked.csv", "1 3", `2=a1["vip"] 3=a2["gold"]`, none},
		{"tag-lengths.csv", "1 2", `2=a1["` + x + `"] 3!tag_too_long 4=a3["` + biao + `"] 5!tag_too_long`, none},
		{"spreadsheet-leftovers.csv", "1 2",
			`2!bad_tag 3!bad_tag 4=a3["5\" disk"] 5!bad_tag 6=a5["x"] 7!bad_tag 8=a7["1.0"] 9!bad_tag 10!no_tag 11=a10["NULL"]`, none},
		{"joined-other-order.csv", "1 2", `2=a1["vip"] 3!columns_changed 4!columns_changed 5!repeated_header 6=c1["new"]`, none},
		{"joined-no-header.csv", "1 2", `1=a1["vip"] 2=a2["vip"] 3!columns_changed 4!columns_changed 5!columns_changed 6!columns_changed`,
			Choices{FirstLine: 1, Header: No, TagColumn: 2}},
		{"apostrophes.csv", "1 2", `2=a1["=x" "'+y"] 3=a2["-vip"] 4=a3["@x"]`, none},
		{"pipe.txt", "1 2", `2=a1["vip" "gold"] 3=a2["x" "y"]`, none},
		{"like-several.csv", "1 2", `1=u1001["u1002"] 2=u1003["u1004"]`, Choices{TagColumn: 2}},
		{"refused/three-columns.csv", "1 3", `2=a1["Rome"]`, Choices{TagColumn: 3}},
		{"refused/names.csv", "1 2", `2=a1["张三"] 3=a2["李四"]`, Choices{TagColumn: 2}},
		{"refused/left-unnamed.csv", "2 1", `1=user_1001["vip"] 2=user_1002["gold"]`, Choices{TagColumn: 1}},
	} {
		t.Run(test.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata/tags", test.file))
			require.NoError(t, err)
			readsTags(t, string(text), test.columns, test.rows, test.choices)
		})
	}
	readsTags(t, taggedWorkbook(t), "1 2", `2=a1["付费" "活跃"] 3=a2["2024"] 4!bad_tag 5!no_tag 6!bad_tag 7!bad_tag 8!bad_tag`, none)
	readsTags(t, filetest.Gzip(t, "用户ID,标签\na1,x;y\n"), "1 2", `2=a1["x" "y"]`, none)
}

func readsTags(t *testing.T, text, columns, want string, c Choices) {
	t.Helper()
	r, err := Open(filetest.Section(text), Options{Choices: c, Tags: true})
	require.NoError(t, err)
	rows, err := rest(r)
	require.NoError(t, err)
	u := r.Understanding()
	require.Equal(t, columns, fmt.Sprint(u.Column+1, " ", u.TagColumn))
	require.Equal(t, want, briefly(rows))
	for _, row := range rows {
		if row.Reason == "" {
			require.Equal(t, row.Tags, u.Tags(row.Fields))
		}
	}
}

func TestTagFileRowHolds100DistinctTags(t *testing.T) {
	text, err := os.ReadFile("testdata/tags/many-tags.csv")
	require.NoError(t, err)
	r, err := Open(filetest.Section(string(text)), Options{Tags: true})
	require.NoError(t, err)
	rows, err := rest(r)
	require.NoError(t, err)
	require.Equal(t, "2=a1 3!many_tags 4=a3", brief(rows))
	require.Len(t, rows[0].Tags, 100)
	require.Equal(t, rows[0].Tags, rows[2].Tags)
}

func TestTagFileWithUnclearTagsIsRefused(t *testing.T) {
	for _, test := range []struct {
		file string
		want *fault.Sentence
		says string
		c    Choices
	}{
		{"one-column.txt", FaultNoTags, "one column", Choices{}},
		{"three-columns.csv", FaultTagColumn, "of the 3 columns", Choices{}},
		{"three-columns.csv", FaultNoTags, "", Choices{Separator: OnePerLine}},
		{"names.csv", FaultTagColumn, "of the 2 columns", Choices{}},
		{"two-named.csv", FaultTagColumn, "of the 3 columns", Choices{}},
		{"../word-beats-ending.csv", FaultTagColumn, "of the 3 columns", Choices{}},
		{"left-unnamed.csv", FaultTagColumn, "of the 2 columns", Choices{}},
		{"only-header.csv", FaultEmpty, "", Choices{}},
		{"three-columns.csv", FaultSameColumn, "Column 2", Choices{Column: 2, TagColumn: 2}},
		{"three-columns.csv", FaultSameColumn, "Column 1", Choices{Column: 1, TagColumn: 1}},
		{"three-columns.csv", FaultColumn, "Column 4 does not exist: with these settings, the file has 3 columns", Choices{TagColumn: 4}},
		{"three-columns.csv", FaultChoice, "-1", Choices{TagColumn: -1}},
	} {
		t.Run(test.file, func(t *testing.T) {
			file, err := os.ReadFile(filepath.Join("testdata/tags/refused", test.file))
			require.NoError(t, err)
			_, err = Open(filetest.Section(string(file)), Options{Choices: test.c, Tags: true})
			require.True(t, test.want.Is(err), "%v", err)
			require.Contains(t, err.Error(), test.says)
			require.NotContains(t, err.Error(), "%!")
		})
	}
}

func TestEveryFileOfTagsIsTested(t *testing.T) {
	source, err := os.ReadFile("tagfiles_test.go")
	require.NoError(t, err)
	for _, pattern := range []string{"testdata/tags/*.*", "testdata/tags/refused/*.*"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			require.Contains(t, string(source), filepath.Base(file)+`"`)
		}
	}
}

// A file of tags may be cleared, and what was said of its tags then says nothing.
func TestTagFileIsReadForTagJobsOnly(t *testing.T) {
	const file = "account,tags\na1,vip\na2,\n"
	r, err := Open(filetest.Section(file), Options{Choices: Choices{TagColumn: 9}})
	require.NoError(t, err)
	rows, err := rest(r)
	require.NoError(t, err)
	require.Equal(t, "2=a1[] 3=a2[]", briefly(rows))
	require.Zero(t, r.Understanding().TagColumn)
	asked, err := Open(filetest.Section(file), Options{Tags: true})
	require.NoError(t, err)
	require.NotEqual(t, r.Understanding().Shape, asked.Understanding().Shape, "what is said of one is not said of the other")
}

func TestExportHeaderNamesTagColumn(t *testing.T) {
	for _, test := range []struct {
		header []string
		column int
		want   []string
	}{
		{[]string{"user_id", "tags"}, 2, []string{"user_id", "tags"}},
		{[]string{"user_id", "name", "city"}, 3, []string{"user_id", "name", "city [tags]"}},
		{[]string{"user_id", "tag", "label"}, 3, []string{"user_id", "tag", "label [tags]"}},
		{[]string{"user_id", "a [tags]", "b"}, 3, []string{"user_id", "a", "b [tags]"}},
	} {
		got := Understanding{Header: test.header, ByName: true, TagColumn: test.column}.ExportHeader()
		require.Equal(t, test.want, got)
		require.Equal(t, test.column-1, namedTags(got, 0))
	}
}

// tagOf draws what the service may hold as a tag.
func tagOf(t *rapid.T) string {
	runes := []rune{'a', 'B', '7', ' ', ' ', ';', '|', ',', '；', '、', '"', '"', '\'', '=', '-', '#',
		'标', '签', 'é', '😀', '\u00a0', '\u200b', '\uFEFF'}
	return rapid.OneOf(
		rapid.SampledFrom([]string{"NULL", "-", "#N/A", `="x"`, "1.23E+12", "n/a", "vip", `"`, `""`, " ", "'=x", "账号", "tags", "account"}),
		rapid.StringOfN(rapid.RuneFrom(runes), 1, 12, TagBytes),
	).Draw(t, "tag")
}

func TestTagsAreReadBackAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var file strings.Builder
		w := NewWriter(&file)
		require.NoError(t, w.Write([]string{"account", "tags"}))
		want := rapid.SliceOfN(rapid.SliceOfNDistinct(rapid.Custom(tagOf), 1, MostTags, rapid.ID[string]), 1, 5).Draw(t, "tags")
		for i, tags := range want {
			cell := JoinTags(tags)
			split, reason := SplitTags(cell)
			require.Empty(t, reason, "%q", cell)
			require.Equal(t, tags, split, "%q", cell)
			require.NoError(t, w.Write([]string{fmt.Sprintf("user_%d", i), cell}))
		}
		require.NoError(t, w.Flush())
		r, err := Open(filetest.Section(file.String()), Options{Tags: true})
		require.NoError(t, err)
		rows, err := rest(r)
		require.NoError(t, err)
		require.Len(t, rows, len(want))
		for i, row := range rows {
			require.Equal(t, want[i], row.Tags, "%q: %s", file.String(), row.Reason)
		}
	})
}
