package jobs

import (
	"sync"

	"tagsweep/internal/audit"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// Jobs keeps the jobs of a database. Its methods may be called at the same time.
type Jobs struct {
	db        *store.DB
	log       *audit.Log
	snapshots *snapshot.Snapshots

	reports reports // of running jobs

	protectedMu sync.Mutex
	protected   map[string]protectedList // by app, as last read
}

// New returns the jobs of a database. What changes them is recorded in the log,
// which finds out with AppOf of which app a job is.
func New(db *store.DB, log *audit.Log, snapshots *snapshot.Snapshots) *Jobs {
	return &Jobs{db: db, log: log, snapshots: snapshots}
}
