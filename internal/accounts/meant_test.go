package accounts

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/filetest"
)

// decided are columns that say of each row whether it is meant: their name, what they
// say of those that are, and what of those that are not.
var decided = strings.Split(`Remove?|yes|no
remove_tags|1|0
To delete|x|
Delete Y/N|Y|N
keep|no|yes
Keep?|FALSE|TRUE
exclude||x
exception|n|y
action|remove|keep
Action|Delete|Skip
What to do|clear tags|do not remove
decision|REMOVE|ignore
comment||please keep
whitelisted|false|true
是否清除|是|否
是否删除标签|需要|不需要
删除|√|×
是否保留|否|是
操作|清除|保留
处理方式|清除标签|不清除
白名单||是
備註|刪除|不刪
Löschen|ja|nein
behalten|nein|ja
Aktion|entfernen|behalten
Supprimer|oui|non
à garder|non|oui
Eliminar|sí|no
ação|remover|manter
Удалить|да|нет
Действие|удалить|оставить
не удалять||да
approved|yes|no
Touch?|y|n
状态|同意|拒绝
検討|対象|対象外
削除|はい|いいえ
삭제|예|아니요
処理|削除|除外
usuń|tak|nie
Verwijderen|ja|nee`, "\n")

func meantSpecimens(t *testing.T) (list []specimen) {
	for i, line := range decided {
		words := strings.Split(line, "|")
		for form, content := range map[string]func(header string, rows [][]string) string{
			"csv": func(header string, rows [][]string) (out string) {
				for _, row := range append([][]string{{"user_id", "name", header}}, rows...) {
					out += strings.Join(row, ",") + "\n"
				}
				return out
			},
			"xlsx": func(header string, rows [][]string) string {
				cells := [][]any{{header, "user_id"}}
				for _, row := range rows {
					cells = append(cells, []any{row[2], row[0]})
				}
				return filetest.Workbook(t, cells)
			},
		} {
			var rows [][]string
			var truth []string
			for n, account := range im(1001, 1024) {
				says := words[1]
				if n%3 == i%3 {
					says = words[2]
				} else {
					truth = append(truth, account)
				}
				rows = append(rows, []string{account, people[n%len(people)], says})
			}
			list = append(list, specimen{kind: "K33", name: fmt.Sprintf("decided-%d.%s", i, form), content: content(words[0], rows), truth: truth})
		}
	}
	return list
}

func TestRowsThatAreSparedAreInDoubt(t *testing.T) {
	for _, s := range meantSpecimens(t) {
		found := s.read(t, Choices{Column: map[bool]int{true: 2, false: 1}[strings.HasSuffix(s.name, ".xlsx")]})
		require.Nil(t, found.refused, s.name)
		require.Equal(t, s.truth, found.accepted(), "%s %s", s.name, s.content)
		require.Equal(t, map[Reason]int{Spared: 8}, found.aside(), s.name)
		require.Len(t, found.asked, 1)
		require.Equal(t, string(Spared), found.asked[0].Name)
		require.Contains(t, found.asked[0].Choices[0].First[0], " (", "what spares the row is shown")
		require.Len(t, s.read(t, Choices{Rows: map[Reason]string{Spared: Accept}}).accepted(), 24)
	}
}

// Below the sample a row is spared as well, and words without a header say enough.
func TestASparedRowIsFoundAnywhere(t *testing.T) {
	late := specimen{content: rowsOf("user_id,remove", "{},yes", "\n", im(1, 5000)) + "im_6000,no\n"}.read(t, Choices{})
	require.Equal(t, map[Reason]int{Spared: 1}, late.aside())
	bare := specimen{content: rowsOf("", "{},remove", "\n", im(11, 30)) + "im_60,keep\n"}.read(t, Choices{Column: 1, Header: No})
	require.Equal(t, map[Reason]int{Spared: 1}, bare.aside())
	all := specimen{content: rowsOf("user_id,keep", "{},yes", "\n", im(11, 30))}.read(t, Choices{})
	require.Equal(t, map[Reason]int{Spared: 20}, all.aside(), "the list of those to keep")
}

// Flags, states and histories say what has been, not what is to be done.
func TestFlagsOfADatabaseSpareNobody(t *testing.T) {
	for _, column := range []string{
		"is_deleted|0|1", "isDelete|false|true", "enabled|true|false", "deleted_at||2026-11-02", "vip|1|0",
		"removed|0|1", "name|Ann|Keeper", "verified|yes|no", "can_delete|1|0", "note|removed by Ann|kept warm",
		"No.|1|0", "marketing|no|yes", "clear_date|2026-01-01|2026-01-02",
		"是否会员|是|否", "operation|delete|delete", "E-mail confirmed|yes|no", "已实名|是|否", "tax|true|false", "reply|x|y",
	} {
		words := strings.Split(column, "|")
		content := "user_id," + words[0] + "\n"
		for n, account := range im(1001, 1020) {
			content += account + "," + words[1+n%2] + "\n"
		}
		require.Zero(t, specimen{content: content}.read(t, Choices{Column: 1}).aside()[Spared], column)
	}
}

// Columns of states may say it in words that nobody foresaw: then every row is asked about.
func TestAColumnOfStatesIsAskedAbout(t *testing.T) {
	for _, column := range []string{
		"status|active|deleted", "状态|正常|已注销", "Review result|fine|wait", "处理结果|好|再议", "审核|A|B", "Go?|a|b",
	} {
		words := strings.Split(column, "|")
		content := "user_id," + words[0] + "\n"
		for n, account := range im(1001, 1020) {
			content += account + "," + words[1+n%2] + "\n"
		}
		found := specimen{content: content}.read(t, Choices{Column: 1, Header: Yes})
		require.Equal(t, map[Reason]int{Spared: 20}, found.aside(), column)
	}
}

// Where people answered yes and no, or made marks, below a name that nobody foresaw, every row is asked about.
func TestYesAndNoBelowAnyNameIsAskedAbout(t *testing.T) {
	for _, column := range []string{
		"Kündigen|ja|nein", "清标|是|否", "Törlés|igen|nem", "حذف|نعم|لا", "ลบแท็ก|ใช่|ไม่", "解除|○|×", "Verdict|✅|❌", "Odstranit|x|",
		"태그 삭제|O|X", "Cleanup|go|no go",
	} {
		words := strings.Split(column, "|")
		content := "user_id," + words[0] + "\n"
		for n, account := range im(1001, 1020) {
			content += account + "," + words[1+n%2] + "\n"
		}
		found := specimen{content: content}.read(t, Choices{})
		require.Equal(t, map[Reason]int{Spared: 20}, found.aside(), column)
	}
}

// Below such a name, a few cells that are filled say of whom it is true, in any words.
func TestReasonsToSpareAreAskedAbout(t *testing.T) {
	content := "user_id,exclusion reason\n" + rowsOf("", "{},", "\n", im(1001, 1020)) +
		"im_2001,customer of the year\nim_2002,sued us\n"
	require.Equal(t, map[Reason]int{Spared: 22}, specimen{content: content}.read(t, Choices{}).aside())
	dates := "user_id,clear_date\n" + rowsOf("", "{},{day}", "\n", im(1001, 1020)) + "im_2001,\n"
	require.Empty(t, specimen{content: dates}.read(t, Choices{}).aside())
}

// Who says yes in one column may say no in the next.
func TestTwoColumnsThatDecideAreAskedAbout(t *testing.T) {
	content := "user_id,Remove?,Approved by\n"
	for n, account := range im(1001, 1020) {
		content += account + "," + []string{"yes", "no"}[n%2] + "," + []string{"yes", "no"}[n/2%2] + "\n"
	}
	require.Equal(t, map[Reason]int{Spared: 20}, specimen{content: content}.read(t, Choices{}).aside())
}

// Among the values of a column are words that decide, and others: those are asked about.
func TestWordsAmongOthersDecide(t *testing.T) {
	content := "user_id,action\n"
	for n, account := range im(1001, 1020) {
		content += account + "," + []string{"remove", "ask Ann", "keep"}[n%3] + "\n"
	}
	found := specimen{content: content}.read(t, Choices{})
	require.Len(t, found.accepted(), 7)
	require.Equal(t, map[Reason]int{Spared: 13}, found.aside())
}

// A line that says only what is to be done with those below begins another part.
func TestALineThatDecidesBeginsAPart(t *testing.T) {
	for _, line := range []string{"keep", "Do not remove", "保留", "exclude"} {
		content := "user_id\n" + strings.Join(im(1001, 1020), "\n") + "\n" + line + "\n" + strings.Join(im(2001, 2003), "\n") + "\n"
		found := specimen{content: content}.read(t, Choices{})
		require.Equal(t, im(1001, 1020), found.accepted(), line)
	}
}
