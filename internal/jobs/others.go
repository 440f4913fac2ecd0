package jobs

import (
	"context"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Operators see every job. They act on their own, and on those of others as the app's
// settings say. Admins act on all.

// FaultOthers says that an operator may not do something with the job of somebody else.
var FaultOthers = fault.Declare(fault.Forbidden, "job.others",
	"Nothing was changed: this job belongs to %s, and operators may not do this with the jobs of others here. Ask "+
		"the owner or an admin.")

// Others reports whether operators may do something with the jobs of others.
func (s Settings) Others(a Action) bool {
	if a == Pause || a == Cancel {
		return s.OthersStop
	}
	return s.OthersRun
}

// mayActOn returns FaultOthers when somebody may not do something with a job because it is
// not theirs. Their role is what it is now.
func mayActOn(ctx context.Context, q store.Querier, by audit.Actor, j Job, set Settings, a Action) error {
	if by.Name == j.CreatedBy || set.Others(a) {
		return nil
	}
	owner, err := ownerIn(ctx, q, j)
	if err != nil || by.Name == owner {
		return err
	}
	by, err = auth.Still(ctx, q, by, auth.RunJobs)
	if err != nil || by.Role != string(auth.Operator) {
		return err
	}
	return FaultOthers.With(owner)
}

// Owner is whose a job is: who uploaded it, or made it of another one. What the console
// made itself of a job, such as an inspection of its sample, belongs to the owner of that.
func (s *Jobs) Owner(ctx context.Context, j Job) (string, error) {
	return ownerIn(ctx, s.db.Reader(), j)
}

func ownerIn(ctx context.Context, q store.Querier, j Job) (string, error) {
	if j.CreatedBy != audit.System.Name || j.Source == "" {
		return j.CreatedBy, nil
	}
	return store.Value[string](ctx, q, `SELECT created_by FROM jobs WHERE id = $1`, j.Source)
}

// mayDerive is mayActOn for making a job of another one.
func mayDerive(ctx context.Context, q store.Querier, by audit.Actor, of Job) error {
	var set Settings
	err := q.QueryRowContext(ctx, `SELECT `+settingsColumns+` FROM apps WHERE id = $1`, of.AppID).Scan(set.dest()...)
	if err != nil {
		return err
	}
	return mayActOn(ctx, q, by, of, set, Start)
}
