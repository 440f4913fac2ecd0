package jobs

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

// oughtSnapshot is what a job that has ended keeps of tags.
type oughtSnapshot struct{ batches, eraseAt int64 } // unix milliseconds

// finished remembers what is kept of a job, and how long.
func (r *Replay) finished(e audit.Entry, v *audit.Verified) {
	days, keeps := e.Details["keep_days"]
	if !keeps {
		return
	}
	app, _ := e.Details["app_id"].(string)
	if ought := r.apps[app]; ought.KeepDays != int(audit.WholeNumber(days)) {
		v.Add("entry %d of the log: the tags of job %s are kept for %d days, but the log says %d", e.Seq, e.JobID,
			audit.WholeNumber(days), ought.KeepDays)
	}
	keep := time.Duration(audit.WholeNumber(days)) * 24 * time.Hour
	r.saved[e.JobID] = oughtSnapshot{audit.WholeNumber(e.Details["saved_batches"]), e.At.Add(keep).UnixMilli()}
}

// erased finds tags that the console erased before their time.
func (r *Replay) erased(e audit.Entry, v *audit.Verified) {
	saved, known := r.saved[e.JobID]
	if known && e.Actor.ID == audit.System.ID && e.At.Before(time.UnixMilli(saved.eraseAt).Add(-time.Minute)) {
		v.Add("entry %d of the log: the tags of job %s were erased before their time", e.Seq, e.JobID)
	}
	delete(r.saved, e.JobID)
}

// verifySnapshots compares what is kept of tags, and for how long.
func (r *Replay) verifySnapshots(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	for _, id := range slices.Sorted(maps.Keys(r.saved)) {
		ought := r.saved[id]
		var eraseAt, gone, batches int64
		err := tx.QueryRowContext(ctx, `
			SELECT k.erase_at, CASE WHEN k.erased_at > 0 OR length(k.wrapped) = 0 THEN 1 ELSE 0 END,
				(SELECT COUNT(*) FROM snapshots s JOIN planned_batches p ON p.job_id = s.job_id AND p.number = s.number WHERE s.job_id = k.job_id)
			FROM snapshot_keys k WHERE k.job_id = $1`, id).Scan(&eraseAt, &gone, &batches)
		none := false
		if err != nil {
			if err, none = store.IfNone(err, nil), true; err != nil {
				return err
			}
		}
		switch {
		case ought.batches > 0 && (none || gone == 1):
			v.Add("job %s: the key of its tag snapshot is destroyed, but no entry of the log says so", id)
		case batches != ought.batches:
			v.Add("job %s: it keeps the tags of %d batches, but the log says %d", id, batches, ought.batches)
		case gone == 0 && !none && !near(time.UnixMilli(eraseAt), time.UnixMilli(ought.eraseAt)):
			v.Add("job %s: its tags are to be erased at another time than the log says", id)
		}
	}
	return nil
}

// mapped follows what was said of files.
func (r *Replay) mapped(e audit.Entry) {
	said, _ := e.Details["mapping"].(string)
	if files, what, is := strings.Cut(said, " "); is {
		r.mappings[files] = what
	}
}

// verifyMappings compares what was said of files, by which later ones are read.
func (r *Replay) verifyMappings(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	missing := maps.Clone(r.mappings)
	err := store.Each(ctx, tx, func(row store.Scanner) error {
		var app, shape, choices, header string
		if err := row.Scan(&app, &shape, &choices, &header); err != nil {
			return err
		}
		files, what, _ := strings.Cut(mappingOf(app, shape, choices, header), " ")
		delete(missing, files)
		if ought, known := r.mappings[files]; what != ought && (known || r.removed == 0) {
			v.Add("app %s: how files with the header %s are read is not what the log says", app, header)
		}
		return nil
	}, `SELECT app_id, shape, choices, header FROM mappings ORDER BY app_id, shape`)
	maps.DeleteFunc(missing, func(_, what string) bool { return what == "" })
	if err == nil && len(missing) > 0 {
		v.Add("how files are read: by the log, something was said of %d more", len(missing))
	}
	return err
}

// goOn ends when its context does.
func goOn(ctx context.Context) error { return ctx.Err() }

// verifyShared finds jobs that were started, share accounts, and do not wait for each other.
func (r *Replay) verifyShared(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	type open struct{ id, app string }
	all, err := store.Collect(ctx, tx, func(row store.Scanner) (o open, err error) { return o, row.Scan(&o.id, &o.app) },
		`SELECT id, app_id FROM jobs WHERE finished_at = 0 AND started_at > 0 AND kind <> 'inspect' ORDER BY id`)
	for i, one := range all {
		for _, other := range all[i+1:] {
			if err != nil {
				return err
			}
			if one.app != other.app {
				continue
			}
			var common, here, there int64
			if common, err = inCommon(ctx, &nameCursor{q: tx, job: one.id}, &nameCursor{q: tx, job: other.id}, goOn); err != nil {
				return err
			}
			err = tx.QueryRowContext(ctx, `
				SELECT COALESCE(MAX(CASE WHEN job_id = $1 THEN accounts END), 0), COALESCE(MAX(CASE WHEN job_id = $2 THEN accounts END), 0)
				FROM shared_accounts WHERE job_id = $1 AND other_id = $2 OR job_id = $2 AND other_id = $1`, one.id, other.id).
				Scan(&here, &there)
			if err == nil && (here != common || there != common) {
				v.Add("job %s: it shares %d accounts with job %s, but the jobs say %d and %d", one.id, common, other.id, here, there)
			}
		}
	}
	return err
}
