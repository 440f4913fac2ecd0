package engine

import (
	"context"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
)

// maxPermits is how many jobs are remembered for which the log was looked up.
const maxPermits = 1_000

// permit asks the log whether a job may run as its row says, before the first claim of
// the job in this process and whenever the job or the log has changed since. A job that
// the log does not bear out halts, or waits for a person, and nothing of it is sent.
func (e *Engine) permit(ctx context.Context, tx *store.Tx, jobID string) error {
	p, err := e.Jobs.Permit(ctx, tx, jobID, e.permits[jobID])
	switch {
	case jobs.NotStarted(err):
		e.Log.Error("a job is halted and not sent: the audit log does not say that it may run as it is in the database. "+
			"Somebody may have changed the database. Verify it", "job", jobID, "why", err)
		delete(e.permits, jobID)
		return &damaged{jobID, jobs.CodeNotStarted, err}
	case err != nil:
		return err
	}
	if len(e.permits) >= maxPermits {
		clear(e.permits)
	}
	e.permits[jobID] = p
	return nil
}

// switchState is what the database says of the kill switch.
type switchState struct {
	thrown         bool  // by its row
	stops, resumes int64 // the last entries of the log that say so
}

// isOn reports whether the kill switch counts as thrown: while the row says so, and unless
// the last entry about it, which is in the log as it was written, resumed sending.
func (g *gate) isOn(ctx context.Context, s switchState) (on bool, err error) {
	g.mutex.Lock()
	seen, lifted := g.switchSeen, g.lifted
	g.switchSeen = max(g.switchSeen, s.stops, s.resumes)
	g.mutex.Unlock()
	why := ""
	switch last := max(s.stops, s.resumes); {
	case s.thrown:
		return true, nil
	case last < seen:
		why = "an entry about it is missing in the log"
	case s.stops > s.resumes:
		why = "the log does not say that sending was resumed"
	case s.resumes != lifted:
		e, err := g.engine.Audit.Proven(ctx, g.engine.Store.Reserved(), s.resumes)
		switch {
		case audit.Unproven(err) || err == nil && e.Code != audit.KillSwitchLifted:
			why = "the entry that resumed sending is not in the log as it was written"
		case err != nil:
			return true, err
		}
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if why == "" {
		g.lifted = s.resumes
	} else if g.doubted != why {
		g.engine.Log.Error("no call is made: the kill switch was changed behind the console's back. Verify the database; "+
			"an admin can stop and resume sending", "why", why)
	}
	g.doubted = why
	return why != "", nil
}

// liftedBy is the entry of the log that is known to have resumed sending; 0: it was never stopped.
func (g *gate) liftedBy() int64 {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.lifted
}
