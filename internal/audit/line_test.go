package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var anyEntry = rapid.Custom(func(t *rapid.T) Entry {
	return Entry{
		Seq: rapid.Int64Range(1, 1<<50).Draw(t, "seq"), At: time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "at")).UTC(),
		Code: rapid.SampledFrom(Codes).Draw(t, "code"),
		Actor: Actor{ID: rapid.String().Draw(t, "id"), Name: rapid.String().Draw(t, "name"), Role: "admin",
			SignedIn: ByPassword, Session: "s", Address: "::1", UserAgent: rapid.String().Draw(t, "agent"), RequestID: "r"},
		JobID: rapid.StringMatching(`[a-z0-9]{0,16}`).Draw(t, "job"), Target: rapid.String().Draw(t, "target"),
		App: "Chat (test)", Domain: "http://127.0.0.1",
		Details: map[string]any{"note": rapid.String().Draw(t, "note"), "rows": float64(rapid.Int32().Draw(t, "rows")),
			"kind": "clear", "list": []any{"a", rapid.String().Draw(t, "item")}},
	}
})

func TestAnEntryIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyEntry.Draw(t, "entry")
		text, err := json.Marshal(e) // what JSON cannot hold is replaced before an entry is written
		require.NoError(t, err)
		e = Entry{}
		require.NoError(t, json.Unmarshal(text, &e))
		w, err := Write(e)
		require.NoError(t, err)
		require.NotContains(t, w.Line, "\n")
		read, err := w.Read()
		require.NoError(t, err)
		require.Equal(t, e, read)
	})
}

func TestLineHoldsPersonalDataAsDigest(t *testing.T) {
	e := Entry{Seq: 1, At: time.UnixMilli(1), Code: TagsRead,
		Actor:  Actor{ID: "u1", Name: "Olga Smirnova", Role: "operator", Address: "192.0.2.7", UserAgent: "Firefox"},
		Target: "ann.lee@example.com", Details: map[string]any{"note": "for Ann", "accounts": 3, "kind": "clear", "sha256": "abc"}}
	w, err := Write(e)
	require.NoError(t, err)
	for _, personal := range []string{"Olga", "192.0.2.7", "Firefox", "ann.lee", "for Ann"} {
		require.NotContains(t, w.Line, personal)
		require.Contains(t, w.Personal, personal)
	}
	for _, public := range []string{`"accounts":3`, `"kind":"clear"`, `"sha256":"abc"`} {
		require.Contains(t, w.Line, public)
	}
	sum := sha256.Sum256([]byte(w.Personal))
	require.Contains(t, w.Line, `"personal":"`+hex.EncodeToString(sum[:])+`"`)
	again, err := Write(e)
	require.NoError(t, err)
	require.NotEqual(t, w.Line, again.Line, "the salt is another: equal entries cannot be told from their digests")

	erased, err := Written{Line: w.Line}.Read()
	require.NoError(t, err)
	require.True(t, erased.Erased)
	require.Equal(t, []any{"u1", "", "", TagsRead}, []any{erased.Actor.ID, erased.Actor.Name, erased.Target, erased.Code})
	_, err = Written{Line: w.Line, Personal: strings.Replace(w.Personal, "Olga", "Adam", 1)}.Read()
	require.ErrorIs(t, err, ErrPersonal)
}

func FuzzRead(f *testing.F) {
	w, err := Write(Entry{Seq: 3, At: time.UnixMilli(5), Code: SignedOut, Actor: Actor{Name: "olga"}, Details: map[string]any{"a": "b"}})
	require.NoError(f, err)
	f.Add(w.Line, w.Personal)
	f.Add(w.Line, "")
	f.Add("{}", "{}")
	f.Fuzz(func(t *testing.T, line, personal string) {
		e, err := Written{line, personal}.Read()
		if err != nil {
			return
		}
		require.Equal(t, personal == "", e.Erased)
		e.Terms()
	})
}

func TestWordsOfASearchText(t *testing.T) {
	for text, want := range map[string][]string{
		"OPS-4711: Churned users": {"ops", "4711", "churned", "users"},
		"七月流失用户.csv":              {"七月", "月流", "流失", "失用", "用户", "csv"},
		"vip客户x":                  {"vip", "客户", "x"},
		"好":                       {"好"},
		" -- ":                    nil,
	} {
		require.Equal(t, want, Words(text), text)
	}
	require.Len(t, Words(strings.Repeat("x", 1000))[0], maxTerm)
}
