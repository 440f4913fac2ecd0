package messages

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

func TestEveryLanguageHasTheSameKeys(t *testing.T) {
	for _, text := range Languages {
		keys := slices.DeleteFunc(text.Keys(), func(key string) bool { return strings.HasPrefix(key, "fault.") && key != "fault.label" })
		require.Equal(t, English.Keys(), keys, text.Lang)
	}
}

func TestTranslationsKeepThePlaceholders(t *testing.T) {
	for _, text := range Languages {
		for key, e := range text.entries {
			if english, ok := English.entries[key]; ok {
				require.Equal(t, Placeholders(english.text), Placeholders(e.text), "%s: %s", text.Lang, key)
			}
			if e.one != "" {
				require.LessOrEqual(t, e.argument, len(Placeholders(e.text)), "%s: %s", text.Lang, key)
			}
		}
	}
}

// notTranslated are the words of a Chinese text that stay as they are, besides those in capitals.
var notTranslated = []string{"account", "administrator", "Big", "Excel", "http", "https", "i", "syslog", "Tagsweep", "timpush", "Windows"}

// typed is what people type or find as it stands there.
var typed = regexp.MustCompile(`console verify[ -~]*|--checkpoints|all_member_push|job\.json|Asia/Shanghai|Europe/London`)

// One English word in a Chinese sentence is too many, unless Chinese writes it so: CSV, SQLite, MiB.
func TestChineseTextsAreChinese(t *testing.T) {
	words, capitals := regexp.MustCompile(`[A-Za-z]+`), regexp.MustCompile(`^[A-Z]$|[A-Z].*[A-Z]`)
	for key, e := range Chinese.entries {
		for _, word := range words.FindAllString(filledIn.ReplaceAllString(typed.ReplaceAllString(e.text, ""), "0"), -1) {
			if !capitals.MatchString(word) {
				require.Contains(t, notTranslated, word, key)
			}
		}
	}
}

var filledIn = regexp.MustCompile(`%(\[\d+\])?[a-z]`)

func TestEveryCodeHasAText(t *testing.T) {
	var keys []string
	for _, code := range audit.Codes {
		keys = append(keys, "audit."+string(code))
	}
	for _, reason := range accounts.Reasons {
		keys = append(keys, "reason."+string(reason))
	}
	for _, question := range []string{
		accounts.AskSheets, accounts.AskSeparator, accounts.AskFirstLine, accounts.AskHeader, accounts.AskColumn,
	} {
		keys = append(keys, "ask."+question, "ask."+question+".about")
	}
	for _, doubt := range accounts.Doubts {
		keys = append(keys, "ask."+string(doubt), "ask."+string(doubt)+".about")
	}
	for _, answer := range []string{accounts.Aside, accounts.Accept} {
		keys = append(keys, "ask."+answer, "ask."+answer+".help", "ask.done."+answer)
	}
	for _, code := range append(tim.Codes(), 0, jobs.CodeProtected, jobs.CodeLeft, jobs.CodeLost, jobs.CodeTooFull,
		jobs.CodeTooMany, jobs.CodeRestored, jobs.CodeCutShort, jobs.CodeUnreadable, jobs.CodeDown, jobs.CodeLostAnswers, jobs.CodeFailures,
		jobs.CodeGained) {
		keys = append(keys, "tim."+strconv.Itoa(code))
	}
	for _, state := range append(slices.Clone(jobs.States), jobs.Reading, "pausing", "cancelling", "scheduled") {
		keys = append(keys, "state."+string(state), "job."+string(state)+".why")
	}
	for _, outcome := range jobs.Outcomes {
		keys = append(keys, "outcome."+string(outcome), "outcome."+string(outcome)+".why")
	}
	for _, decision := range []jobs.Decision{jobs.Retry, jobs.Leave, jobs.ReadBack} {
		keys = append(keys, "decision."+string(decision))
	}
	for _, command := range []tim.Command{tim.RemoveAllTags, tim.GetTags, tim.AddTags, tim.RemoveTags} {
		keys = append(keys, "command."+string(command))
	}
	for _, kind := range jobs.Kinds {
		keys = append(keys, "kind."+string(kind))
	}
	for _, policy := range []snapshot.Policy{snapshot.Merge, snapshot.Skip, snapshot.Stop} {
		keys = append(keys, "policy."+string(policy), "policy."+string(policy)+".why")
	}
	for _, relation := range []string{"retry", "undo", "inspect", "clear", "verify", "again"} {
		keys = append(keys, "made."+relation, "origin."+relation)
	}
	for _, why := range []audit.Why{audit.Changed, audit.Shorter, audit.CheckpointGone, audit.OtherLog, audit.NoWitness, audit.Damaged} {
		keys = append(keys, "alarm."+string(why))
	}
	for _, delivery := range []string{"intended", "not_sent", "answered", "lost"} {
		keys = append(keys, "delivery."+delivery)
	}
	for _, encoding := range accounts.Encodings {
		keys = append(keys, "encoding."+string(encoding))
	}
	for _, sign := range accounts.Separators {
		keys = append(keys, "separator."+signNames[sign], "format."+signNames[sign])
	}
	for _, sign := range accounts.Quotes {
		keys = append(keys, "quote."+signNames[sign])
	}
	for _, role := range auth.Roles {
		keys = append(keys, "role."+string(role), "role."+string(role)+".may")
	}
	for _, text := range Languages {
		for _, key := range keys {
			require.True(t, text.Has(key), "%s has no text for %s", text.Lang, key)
		}
	}
}

// TestPagesAndTextsAgree finds keys that a page uses and no catalogue holds,
// and texts that no page uses.
func TestPagesAndTextsAgree(t *testing.T) {
	literal := regexp.MustCompile(`\.(?:T|Has|For|changed|protectionChanged|proofChanged)\((?:\s*v,\s*err,)?\s*"([a-z_0-9.]+)"[,)]`)
	families := regexp.MustCompile(`^(state|outcome|audit|role|reason|tim|detail|month|environment|` +
		`account\.theme|again|right|encoding|separator|quote|format|decision|command|error\.title|kind|policy|made|origin|delivery|ask|alarm|` +
		`approval\.(action|done|limit|approvers|state))\.|^job\.[a-z]+\.why$`)
	ofKind := regexp.MustCompile(`\.(clear|inspect|restore|add_tags|remove_tags)$`) // a text that one kind of job has for itself
	used := map[string]bool{}
	for _, pattern := range []string{"*.go", "../*.go", "../*.templ", "../../*.go"} {
		names, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_templ.go") {
				continue
			}
			source, err := os.ReadFile(name)
			require.NoError(t, err)
			for _, found := range literal.FindAllStringSubmatch(string(source), -1) {
				used[found[1]] = true
				require.True(t, English.Has(found[1]), "%s uses %s, which has no text", name, found[1])
			}
		}
	}
	unused := slices.DeleteFunc(English.Keys(), func(key string) bool {
		common := ofKind.ReplaceAllString(key, "")
		return used[key] || used[common] || families.MatchString(key) || families.MatchString(common)
	})
	require.Empty(t, unused, "no page uses these")
}

func TestEnglishCountsOneAndMany(t *testing.T) {
	require.Equal(t, "Remove all tags from 1 account", English.T("confirm.submit", int64(1)))
	require.Equal(t, "Remove all tags from 48,120 accounts", English.T("confirm.submit", int64(48120)))
	require.Equal(t, "Type 1 to remove all tags from 1 account in Shop (Test)", English.T("confirm.label", "1", int64(1), "Shop", "Test"))
	require.Equal(t, "请输入 48,120，确认删除“商城”（测试环境）中 48,120 个账号的全部标签",
		Chinese.T("confirm.label", "48,120", int64(48120), "商城", "测试环境"))
}

func TestLanguageByCookieThenBrowser(t *testing.T) {
	for _, c := range []struct{ cookie, accept, want string }{
		{"", "", "en"},
		{"", "de-DE,de;q=0.9", "en"},
		{"", "zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"},
		{"", "en-GB,zh;q=0.5", "en"},
		{"en", "zh-CN", "en"},
		{"zh-Hans", "en", "zh-Hans"},
		{"<script>", "zh", "zh-Hans"},
	} {
		require.Equal(t, c.want, Choose(c.cookie, c.accept).Lang, "%+v", c)
	}
}

func TestValuesFollowTheLanguage(t *testing.T) {
	at := time.Date(2026, 7, 3, 14, 3, 5, 0, time.Local)
	require.Equal(t, "3 Jul 2026, 14:03:05", English.Time(at))
	require.Equal(t, "2026年7月3日 14:03:05", Chinese.Time(at))
	require.Equal(t, "1 h 5 min", English.Duration(65*time.Minute))
	require.Equal(t, "12 小时", Chinese.Duration(12*time.Hour))
	require.Equal(t, "2 分 5 秒", Chinese.Duration(125*time.Second))
	require.Equal(t, "0 s", English.Duration(0))
	require.Equal(t, "999 bytes", English.Size(999))
	require.Equal(t, "1 byte", English.Size(1))
	require.Equal(t, "1.4 MB", English.Size(1_448_639))
	require.Equal(t, "100 MB", English.Size(100_000_000))
	require.Equal(t, "7, 19, 402", English.Ints([]int64{7, 19, 402}))
	require.Equal(t, "7、19、402", Chinese.Ints([]int64{7, 19, 402}))
	require.Equal(t, "In doubt", English.Capital(English.Outcome(jobs.InDoubt)))
	require.Equal(t, "Job status: paused.", English.T("job.announce", jobs.Paused))
}

func TestPercentNeverRoundsToAllOrNothing(t *testing.T) {
	require.Equal(t, "0%", English.Percent(0, 100))
	require.Equal(t, "0%", English.Percent(0, 0))
	require.Equal(t, "0.1%", English.Percent(1, 1_000_000))
	require.Equal(t, "99.9%", English.Percent(999_999, 1_000_000))
	require.Equal(t, "100%", English.Percent(7, 7))
	require.Equal(t, "33.3%", English.Percent(1, 3))
}

func TestMistakesInACatalogueAreFound(t *testing.T) {
	entries := map[string]entry{}
	for _, line := range []string{"", "# a remark", "a b = text", "c {one 1} = one", "c = many"} {
		require.NoError(t, read(line, entries), line)
	}
	require.Equal(t, map[string]entry{"a": {text: "text"}, "b": {text: "text"}, "c": {text: "many", one: "one", argument: 1}}, entries)
	for _, line := range []string{"a = again", "no text", "d =", "d = ", "c {one 1} = again", "d {one x} = one", "d {one 0} = one"} {
		require.Error(t, read(line, entries), line)
	}
}
