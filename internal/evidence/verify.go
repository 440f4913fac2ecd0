package evidence

import (
	"context"
	"fmt"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
)

// Verify recomputes the log from its entries and compares it with its
// checkpoints, every job against the entry that seals it, what governs with what the
// log says of it, and recounts every job from its accounts and rows. A job may run
// meanwhile.
func (ev *Evidence) Verify(ctx context.Context, p audit.Proofs) (v audit.Verified, err error) {
	v.At = ev.db.Now().UTC()
	damage, err := ev.db.Damage(ctx)
	for _, found := range damage {
		v.Add("database file: %s", found)
	}
	if err != nil || len(damage) > 0 {
		return v, store.AsTrouble(err) // nothing that is read tells anything then
	}
	err = ev.db.ReadTx(ctx, func(tx *store.Tx) error {
		users, ought := auth.NewReplay(), jobs.NewReplay()
		unsealed, err := ev.log.VerifyIn(ctx, tx, p, &v, users, ought)
		if err == nil {
			err = ev.verifyUnsealed(ctx, tx, unsealed, &v)
		}
		if err == nil {
			err = ev.verifySeals(ctx, tx, &v)
		}
		if err == nil {
			err = ev.jobs.VerifyIn(ctx, tx, ought, &v)
		}
		if err == nil {
			err = users.VerifyIn(ctx, tx, &v)
		}
		return err
	})
	return v, store.AsTrouble(err)
}

// verifySeals compares every sealed job with the entry that seals it.
func (ev *Evidence) verifySeals(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	if err := ev.verifySealed(ctx, tx, v); err != nil {
		return err
	}
	for last := int64(0); ; {
		some, err := ev.log.StoredAfter(ctx, tx, audit.JobSealed, last, sealsAtOnce)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, l := range some {
			last = l.Seq
			e, err := l.Read()
			if err != nil || e.Code != audit.JobSealed { // the log's own verification has said so
				continue
			}
			wrong, err := ev.verifySeal(ctx, tx, e)
			if err != nil {
				return err
			}
			v.Seals++
			if wrong != "" {
				v.Add("job %s: %s", e.JobID, wrong)
			}
		}
	}
}

// verifySealed looks for the entry that each sealed job names.
func (ev *Evidence) verifySealed(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	for last := ""; ; {
		some, err := ev.jobs.SealedAfter(ctx, tx, last, sealsAtOnce)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, j := range some {
			last = j.ID
			there, err := ev.log.Has(ctx, tx, j.By, audit.JobSealed, j.ID)
			if err != nil {
				return err
			}
			if !there {
				v.Add("job %s: the log entry with its seal is missing", j.ID)
			}
		}
	}
}

// verifySeal says what differs between a job and its seal; "" for nothing.
func (ev *Evidence) verifySeal(ctx context.Context, tx *store.Tx, e audit.Entry) (wrong string, err error) {
	j, err := ev.jobs.Get(ctx, e.JobID)
	switch {
	case jobs.FaultNoJob.Is(err):
		return fmt.Sprintf("entry %d of the log seals this job, but the job is missing", e.Seq), nil
	case err != nil:
		return "", err
	}
	sealed, err := ev.jobs.Sealed(ctx, e.JobID)
	if err != nil {
		return "", err
	}
	if sealed != e.Seq {
		return fmt.Sprintf("entry %d of the log seals this job, but the job names entry %d", e.Seq, sealed), nil
	}
	var found string
	switch d, err := ev.digests(ctx, e.JobID); {
	case err != nil && ctx.Err() != nil:
		return "", err
	case err != nil:
		found = "the rows cannot be read"
	case d.rows != e.Details["rows_sha256"]:
		found = "the row results were changed"
	case d.calls != e.Details["calls_sha256"]:
		found = "the calls were changed"
	case j.FileSHA256 != e.Details["sha256"] || string(j.Kind) != e.Details["kind"] || j.FinishedAt.IsZero():
		found = "the file, the operation or the end time was changed"
	case j.Terms() != e.Details["terms_sha256"] || string(j.State) != e.Details["state"]:
		found = "the options, the app or the state was changed"
	default:
		if found, err = ev.verifyStory(ctx, tx, j); err != nil {
			return "", err
		}
	}
	if found == "" {
		return "", nil
	}
	return fmt.Sprintf("%s (sealed by entry %d of the log)", found, e.Seq), nil
}

// verifyStory compares who created and started a sealed job, when it started and ended,
// its note, and whether it comes from an older copy with the log, as far as the entries are
// there and were not erased.
func (ev *Evidence) verifyStory(ctx context.Context, tx *store.Tx, j jobs.Job) (wrong string, err error) {
	entries, err := ev.log.OfJobIn(ctx, tx, j.ID, audit.JobUploaded, audit.JobRetried, audit.JobUndone, audit.JobStarted,
		audit.JobFinished, audit.JobRestored)
	complete, restored := false, false
	for _, e := range entries {
		switch e.Code {
		case audit.JobStarted:
			wrong = sameActor(e, j.StartedBy, "started")
			if wrong == "" && !near(j.StartedAt, e.At) {
				wrong = fmt.Sprintf("it did not start when entry %d of the log says", e.Seq)
			}
		case audit.JobFinished:
			if !near(j.FinishedAt, e.At) {
				wrong = fmt.Sprintf("it did not end when entry %d of the log says", e.Seq)
			}
		case audit.JobRestored:
			restored = true
		default:
			complete, wrong = true, sameActor(e, j.CreatedBy, "created")
			if note, said := e.Details["note"].(string); wrong == "" && said && note != j.Note {
				wrong = fmt.Sprintf("the note is not what entry %d of the log says", e.Seq)
			}
			if wrong == "" && e.Target != "" && e.Target != j.FileName {
				wrong = fmt.Sprintf("the name of the file is not what entry %d of the log says", e.Seq)
			}
		}
		if wrong != "" {
			return wrong, err
		}
	}
	if restored != j.Restored() && (complete || restored) {
		wrong = "whether it comes from an older copy of the database is not what the log says"
	}
	return wrong, err
}

func sameActor(e audit.Entry, by, did string) string {
	if e.Actor.Name == "" || e.Actor.Name == by {
		return ""
	}
	return fmt.Sprintf("it says that %s %s it, but entry %d of the log says %s", by, did, e.Seq, e.Actor.Name)
}

// near reports whether a time in a row is the time of the entry that was written with it.
func near(row, entry time.Time) bool { return row.Sub(entry).Abs() < time.Minute }

// verifyUnsealed finds jobs that ended and were not sealed. Jobs that the console would
// still seal are no fault: it was stopped in that second.
func (ev *Evidence) verifyUnsealed(ctx context.Context, tx *store.Tx, ends []audit.Entry, v *audit.Verified) error {
	waiting := 0
	for _, e := range ends {
		due, err := ev.jobs.Unsealed(ctx, tx, e.JobID)
		if err != nil {
			return err
		}
		if due {
			waiting++
		} else {
			v.Add("job %s: it ended in entry %d of the log but was never sealed", e.JobID, e.Seq)
		}
	}
	if waiting > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf(
			"Jobs that ended but are not sealed yet: %d. The console seals them within seconds while it is "+
				"running.", waiting))
	}
	return nil
}
