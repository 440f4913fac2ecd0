package evidence

import (
	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
)

// Evidence seals, verifies and packs the jobs of a database. Its methods may be
// called at the same time.
type Evidence struct {
	db   *store.DB
	log  *audit.Log
	jobs *jobs.Jobs
}

// New returns the evidence of a database.
func New(db *store.DB, log *audit.Log, all *jobs.Jobs) *Evidence {
	return &Evidence{db: db, log: log, jobs: all}
}
