package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"tagsweep/internal/audit"
)

// StartRequest is what a person says when a job is started.
type StartRequest struct {
	Confirm int64     // the number of its accounts, typed
	Reading string    // names the reading the person has seen; "" = does not matter
	At      time.Time // nothing is sent before; zero: at once
}

// Start queues a draft that is as the person has seen it. One that was read before
// the protected list changed is read again, just as it was. It returns
// FaultStartTime, FaultNoJob, FaultImporting, FaultWrongState, FaultUnsure, FaultNoAccounts,
// FaultReimported, FaultConfirm and FaultProtectedNew.
func (s *Jobs) Start(ctx context.Context, by audit.Actor, id string, r StartRequest) (Job, error) {
	if now := s.db.Now(); !r.At.IsZero() && (!r.At.After(now) || r.At.After(now.AddDate(1, 0, 0))) {
		return Job{}, FaultStartTime.With()
	}
	j, err := s.change(ctx, by, id, Start, func(c *change) error {
		switch j := c.was; {
		case j.Accounts == 0:
			return FaultNoAccounts.With()
		case r.Reading != "" && r.Reading != j.Reading:
			return FaultReimported.With()
		case r.Confirm != j.Accounts:
			return FaultConfirm.With(j.Accounts)
		case j.listVersion != c.app.listVersion:
			return FaultProtectedNew.With()
		}
		s.start(c, by, r.At)
		return nil
	})
	if FaultProtectedNew.Is(err) {
		_, failed := s.change(ctx, by, id, Reread, func(c *change) error {
			c.details["reason"] = FaultProtectedNew.Code
			return nil
		})
		err = errors.Join(err, failed)
	}
	return j, err
}

// start says how a job runs from now on: as its app is set now.
func (s *Jobs) start(c *change, by audit.Actor, at time.Time) {
	j := &c.to
	j.StartedBy, j.StartedAt, j.StartAt, j.turn = by.Name, s.db.Now(), at, c.app.turn
	j.Snapshot = c.app.snapshot || j.Kind != Clear
	j.Careful, j.Verify.Share, j.Verify.Seed = c.app.careful, c.app.verifyShare, ""
	if j.Kind == Inspect {
		j.Careful, j.Verify.Share = false, 0
	}
	if j.Verify.Share > 0 {
		j.Verify.Seed = rand.Text()
	}
	c.details["snapshot"] = j.Snapshot
	c.details["verify_share"] = j.Verify.Share
	c.details["verify_seed"] = j.Verify.Seed
	if !at.IsZero() {
		c.details["start_at"] = at.UTC().Format(time.RFC3339)
	}
}
