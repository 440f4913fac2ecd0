package audit

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tagsweep/internal/store"
)

// Erasure is what erasing a subject would take from the log now, and what stays.
type Erasure struct {
	Subject
	Entries int64       `json:"entries"` // whose personal parts go
	Last    int64       `json:"last"`    // of them
	From    time.Time   `json:"from"`    // when the first and the last happened
	To      time.Time   `json:"to"`
	Codes   []CodeCount `json:"codes"`
	Goes    []Entry     `json:"goes"`     // a page of the entries, the oldest first, with nothing but what goes: see going
	Next    int64       `json:"next"`     // the next page is of entries after this one; 0: there is none
	Kept    int64       `json:"kept"`     // entries of NeverErased about the subject: they stay
	InTexts []int64     `json:"in_texts"` // entries that have the value within a longer text, the newest few: they stay
}

// CodeCount is how many entries of an event there are.
type CodeCount struct {
	Code    Code  `json:"code"`
	Entries int64 `json:"entries"`
}

// Confirmed is what a person saw of an Erasure and typed.
type Confirmed struct{ Entries, Last int64 }

const (
	goesOnAPage   = 25
	searchedTexts = 1_000 // entries in which an Erasure looks for the value within texts
	foundTexts    = 20    // of which it names so many
)

// aboutSubject chooses the entries about a subject, by the arguments of [Subject.args].
const aboutSubject = `personal <> '' AND seq IN (SELECT seq FROM audit_words WHERE word IN ($1, $2)
	UNION SELECT seq FROM audit_lines WHERE $3 <> '' AND actor IN ($3, $4))`

func (s Subject) args(more ...any) []any {
	return append([]any{s.term(), searched + s.term(), s.actor(), strings.ToLower(s.Value)}, more...)
}

// valid returns the subject as entries have it, or FaultEraseName.
func (s Subject) valid() (Subject, error) {
	if s.Kind != OfAccount {
		s.Value = strings.TrimSpace(s.Value)
	}
	s.Value = store.Clean(s.Value, maxSubject)
	switch {
	case strings.TrimSpace(s.Value) == "", s.Kind != OfUser && s.Kind != OfAccount && s.Kind != OfAddress,
		s.actor() == System.Name:
		return s, FaultEraseName.With()
	}
	return s, nil
}

// Erasure returns what erasing a subject would take, with the page of entries after one, or
// FaultEraseName. Nothing is changed.
func (l *Log) Erasure(ctx context.Context, of Subject, after int64) (e Erasure, err error) {
	if of, err = of.valid(); err != nil {
		return e, err
	}
	if e, err = erasure(ctx, l.db.Reader(), of); err != nil {
		return e, err
	}
	e.Goes, err = store.Collect(ctx, l.db.Reader(), scanEntry, selectLines+aboutSubject+`
		AND code NOT IN `+listOf(NeverErased)+` AND seq > $5 ORDER BY seq LIMIT $6`, of.args(after, goesOnAPage)...)
	if err != nil {
		return e, err
	}
	for i := range e.Goes {
		e.Goes[i] = e.Goes[i].going()
	}
	if n := len(e.Goes); n > 0 && e.Goes[n-1].Seq < e.Last {
		e.Next = e.Goes[n-1].Seq
	}
	e.InTexts, err = l.inTexts(ctx, of)
	return e, err
}

// going is an entry with the names, addresses and texts that erasing takes from it. Number,
// time, event, job, and the id and role of who acted say which it is; they stay.
func (e Entry) going() Entry {
	goes := Entry{Seq: e.Seq, At: e.At, Code: e.Code, JobID: e.JobID, Target: e.Target, Details: map[string]any{},
		Actor: Actor{ID: e.Actor.ID, Role: e.Actor.Role, Name: e.Actor.Name, Address: e.Actor.Address, UserAgent: e.Actor.UserAgent}}
	for name, value := range e.Details {
		if !isImpersonal(name, value) {
			goes.Details[name] = value
		}
	}
	return goes
}

// erasure counts.
func erasure(ctx context.Context, q store.Querier, of Subject) (e Erasure, err error) {
	e = Erasure{Subject: of, Codes: []CodeCount{}}
	type group struct {
		CodeCount
		from, to time.Time
		last     int64
	}
	groups, err := store.Collect(ctx, q, func(row store.Scanner) (g group, err error) {
		return g, row.Scan(&g.Code, &g.Entries, store.ScanTime(&g.from), store.ScanTime(&g.to), &g.last)
	}, `SELECT code, COUNT(*), MIN(at), MAX(at), MAX(seq) FROM audit_lines WHERE `+aboutSubject+`
		GROUP BY code ORDER BY code`, of.args()...)
	for _, g := range groups {
		if slices.Contains(NeverErased, g.Code) {
			e.Kept += g.Entries
			continue
		}
		if e.Entries == 0 || g.from.Before(e.From) {
			e.From = g.from
		}
		if g.to.After(e.To) {
			e.To = g.to
		}
		e.Entries, e.Last, e.Codes = e.Entries+g.Entries, max(e.Last, g.last), append(e.Codes, g.CodeCount)
	}
	return e, err
}

// inTexts returns entries whose texts have the value beside other words.
func (l *Log) inTexts(ctx context.Context, of Subject) (seqs []int64, err error) {
	seqs = []int64{}
	words, _, err := l.rarestFirst(ctx, Words(of.Value), Filter{})
	if err != nil || len(words) == 0 {
		return seqs, err
	}
	candidates, err := store.Collect(ctx, l.db.Reader(), scanEntry, selectLines+`NOT (`+aboutSubject+`)
		AND seq IN (SELECT seq FROM audit_words WHERE word = $5) ORDER BY seq DESC LIMIT $6`, of.args(words[0], searchedTexts)...)
	for _, e := range candidates {
		if len(seqs) < foundTexts && (contains(e.Target, of.Value) || inDetails(e.Details, of.Value)) {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs, err
}

func inDetails(value any, name string) bool {
	switch value := value.(type) {
	case string:
		return contains(value, name)
	case []any:
		for _, part := range value {
			if inDetails(part, name) {
				return true
			}
		}
	case map[string]any:
		for _, part := range value {
			if inDetails(part, name) {
				return true
			}
		}
	}
	return false
}

// contains reports whether a text has a name in it, however it is written, as words of
// their own: "ann" is in "for Ann, as asked" and not in "planned". Chinese has no spaces.
func contains(text, name string) bool {
	text, name = folded(text), folded(name)
	joined := func(a, b rune) bool {
		inWord := func(r rune) bool { return (unicode.IsLetter(r) || unicode.IsDigit(r)) && !unicode.Is(unicode.Han, r) }
		return inWord(a) && inWord(b)
	}
	first, _ := utf8.DecodeRuneInString(name)
	last, _ := utf8.DecodeLastRuneInString(name)
	for from := 0; name != ""; {
		at := strings.Index(text[from:], name)
		if at < 0 {
			return false
		}
		at += from
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(name):])
		if !joined(before, first) && !joined(last, after) {
			return true
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		from = at + size
	}
	return false
}
