package store

import (
	"context"
	"crypto/rand"
	"database/sql"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
)

// keeping is what an app says about keeping and verifying.
type keeping struct {
	snapshot bool
	verify   snapshot.Share
}

// fix writes down for a job that is started whether tags are kept before they
// are removed, and which of its batches are read again after. It returns what
// the log says of it.
func (app keeping) fix(ctx context.Context, tx *sql.Tx, j *jobs.Job) (map[string]any, error) {
	if j.Kind == jobs.Clear && j.Snapshot != app.snapshot { // the setting has changed since its file was read
		j.Snapshot = app.snapshot
		if _, err := tx.ExecContext(ctx, `UPDATE batches SET next = $2 WHERE job_id = $1 AND next <> ''`, j.ID, j.Kind.First(j.Snapshot)); err != nil {
			return nil, err
		}
	}
	if j.Kind == jobs.Inspect {
		app.verify = 0
	}
	seed := ""
	if app.verify > 0 {
		seed = rand.Text()
	}
	_, err := tx.ExecContext(ctx, `UPDATE jobs SET snapshot = $2, verify_share = $3, verify_seed = $4 WHERE id = $1`, j.ID, number(j.Snapshot), app.verify, seed)
	return map[string]any{"snapshot": j.Snapshot, "verify_share": app.verify, "verify_seed": seed}, err
}
