package jobs

import (
	"context"
	"slices"
	"strings"

	"tagsweep/internal/audit"
)

// RetryRequest says what is to be done with which accounts of a job.
type RetryRequest struct {
	Kind     Kind      // "": the job's, of accounts that ended so
	Outcomes []Outcome // accounts that ended so; nil: all, also of a draft
}

// undone are the outcomes that count as not done.
var undone = []Outcome{Failed, Unsent, Skipped}

// fits reports whether a job may be made so of another: the same for accounts
// that did not come through, or all; an inspection of any; clearing what was
// inspected, or what the inspection of a sample is about.
func (a RetryRequest) fits(of Job) bool {
	if a.Kind == of.Kind {
		return !slices.ContainsFunc(a.Outcomes, func(o Outcome) bool { return of.Kind != Inspect && !slices.Contains(undone, o) })
	}
	return a.Kind == Inspect || of.Kind == Inspect && (a.Kind == Clear && !of.Told() || a.Kind == of.Checks)
}

// Retry makes a new job of accounts of one that has ended, or of all accounts of
// a draft. It is read and reviewed like an upload. Its file is on its way in
// tempDir, "" for the system's.
func (s *Jobs) Retry(ctx context.Context, by audit.Actor, jobID string, a RetryRequest, tempDir string) (derived Job, err error) {
	of, err := s.Get(ctx, jobID)
	if err != nil {
		return derived, err
	}
	unnamed := a.Kind == ""
	if unnamed {
		a.Kind = of.Kind
	}
	ofDraft := of.State == Draft && a.Outcomes == nil && a.Kind != of.Kind
	switch {
	case len(of.Unsure) > 0: // also of a draft that was discarded: nothing is asked about the file of a derived job
		return derived, of.unsure()
	case !of.Settled() && !ofDraft:
		return derived, FaultUnsettled.With()
	case a.Kind != of.Kind && !a.fits(of):
		return derived, FaultKind.With()
	case !a.fits(of) || unnamed && len(a.Outcomes) == 0:
		return derived, FaultNoneToRetry.With()
	}
	d := derivation{of: of, kind: a.Kind, prefix: a.prefix(of.Kind), none: FaultNoneToRetry.With(),
		chosen: func(account Account) bool { return a.Outcomes == nil || slices.Contains(a.Outcomes, account.Outcome) },
		entry: func(accounts int64) audit.Entry {
			return audit.Entry{Code: audit.JobRetried,
				Details: map[string]any{"of": of.ID, "kind": a.Kind, "outcome": named(a.Outcomes), "accounts": accounts}}
		}}
	if a.Kind == of.Kind || a.Kind == of.Checks { // what it was told to do, it is told again
		d.only, d.policy = of.Only, of.Policy
	}
	return s.derive(ctx, by, d, tempDir)
}

// prefix is what the file of the new job is called, before the name of the other one's.
func (a RetryRequest) prefix(of Kind) string {
	switch {
	case a.Kind != of:
		return string(a.Kind)
	case slices.Equal(a.Outcomes, []Outcome{Failed}):
		return "failed"
	case slices.Equal(a.Outcomes, []Outcome{Unsent}):
		return "unsent"
	}
	return "again"
}

// named lists outcomes for the log.
func named(outcomes []Outcome) string {
	if outcomes == nil {
		return "all"
	}
	var names []string
	for _, o := range outcomes {
		names = append(names, string(o))
	}
	return strings.Join(names, ", ")
}
