package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"tagsweep/internal/tim"
)

// set is a store whose clock was set, as it was before and by how much.
type set struct {
	clock string
	now   func() time.Time
	by    time.Duration
}

var (
	setMu sync.Mutex
	sets  = map[*Store]set{}
)

// Jump sets the clocks of the database and of this process forward or back, as
// setting a machine's does: monotonic time goes on as before.
func (s *Store) Jump(by time.Duration) {
	setMu.Lock()
	defer setMu.Unlock()
	was, before := sets[s]
	if !before {
		was = set{clock: s.clock, now: s.now}
	}
	was.by += by
	sets[s] = was
	s.clock = fmt.Sprintf("(%s + %d)", was.clock, was.by.Microseconds())
	s.now = func() time.Time { return was.now().Round(0).Add(was.by) }
}

// Plans returns how the engine finds what the runner asks for again and again,
// one text for each question.
func (s *Store) Plans(ctx context.Context, appID, jobID string) (map[string]string, error) {
	if s.postgres { // so that it knows how much there is, as it does by itself after a while
		if _, err := s.write.ExecContext(ctx, `ANALYZE`); err != nil {
			return nil, err
		}
	}
	now := int64(1_800_000_000_000)
	type question struct {
		query string
		args  []any
	}
	questions := map[string]question{
		"held":      {s.heldQuery(), []any{appID, 1, 1}},
		"stale":     {s.staleQuery(), []any{appID}},
		"in flight": {inFlightQuery, []any{jobID, overlapMost, 1, 1, now, now}},
		"asked":     {`SELECT code FROM batches WHERE ` + asking, []any{jobID}},
	}
	for _, command := range []tim.Command{tim.RemoveAllTags, tim.GetTags} {
		questions["candidates "+string(command)] = question{s.candidatesQuery(command), []any{appID, 1}}
		for _, e := range errands(command) {
			questions[fmt.Sprint("take ", e)] = question{takeQuery(e, false), []any{jobID, "x", now, now, 0, now, now, now, 9}}
		}
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	explain := `EXPLAIN QUERY PLAN `
	if s.postgres {
		explain = `EXPLAIN `
		if _, err := tx.ExecContext(ctx, `SET LOCAL enable_seqscan = off`); err != nil { // of tables as small as a test's it likes them
			return nil, err
		}
	}
	plans := map[string]string{}
	for name, q := range questions {
		lines, err := collect(ctx, tx, func(row scanner) (line string, err error) {
			if s.postgres {
				return line, row.Scan(&line)
			}
			var skip any
			return line, row.Scan(&skip, &skip, &skip, &line)
		}, explain+q.query, q.args...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		plans[name] = strings.Join(lines, "\n")
	}
	return plans, nil
}
