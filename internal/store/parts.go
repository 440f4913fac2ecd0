package store

import (
	"context"
	"slices"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// part is a range of a batch.
type part struct {
	first, size, pending int64
	change               []byte // sealed
}

// partsOf divides a batch where the rest of its accounts goes on in parts of even size.
func partsOf(st jobs.Settlement, size int64) []part {
	own := map[int64]bool{}
	for _, o := range st.Own {
		own[o.Seq] = true
	}
	rest := slices.DeleteFunc(slices.Clone(st.Accounts), func(p jobs.Pending) bool { return own[p.Seq] })
	n := max(1, min(st.Parts, len(rest)))
	parts := make([]part, n)
	for i := range parts {
		from, to := i*len(rest)/n, (i+1)*len(rest)/n
		parts[i] = part{first: st.First, pending: int64(to - from)}
		if i > 0 {
			parts[i].first = rest[from].Seq
		}
	}
	for i := range parts {
		end := st.First + size
		if i+1 < n {
			end = parts[i+1].first
		}
		parts[i].size = end - parts[i].first
	}
	return parts
}

// keep keeps the tags that a claim found and those its next call changes, and
// returns the parts the rest goes on as. Where they cannot be kept, nothing that
// was read counts, and the job halts.
func (t *settling) keep(ctx context.Context, st *jobs.Settlement, size int64) ([]part, error) {
	if err := t.waitFor(ctx, st); err != nil {
		return nil, err
	}
	err := t.keepFound(ctx, *st)
	parts := partsOf(*st, size)
	for i := range parts {
		if err == nil {
			parts[i].change, err = t.sealChange(ctx, *st, parts[i])
		}
	}
	if !unreadable(err) && !unkeepable(err) {
		return parts, err
	}
	t.stop.code, t.stop.info, t.stop.call = jobs.CodeUnreadable, err.Error(), st.Call
	if st.Command == tim.GetTags {
		st.Rest, st.Own, st.Parts, st.Ask, st.Code, st.Tries = st.Was, nil, 0, false, st.LastCode, st.Claim.Tries
	}
	st.Found, st.Change, st.Next = nil, nil, tim.GetTags
	if t.state == jobs.Cancelled && st.Rest == jobs.InDoubt { // one that cannot be halted
		st.Ask, st.Code = true, jobs.CodeUnreadable
	}
	if err := t.waitFor(ctx, st); err != nil {
		return nil, err
	}
	return partsOf(*st, size), nil
}

// waitFor makes sure of what the rest of a claim waits for.
func (t *settling) waitFor(ctx context.Context, st *jobs.Settlement) error {
	if t.state == jobs.Cancelled && st.Rest == jobs.Waiting {
		whenCancelled(st)
	}
	switch {
	case st.Rest == jobs.InDoubt:
		st.Next, st.Change = tim.GetTags, nil
	case st.Rest != jobs.Waiting:
		st.Next, st.Change = "", nil
	case st.Next == "": // it begins anew, which is never wrong
		st.Next = st.Kind.First(st.Snapshot)
	case st.Was == jobs.InDoubt && st.Next != st.Kind.First(st.Snapshot):
		// What is in doubt is read whatever another job has read of the same accounts,
		// to change them next. So where accounts are shared, it is read once more, in turn.
		var shared bool
		if err := t.tx.QueryRowContext(ctx, `SELECT `+shares+` FROM jobs j WHERE j.id = $1`, st.JobID).Scan(&shared); err != nil || !shared {
			return err
		}
		st.Next, st.Change = tim.GetTags, nil
	}
	return nil
}

// whenCancelled is what becomes, in a job that was cancelled, of a claim whose
// accounts would go on waiting.
func whenCancelled(st *jobs.Settlement) {
	st.Rest, st.Parts, st.Next, st.Change = jobs.Unsent, 0, "", nil
	if st.Kind.Tagged() && (st.Touched || left(*st)) {
		st.Rest, st.Code, st.Message = jobs.Failed, jobs.CodeCutShort, ""
	}
}
