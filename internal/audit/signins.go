package audit

import (
	"context"
	"slices"
	"time"

	"tagsweep/internal/store"
)

// FailedSignIns is how often somebody failed to sign in with a user name.
type FailedSignIns struct {
	Count     int64
	More      bool // there were more: only so many entries are read
	Since     time.Time
	Last      time.Time
	Addresses []string // a few
}

// maxFailedEntries is a day of attempts, of which each minute has an entry.
const maxFailedEntries = 1_440

// FailedSignIns sums up what the log says of a user name since a time.
func (l *Log) FailedSignIns(ctx context.Context, name string, since time.Time) (f FailedSignIns, err error) {
	first, err := l.reachedAt(ctx, since.Add(time.Millisecond))
	if err != nil {
		return f, err
	}
	entries, err := store.Collect(ctx, l.db.Reader(), scanEntry, selectLines+`
		code = $1 AND seq IN (SELECT seq FROM audit_words WHERE word = $2 AND seq >= $3 ORDER BY seq DESC LIMIT $4) ORDER BY seq DESC`,
		SignInFailed, Subject{OfUser, name}.term(), first, maxFailedEntries)
	f.More = len(entries) == maxFailedEntries
	for _, e := range entries {
		f.add(e, folded(name))
	}
	return f, err
}

// add takes in an entry, which is older than those before it.
func (f *FailedSignIns) add(e Entry, name string) {
	count, began, from := int64(0), e.At, []any{}
	sums, _ := e.Details["by_name"].([]any)
	for _, sum := range sums {
		if sum, is := sum.(map[string]any); is && folded(textOf(sum["name"])) == name {
			count += WholeNumber(sum["count"])
			from, _ = sum["addresses"].([]any)
			if since, err := time.Parse(time.RFC3339, textOf(e.Details["since"])); err == nil {
				began = since
			}
		}
	}
	if sums == nil && folded(e.Target) == name {
		count, from = 1, []any{e.Actor.Address}
	}
	if count == 0 {
		return
	}
	if f.Count == 0 {
		f.Last = e.At
	}
	f.Count, f.Since = f.Count+count, began
	for _, address := range from {
		if text := textOf(address); text != "" && len(f.Addresses) < fromInSum && !slices.Contains(f.Addresses, text) {
			f.Addresses = append(f.Addresses, text)
		}
	}
}

func textOf(value any) string {
	text, _ := value.(string)
	return text
}

// FlushOf records at once what was counted, if failed sign-ins with a user name are among it.
func (r *Refusals) FlushOf(ctx context.Context, name string) error {
	r.mutex.Lock()
	is := func(other string) bool { return folded(other) == folded(name) }
	found := slices.ContainsFunc(r.later, func(e Entry) bool { return e.Code == SignInFailed && is(e.Target) })
	for _, s := range r.sums {
		found = found || s.last.Code == SignInFailed && slices.ContainsFunc(s.targets, func(t tally) bool { return is(t.name) })
	}
	r.mutex.Unlock()
	if !found {
		return nil
	}
	return r.record(ctx, 0)
}
