package audit

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"tagsweep/internal/store"
)

// Listed is an entry in a list.
type Listed struct {
	Seq    int64
	Erased bool
}

// OfJob lists the entries of a job, and those that say why some of them
// are gone or have lost their personal part.
func (l *Log) OfJob(ctx context.Context, jobID string, sealed int64) (all []Listed, err error) {
	all, err = store.Collect(ctx, l.db.Reader(), func(row store.Scanner) (p Listed, err error) {
		return p, row.Scan(&p.Seq, &p.Erased)
	}, `SELECT seq, personal = '' FROM audit_lines WHERE job_id <> '' AND job_id = $1 ORDER BY seq`, jobID)
	if err != nil {
		return nil, err
	}
	removed, err := l.removedBefore(ctx, sealed)
	if err != nil {
		return nil, err
	}
	all = append(all, removed...)
	erased, err := l.erasures(ctx, all)
	all = append(all, erased...)
	slices.SortFunc(all, func(a, b Listed) int { return cmp.Compare(a.Seq, b.Seq) })
	return all, err
}

// removedBefore returns the log.removed entry for approvals that a seal names, if any.
func (l *Log) removedBefore(ctx context.Context, sealed int64) ([]Listed, error) {
	seal, err := scanEntry(l.db.Reader().QueryRowContext(ctx, selectLines+`seq = $1`, sealed))
	if err != nil {
		return nil, err
	}
	approvals, _ := seal.Details["approvals"].(string)
	first, _, _ := strings.Cut(approvals, ", ")
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return nil, nil // who checks the pack is told
	}
	e, err := scanEntry(l.db.Reader().QueryRowContext(ctx, selectLines+`code = $1 ORDER BY seq DESC LIMIT 1`, LogRemoved))
	if errors.Is(err, sql.ErrNoRows) || err == nil && WholeNumber(e.Details["to"]) < from {
		return nil, nil
	}
	return []Listed{{e.Seq, e.Erased}}, err
}

// erasures returns the entries that say that the personal parts of some others
// were erased.
func (l *Log) erasures(ctx context.Context, of []Listed) (found []Listed, err error) {
	var erased []int64
	for _, p := range of {
		if p.Erased {
			erased = append(erased, p.Seq)
		}
	}
	if len(erased) == 0 {
		return nil, nil
	}
	all, err := store.Collect(ctx, l.db.Reader(), scanEntry,
		selectLines+`code = $1 AND seq > $2 ORDER BY seq`, LogErased, slices.Min(erased))
	for _, e := range all {
		text, _ := e.Details["entries"].(string)
		said, err := readRanges(text)
		if err != nil {
			return nil, err
		}
		said = said.merged()
		if !slices.ContainsFunc(erased, func(seq int64) bool { return said.firstOutside(span{seq, seq}) == 0 }) {
			continue
		}
		found = append(found, Listed{e.Seq, e.Erased})
	}
	return found, err
}

// Proved reads entries with their proofs. One whose personal part was erased
// since it was listed ends it: the pack would lack the entry that says so.
func (l *Log) Proved(ctx context.Context, entries []Listed, size int64) iter.Seq2[Proved, error] {
	return func(yield func(Proved, error) bool) {
		for _, p := range entries {
			var e Proved
			stored, err := scanStored(l.db.Reader().QueryRowContext(ctx, selectLines+`seq = $1`, p.Seq))
			e.Written = stored.Written
			if err == nil && e.Personal == "" && !p.Erased {
				err = fmt.Errorf("audit: entry %d of the log was erased while a pack was made", p.Seq)
			}
			if err == nil {
				e.Proof, err = l.Inclusion(ctx, p.Seq, size)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
