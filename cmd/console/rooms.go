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

// rooms are what a console keeps in its database, each noun in a package of its own.
type rooms struct {
	db        *store.DB
	audit     *audit.Log
	users     *auth.Users
	snapshots *snapshot.Snapshots
	jobs      *jobs.Jobs
	evidence  *evidence.Evidence
}

// openRooms opens a database. Close its db at the end.
func openRooms(ctx context.Context, database string) (*rooms, error) {
	db, err := store.Open(ctx, database)
	if err != nil {
		return nil, err
	}
	return newRooms(db), nil
}

func newRooms(db *store.DB) *rooms {
	r := &rooms{db: db, audit: audit.New(db, jobs.AppOf), snapshots: snapshot.New(db)}
	r.users = auth.New(db, r.audit)
	r.jobs = jobs.New(db, r.audit, r.snapshots)
	r.evidence = evidence.New(db, r.audit, r.jobs)
	return r
}
