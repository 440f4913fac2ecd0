package jobs

import (
	"context"
	"errors"

	"tagsweep/internal/store"
)

// A job that has ended is sealed by an entry of the log, whose number it names.
// Package evidence seals; what is sealed does not change any more.

// Sealed returns the number of the entry that seals a job; 0 when none does yet.
func (s *Jobs) Sealed(ctx context.Context, jobID string) (int64, error) {
	return store.Value[int64](ctx, s.db.Reader(), `SELECT sealed FROM jobs WHERE id = $1`, jobID)
}

// SealedJob is a job with the number of the entry that seals it.
type SealedJob struct {
	ID string
	By int64
}

// SealedAfter returns sealed jobs whose ids come after one, in their order.
func (s *Jobs) SealedAfter(ctx context.Context, q store.Querier, id string, limit int) ([]SealedJob, error) {
	return store.Collect(ctx, q, func(row store.Scanner) (j SealedJob, err error) { return j, row.Scan(&j.ID, &j.By) },
		`SELECT id, sealed FROM jobs WHERE sealed <> 0 AND id > $1 ORDER BY id LIMIT $2`, id, limit)
}

// unsealed are the jobs that are to be sealed.
const unsealed = `finished_at > 0 AND started_at > 0 AND sealed = 0`

// UnsealedAfter returns the ids of jobs that are to be sealed and come after one.
func (s *Jobs) UnsealedAfter(ctx context.Context, id string, limit int) ([]string, error) {
	return store.Column[string](ctx, s.db.Reader(),
		`SELECT id FROM jobs WHERE `+unsealed+` AND id > $1 ORDER BY id LIMIT $2`, id, limit)
}

// Unsealed reports whether a job is to be sealed.
func (s *Jobs) Unsealed(ctx context.Context, q store.Querier, jobID string) (bool, error) {
	return store.Value[bool](ctx, q, `SELECT COUNT(*) > 0 FROM jobs WHERE id = $1 AND `+unsealed, jobID)
}

// ErrChanged is that a late answer changed the ledger of a job while it was read.
var ErrChanged = errors.New("jobs: the job changed while it was sealed")

// LockToSeal locks a job that is as it was read, and not sealed; else ErrChanged.
func (s *Jobs) LockToSeal(ctx context.Context, tx *store.Tx, j Job) error {
	return store.One(ctx, tx, ErrChanged, `UPDATE jobs SET sealed = -1 WHERE id = $1 AND version = $2 AND sealed = 0`, j.ID, j.Version)
}

// SetSealed names the entry that seals a job that was locked to be sealed.
func (s *Jobs) SetSealed(ctx context.Context, tx *store.Tx, jobID string, by int64) error {
	return tx.Exec(ctx, `UPDATE jobs SET sealed = $2 WHERE id = $1`, jobID, by)
}
