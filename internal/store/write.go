package store

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

const (
	// maxGroup is the most transactions that share one commit.
	maxGroup = 128
	// minGroup is how many are waited for, for no longer than groupWait: a commit
	// costs as much as all that it writes.
	minGroup  = 8
	groupWait = 10 * time.Millisecond
	// groupTimeout is how long a group may take; then the database is in trouble.
	groupTimeout = 10 * time.Second
)

// ErrExclusive is returned by a body that must not share a commit, because it locks the
// log or several jobs. Run it with Tx.
var ErrExclusive = errors.New("store: this write needs its own transaction")

// write is a transaction that waits for its turn.
type write struct {
	job  string
	body func(context.Context, *Tx) error
	done chan error
}

// Write runs body in a transaction and groups concurrent ones into one commit. If a
// body fails, each of the group is run alone; so a body may run twice. If the database
// fails, all fail. A body that writes a job's row names the job, so that consoles lock
// jobs in one order; "" comes first. It must not write the log, see ErrExclusive. Totals
// are written after the bodies, see Total.
func (s *DB) Write(ctx context.Context, job string, body func(ctx context.Context, tx *Tx) error) error {
	w := &write{job, body, make(chan error, 1)}
	select {
	case s.writes <- w:
		return AsTrouble(<-w.done)
	case <-s.closed:
		return errors.New("store: the database is closed")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writeGroups carries out what Write asks for until the store is closed.
func (s *DB) writeGroups() {
	for {
		select {
		case w := <-s.writes:
			group := s.group(w)
			slices.SortStableFunc(group, func(a, b *write) int { return cmp.Compare(a.job, b.job) })
			s.commit(group)
		case <-s.closed:
			return
		}
	}
}

// group waits a moment for a few more, and takes all that wait by then.
func (s *DB) group(first *write) []*write {
	group := []*write{first}
	moment := time.NewTimer(groupWait)
	defer moment.Stop()
	for len(group) < minGroup {
		select {
		case w := <-s.writes:
			group = append(group, w)
			continue
		case <-moment.C:
		case <-s.closed:
		}
		break
	}
	for len(group) < maxGroup {
		select {
		case w := <-s.writes:
			group = append(group, w)
		default:
			return group
		}
	}
	return group
}

// commit writes a group; when a body fails, each by itself instead.
func (s *DB) commit(group []*write) {
	err := s.writeAll(group)
	if len(group) > 1 && err != nil && troubleOf(err) == nil {
		for _, w := range group {
			s.commit([]*write{w})
		}
		return
	}
	for _, w := range group {
		w.done <- err
	}
}

// writeAll writes a group, or none of it.
func (s *DB) writeAll(group []*write) error {
	ctx := context.Background()
	if s.postgres { // SQLite's own waits for locks end as soon
		within, cancel := context.WithTimeout(ctx, groupTimeout)
		defer cancel()
		ctx = within
	}
	return s.Tx(ctx, func(tx *Tx) error {
		tx.totals = map[string]Total{}
		for _, w := range group {
			if err := w.body(ctx, tx); err != nil {
				return err
			}
		}
		for _, key := range slices.Sorted(maps.Keys(tx.totals)) {
			if err := tx.totals[key].Write(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}
