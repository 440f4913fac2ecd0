package main

import (
	"context"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/evidence"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// components are the packages that share the database of a console.
type components struct {
	db        *store.DB
	audit     *audit.Log
	users     *auth.Users
	snapshots *snapshot.Snapshots
	jobs      *jobs.Jobs
	evidence  *evidence.Evidence
}

// openComponents opens a database. Close its db at the end.
func openComponents(ctx context.Context, database string) (*components, error) {
	db, err := store.Open(ctx, database)
	if err != nil {
		return nil, err
	}
	return newComponents(db), nil
}

func newComponents(db *store.DB) *components {
	r := &components{db: db, audit: audit.New(db, jobs.AppOf), snapshots: snapshot.New(db)}
	r.users = auth.New(db, r.audit)
	r.jobs = jobs.New(db, r.audit, r.snapshots)
	r.evidence = evidence.New(db, r.audit, r.jobs)
	return r
}
