// Package jobs is all there is about a job: what it is, how its file is imported, who
// starts and changes it, and what became of its accounts.
//
// A job is one upload and what is done with its accounts. The [Importer] parses
// its file in the background and plans it into batches of up to 100 accounts in
// file order. Sorting on disk finds what repeats, so that memory does not grow
// with the file; an import that broke off begins anew.
//
// What a job does with an account is its [Kind] (operation.go), where it stands its
// [State]. One table says which actions change the state and how, whoever acts
// ([State.Next]), and one function what follows from the counts of a job
// ([Progress.Judge]). A change reads as check, write, log (change.go for what a person
// does, advance.go for what the program does): the row of the job is written once, and
// the log says so in the same transaction. The package engine carries jobs out.
//
// A job's accounts are kept twice as its file gave them, many to a row: in file
// order as the batches of its plan, and sorted by name to find them by. Neither
// is ever changed. What becomes of them stands beside them: a batch holds the
// outcome of all its accounts but those with one of their own. So a million
// accounts are read in a second, and a batch that goes through is one row.
//
// Where to find what:
//
//   - an upload becomes a draft: newjob.go, uploads.go, importer.go, parsing.go, import.go
//   - a person acts on a job: change.go, decisions.go, protected.go, killswitch.go, sending.go
//   - whether an action needs a second person: approval.go; requests for one: approvals.go, approvals_list.go
//   - a job is derived from another: derived.go, retry.go, undo.go, inspections.go
//   - the engine moves a job on: advance.go, sends.go
//   - the database turns out to be an older copy: restored.go
//   - what pages, downloads and searches show: row.go, rows.go, listing.go, results.go, find.go,
//     ledger.go, reports.go, warnings.go
//   - what is proved, kept and erased: verify.go, seals.go, retention.go
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
	serves    string // the id of an app; "": see Serve
	tempDir   string // see UseTempDir

	reports reports // of running jobs

	protectedMu sync.Mutex
	protected   map[string]protectedList // by app, as last read
}

// UseTempDir says in which folder files are parsed; without it, in the system's.
func (s *Jobs) UseTempDir(folder string) { s.tempDir = folder }

// New returns the jobs of a database. What changes them is recorded in the log,
// which finds out with AppOf of which app a job is.
func New(db *store.DB, log *audit.Log, snapshots *snapshot.Snapshots) *Jobs {
	return &Jobs{db: db, log: log, snapshots: snapshots}
}
