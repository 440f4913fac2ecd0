package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
)

// sealsAtOnce is how many jobs or seals are read between two queries.
const sealsAtOnce = 100

// jobDigests is what a seal commits to.
type jobDigests struct{ rows, calls string } // SHA-256 in hex, of WriteRows and WriteCalls

func (ev *Evidence) digests(ctx context.Context, jobID string) (d jobDigests, err error) {
	rows, calls := sha256.New(), sha256.New()
	if err = ev.WriteRows(ctx, rows, jobID); err == nil {
		err = ev.WriteCalls(ctx, calls, jobID)
	}
	return jobDigests{hex.EncodeToString(rows.Sum(nil)), hex.EncodeToString(calls.Sum(nil))}, err
}

// Seal seals the jobs that have ended. An entry for each commits to the result of every
// row, its file, its ledger and its approvals. These never change afterwards; a later
// answer is a separate entry.
//
// Nothing is sealed while the log cannot be signed: a checkpoint covers every seal.
func (ev *Evidence) Seal(ctx context.Context) error {
	if ev.log.Paused() != nil {
		return nil // which the log's own task says
	}
	var failed []error
	for last := ""; ; {
		ids, err := ev.jobs.UnsealedAfter(ctx, last, sealsAtOnce)
		if err != nil || len(ids) == 0 {
			return errors.Join(append(failed, err)...)
		}
		for _, id := range ids {
			last = id
			if err := ev.seal(ctx, id); err != nil { // the others are sealed all the same
				failed = append(failed, fmt.Errorf("job %s: %w", id, err))
			}
		}
	}
}

// decidedBy are the events in which a person decided what a job does.
var decidedBy = []audit.Code{audit.JobUploaded, audit.JobRetried, audit.JobUndone, audit.JobReread,
	audit.ApprovalGiven, audit.JobEmergency, audit.JobStarted, audit.JobResumed, audit.JobCancelled, audit.JobDecided}

func (ev *Evidence) seal(ctx context.Context, jobID string) error {
	j, err := ev.jobs.Get(ctx, jobID)
	if err != nil {
		return err
	}
	d, err := ev.digests(ctx, jobID)
	if err != nil {
		return err
	}
	err = ev.db.Tx(ctx, func(tx *store.Tx) error {
		if err := ev.jobs.LockToSeal(ctx, tx, j); err != nil {
			return err
		}
		if err := ev.jobs.CheckStart(ctx, tx, j); err != nil { // what ran without a start has no valid seal
			return err
		}
		people, err := ev.log.SeqsOf(ctx, tx, jobID, decidedBy...)
		if err != nil {
			return err
		}
		approvals := make([]string, len(people))
		for i, seq := range people {
			approvals[i] = strconv.FormatInt(seq, 10)
		}
		details := jobs.Summary(j)
		maps.Copy(details, map[string]any{"kind": j.Kind, "rows_sha256": d.rows, "calls_sha256": d.calls,
			"approvals": strings.Join(approvals, ", ")})
		seq, err := ev.log.Append(ctx, tx,
			audit.Entry{Code: audit.JobSealed, Actor: audit.System, JobID: jobID, Target: j.FileName, Details: details})
		if err != nil {
			return err
		}
		return ev.jobs.SetSealed(ctx, tx, jobID, seq)
	})
	if errors.Is(err, jobs.ErrChanged) {
		return nil // the next round seals it as it then is
	}
	return err
}
