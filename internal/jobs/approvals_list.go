package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Request returns the last request about a job, and FaultNoRequest when there is none.
func (s *Jobs) Request(ctx context.Context, jobID string) (Approval, error) {
	a, err := scanApproval(s.db.Reader().QueryRowContext(ctx,
		`SELECT `+approvalColumns+` FROM approvals a WHERE job_id = $1 ORDER BY id DESC LIMIT 1`, store.Clean(jobID, 100)))
	return a, store.IfNone(err, FaultNoRequest.With())
}

// mostApprovals are shown in a list.
const mostApprovals = 200

// AskedOf is a request with its job.
type AskedOf struct {
	Approval
	Job Job
}

// Approvals lists the requests that wait and those that were decided in the last 90 days,
// the newest first.
func (s *Jobs) Approvals(ctx context.Context) ([]AskedOf, error) {
	return store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (of AskedOf, err error) {
		if of.Job, err = scanJob(store.ScanAlso(row, of.dest()...)); err == nil {
			err = json.Unmarshal(of.asker, &of.Asker)
		}
		return of, err
	}, `SELECT `+approvalColumns+`, `+jobColumns+` FROM approvals a JOIN jobs j ON j.id = a.job_id
		WHERE a.state = 'waiting' OR a.decided_at > $1 ORDER BY a.id DESC LIMIT $2`,
		store.Millis(s.db.Now().AddDate(0, 0, -90)), mostApprovals)
}

// MayApprove reports whether somebody could approve a request, as far as can be known
// before they do.
func (s *Jobs) MayApprove(ctx context.Context, by audit.Actor, a Approval) (may bool, err error) {
	if a.Shown(s.db.Now()) != Awaiting {
		return false, nil
	}
	err = s.db.ReadTx(ctx, func(tx *store.Tx) error {
		c, err := s.look(ctx, tx, a.JobID)
		if err == nil {
			err = s.mayApprove(ctx, c, a, by)
		}
		return err
	})
	if _, is := errors.AsType[*fault.Error](err); is {
		return false, nil
	}
	return err == nil, err
}

// Unseen counts, for each who asked, the decisions that they have not seen.
func (s *Jobs) Unseen(ctx context.Context) (map[string]int64, error) {
	return store.Sums[string](ctx, s.db.Reader(), `
		SELECT asked_by, COUNT(*) FROM approvals WHERE seen = 0 AND state IN ('approved', 'refused', 'void') GROUP BY asked_by`)
}

// Waiting lists the requests that wait, the oldest first.
func (s *Jobs) Waiting(ctx context.Context) ([]Approval, error) {
	return store.Collect(ctx, s.db.Reader(), scanApproval, `
		SELECT `+approvalColumns+` FROM approvals a WHERE state = 'waiting' AND expires_at > $1 ORDER BY id LIMIT $2`,
		store.Millis(s.db.Now()), mostApprovals)
}

// SecondPerson is what a person must know about the second person for a job.
type SecondPerson struct {
	Action  Action    // what they can do now, but for one; "": nothing that needs one
	Limit   int64     // accounts that would need none
	Request *Approval // the last one; nil: none
	May     bool      // they may approve it
	Last    *Job      // while a request waits: the last job that did the same, to compare with; nil: none
}

// SecondPerson says how a job stands with its second person, for somebody.
func (s *Jobs) SecondPerson(ctx context.Context, by audit.Actor, j Job) (p SecondPerson, err error) {
	a, err := s.Request(ctx, j.ID)
	switch {
	case err == nil:
		p.Request = &a
		if p.May, err = s.MayApprove(ctx, by, a); err == nil && p.Waits(s.db.Now()) {
			p.Last, err = s.lastLike(ctx, j)
		}
		if err != nil {
			return p, err
		}
	case !FaultNoRequest.Is(err):
		return p, err
	}
	next := guarded(j)
	if next == "" || p.Request != nil && a.Shown(s.db.Now()) == Awaiting {
		return p, nil
	}
	err = s.db.ReadTx(ctx, func(tx *store.Tx) error {
		c, err := s.look(ctx, tx, j.ID)
		if err != nil {
			return err
		}
		limit, needed, err := s.needsSecond(ctx, c, by, next)
		if needed {
			p.Action, p.Limit = next, limit
		}
		return err
	})
	return p, err
}

// lastLike returns the last other job of the app and kind that was started; nil: none.
func (s *Jobs) lastLike(ctx context.Context, j Job) (*Job, error) {
	found, err := store.Collect(ctx, s.db.Reader(), scanJob, `
		SELECT `+jobColumns+` FROM jobs j WHERE j.app_id = $1 AND j.kind = $2 AND j.started_at > 0 AND j.id <> $3
		ORDER BY j.id DESC LIMIT 1`, j.AppID, j.Kind, j.ID)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// guarded is the action of a job that may need a second person as it stands.
func guarded(j Job) Action {
	switch {
	case j.May(Start):
		return Start
	case j.May(StartNow):
		return StartNow
	case j.State == Halted && j.HaltCode == CodeFailures:
		return Resume
	case j.Counts[InDoubt] > 0 && !j.StartedAt.IsZero() && j.State != Cancelled:
		return SendAgain
	}
	return ""
}

// Waits reports whether a request waits.
func (p SecondPerson) Waits(now time.Time) bool {
	return p.Request != nil && p.Request.Shown(now) == Awaiting
}

// SeeDecisions says that somebody has seen what became of their requests.
func (s *Jobs) SeeDecisions(ctx context.Context, by audit.Actor) error {
	return s.db.Exec(ctx, `
		UPDATE approvals SET seen = 1 WHERE asked_by = $1 AND seen = 0 AND state IN ('approved', 'refused', 'void')`, by.Name)
}
