package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Log is the log of a database. Its methods may be called at the same time.
type Log struct {
	db      *store.DB
	appOf   AppOf
	key     [32]byte // of the entries' MACs, see UseKey; zero: none
	signing *signing // see SignWith; nil: no checkpoints are made
	clock   clock
	rights  Rights // see AskRights; nil: nobody is asked for
}

// AppOf returns the app of a job as entries name it, and its domain; "" for an unknown job.
type AppOf func(ctx context.Context, q store.Querier, jobID string) (name, domain string, err error)

// New returns the log of a database. AppOf may be nil where no jobs are.
func New(db *store.DB, appOf AppOf) *Log {
	return &Log{db: db, appOf: appOf, clock: clock{passed: steadyClock()}}
}

// Rights says whether somebody who signed in may still do what an entry says, and returns
// them as they are now, or a fault of kind Forbidden.
type Rights func(ctx context.Context, q store.Querier, by Actor, code Code) (Actor, error)

// AskRights has everybody who signed in asked for when their entry is written: with the log
// locked, in the transaction of the change that it records. Since a request began, its
// session may have ended. So nobody changes anything after the entry that says that they
// may no longer.
func (l *Log) AskRights(rights Rights) { l.rights = rights }

// still returns somebody as they are now, if they may still do it. The log is locked.
func (l *Log) still(ctx context.Context, q store.Querier, by Actor, code Code) (Actor, error) {
	if !by.IsUser() || l.rights == nil {
		return by, nil
	}
	return l.rights(ctx, q, by, code)
}

// orSystem returns who asked for something that takes long, if they may still do it, and
// else the console: its result is recorded all the same. The log is locked.
func (l *Log) orSystem(ctx context.Context, q store.Querier, by Actor, code Code) (Actor, error) {
	now, err := l.still(ctx, q, by, code)
	if fault.KindOf(err) == fault.Forbidden {
		return System, nil
	}
	return now, err
}

// Record writes an entry for an event that changes nothing else, such as a
// download. Seq, At, App and Domain are set here.
func (l *Log) Record(ctx context.Context, e Entry) error {
	return l.db.Tx(ctx, func(tx *store.Tx) error { return l.RecordIn(ctx, tx, e) })
}

// Limits of an entry's details in bytes: of one text, and of all together.
const (
	maxText    = 2_000
	maxDetails = 20_000
)

// RecordIn is called last in a transaction, and once: it locks the head of the log, and
// returns the fault of AskRights. An entry that ends a job, or says what governs, gets a
// checkpoint: see Code.SignedAtOnce.
func (l *Log) RecordIn(ctx context.Context, tx *store.Tx, entries ...Entry) error {
	_, err := l.Append(ctx, tx, entries...)
	return err
}

// Append is RecordIn and returns the number of the last entry.
func (l *Log) Append(ctx context.Context, tx *store.Tx, entries ...Entry) (seq int64, err error) {
	if len(entries) == 0 {
		return 0, nil
	}
	if !l.hasKey() {
		return 0, FaultNoKey.With()
	}
	complete, atOnce := make([]Entry, len(entries)), false
	for i, e := range entries {
		if complete[i], err = l.complete(ctx, tx, e); err != nil {
			return 0, err
		}
		atOnce = atOnce || e.Code.SignedAtOnce()
	}
	h, err := lockHead(ctx, tx)
	if err != nil {
		return 0, err
	}
	for i, e := range complete {
		if complete[i].Actor, err = l.still(ctx, tx, e.Actor, e.Code); err != nil {
			return 0, err
		}
	}
	tree, err := grow(ctx, tx, h, l.macs(h.origin), complete)
	if err != nil || !atOnce || l.signing == nil {
		return tree.Size, err
	}
	h.seq, h.edge = tree.Size, tree.Edge()
	signed, err := l.sign(ctx, tx, h)
	if err == nil && !signed && complete[len(complete)-1].Code == JobSealed { // a seal without a checkpoint proves less
		err = FaultNotSigned.With()
	}
	return tree.Size, err
}

// complete shortens the texts of an entry and adds its time and app.
func (l *Log) complete(ctx context.Context, tx *store.Tx, e Entry) (Entry, error) {
	short := map[string]any{}
	for name, value := range e.Details {
		if text, is := value.(string); is && name != "entries" && name != "approvals" && name != "lost" { // lists of numbers and roots
			value = store.Clean(text, maxText)
		}
		short[name] = value
	}
	details, err := json.Marshal(short)
	if err != nil {
		return e, err
	}
	if len(details) > maxDetails {
		return e, fmt.Errorf("audit: the details of a %s entry have %d bytes", e.Code, len(details))
	}
	e.Details = nil // as they will be read: numbers are numbers of JSON
	if err := json.Unmarshal(details, &e.Details); err != nil {
		return e, err
	}
	e.At = l.db.Now()
	e.Target, e.Actor.Name = store.Clean(e.Target, 300), store.Clean(e.Actor.Name, 100)
	e.Actor.UserAgent, e.Actor.RequestID = store.Clean(e.Actor.UserAgent, 300), store.Clean(e.Actor.RequestID, 100)
	if e.JobID != "" && e.App == "" && l.appOf != nil {
		if e.App, e.Domain, err = l.appOf(ctx, tx, e.JobID); err != nil {
			return e, err
		}
	}
	return e, nil
}

// grow makes entries the next leaves of the tree, and returns the tree.
func grow(ctx context.Context, tx *store.Tx, h head, m *macs, entries []Entry) (tree Tree, err error) {
	if tree, err = TreeAt(h.seq, h.edge); err != nil {
		return tree, err
	}
	var lines, hashes []any
	for i := range entries {
		e := &entries[i]
		e.Seq = tree.Size + 1
		written, err := Write(*e)
		if err != nil {
			return tree, err
		}
		leaf := written.Leaf()
		for i, hash := range tree.Grow(leaf) {
			hashes = append(hashes, tlog.StoredHashIndex(0, e.Seq-1)+int64(i), hash[:])
		}
		at := store.Millis(e.At)
		h.reached = max(h.reached, at)
		lines = append(lines, e.Seq, written.Line, written.Personal, at, h.reached, e.Code, store.Number(e.Code.Failure()),
			strings.ToLower(e.Actor.Name), e.JobID, m.of(e.Seq, leaf))
	}
	err = tx.Exec(ctx, `UPDATE audit_head SET seq = $1, edge = $2, reached = $3 WHERE id = 1`, tree.Size, tree.Edge(), h.reached)
	if err == nil {
		err = store.InsertAll(ctx, tx, `audit_lines (seq, line, personal, at, reached, code, failed, actor, job_id, mac)`, 10, lines)
	}
	if err == nil {
		err = store.InsertAll(ctx, tx, `audit_hashes (number, hash)`, 2, hashes)
	}
	if err == nil {
		err = saveWords(ctx, tx, entries...)
	}
	return tree, err
}

// saveWords saves what entries are found by.
func saveWords(ctx context.Context, tx *store.Tx, entries ...Entry) error {
	var rows []any
	for _, e := range entries {
		for _, word := range e.Terms() {
			rows = append(rows, word, e.Seq)
		}
	}
	return store.InsertAll(ctx, tx, `audit_words (word, seq)`, 2, rows)
}

// Failure reports whether the event says that something was refused, stopped or
// found wrong.
func (c Code) Failure() bool {
	switch c {
	case SignInFailed, AccessDenied, JobUploadRefused, JobRefused, JobHalted, JobEmergency, LogUnverified, LogAccepted, ClockJumped:
		return true
	}
	return false
}

// signedAtOnce are the events that end a job, and those that say what governs.
var signedAtOnce = []Code{JobFinished, JobCancelled, JobSealed, LogAccepted,
	ApprovalGiven, ApprovalRefused, ApprovalWithdrawn, JobEmergency,
	KillSwitchThrown, KillSwitchLifted, JobPaused, JobHalted, AppChanged, AccountsProtected, AccountUnprotected,
	UserCreated, UserPasswordSet, PasswordChanged, UserRoleSet, UserDisabled, UserEnabled, SessionEnded, SessionEndedBy,
	LogKeepSet, LogRemoved, LogErased, SnapshotErased, ClockConfirmed}

// SignedAtOnce reports whether a checkpoint covers the event at once, and the witness
// remembers it before the change is answered. So a backup from just before it, put back,
// is found to be older, however little time has passed.
func (c Code) SignedAtOnce() bool { return slices.Contains(signedAtOnce, c) }

// head is the one row that says how far the log is.
type head struct {
	seq     int64  // the last entry
	edge    []byte // of the tree, see TreeAt
	reached int64  // the latest time of an entry, in milliseconds
	removed int64  // entries up to this one were removed, except NeverRemoved
	months  int    // for how many entries are kept; 0: for ever
	origin  string // names the log
}

const headColumns = `seq, edge, reached, removed, keep_months, origin`

// readHead reads the head.
func readHead(ctx context.Context, q store.Querier) (head, error) {
	return queryHead(ctx, q, `SELECT `+headColumns+` FROM audit_head WHERE id = 1`)
}

// lockHead locks the head, and so the log, until the transaction ends.
func lockHead(ctx context.Context, tx *store.Tx) (head, error) {
	return queryHead(ctx, tx, `UPDATE audit_head SET seq = seq WHERE id = 1 RETURNING `+headColumns)
}

func queryHead(ctx context.Context, q store.Querier, query string) (h head, err error) {
	err = q.QueryRowContext(ctx, query).Scan(&h.seq, &h.edge, &h.reached, &h.removed, &h.months, &h.origin)
	return h, store.AsTrouble(err)
}

// Size is the number of the last entry.
func (l *Log) Size(ctx context.Context) (int64, error) {
	h, err := readHead(ctx, l.db.Reader())
	return h.seq, err
}

// Entries returns the entries that fit, newest first.
func (l *Log) Entries(ctx context.Context, f Filter) ([]Entry, error) {
	q, err := l.query(ctx, f)
	if err != nil {
		return nil, err
	}
	return store.Collect(ctx, l.db.Reader(), scanEntry, q.Text, q.Args...)
}

// each gives the entries that fit, newest first, until give returns false.
func (l *Log) each(ctx context.Context, f Filter, give func(Entry) bool) error {
	for f.Limit = 200; ; {
		found, err := l.Entries(ctx, f)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, e := range found {
			if !give(e) {
				return nil
			}
			f.Before = e.Seq
		}
	}
}

// selectLines chooses what scanEntry and scanStored read.
const selectLines = `SELECT seq, line, personal, mac FROM audit_lines WHERE `

func scanEntry(row store.Scanner) (e Entry, err error) {
	stored, err := scanStored(row)
	if err != nil {
		return e, err
	}
	if e, err = stored.Read(); err != nil {
		return e, fmt.Errorf("audit: entry %d of the log: %w", stored.Seq, err)
	}
	return e, nil
}

// Around returns one entry with its neighbours, oldest first; none when
// there is no such entry, or no longer.
func (l *Log) Around(ctx context.Context, seq int64, neighbours int) ([]Entry, error) {
	before, err := store.Collect(ctx, l.db.Reader(), scanEntry, selectLines+`seq <= $1 ORDER BY seq DESC LIMIT $2`, seq, neighbours+1)
	if err != nil || len(before) == 0 || before[0].Seq != seq {
		return nil, err
	}
	slices.Reverse(before)
	after, err := store.Collect(ctx, l.db.Reader(), scanEntry, selectLines+`seq > $1 ORDER BY seq LIMIT $2`, seq, neighbours)
	return append(before, after...), err
}

// Stored is an entry as it is in the database.
type Stored struct {
	Seq int64
	Written
	MAC []byte // see UseKey
}

func scanStored(row store.Scanner) (s Stored, err error) {
	return s, row.Scan(&s.Seq, &s.Line, &s.Personal, &s.MAC)
}

// StoredAfter returns entries of one event behind an entry, oldest first.
func (l *Log) StoredAfter(ctx context.Context, q store.Querier, code Code, after int64, limit int) ([]Stored, error) {
	return store.Collect(ctx, q, scanStored,
		selectLines+`code = $1 AND seq > $2 ORDER BY seq LIMIT $3`, code, after, limit)
}

// Has reports whether an entry is there, and says that the event happened to the job.
func (l *Log) Has(ctx context.Context, q store.Querier, seq int64, code Code, jobID string) (bool, error) {
	return store.Value[bool](ctx, q,
		`SELECT COUNT(*) > 0 FROM audit_lines WHERE seq = $1 AND code = $2 AND job_id = $3`, seq, code, jobID)
}

// maxOfJob is how many entries of a job SeqsOf and OfJobIn return.
const maxOfJob = 100

// OfJobIn returns the last entries of a job of some events, in ascending order.
func (l *Log) OfJobIn(ctx context.Context, q store.Querier, jobID string, codes ...Code) ([]Entry, error) {
	entries, err := store.Collect(ctx, q, scanEntry,
		selectLines+`job_id <> '' AND job_id = $1 AND code IN `+listOf(codes)+` ORDER BY seq DESC LIMIT $2`, jobID, maxOfJob)
	slices.Reverse(entries)
	return entries, err
}

// SeqsOf returns the numbers of a job's entries of some events, in ascending order.
func (l *Log) SeqsOf(ctx context.Context, q store.Querier, jobID string, codes ...Code) ([]int64, error) {
	return store.Column[int64](ctx, q, `SELECT seq FROM audit_lines
		WHERE job_id <> '' AND job_id = $1 AND code IN `+listOf(codes)+` ORDER BY seq LIMIT $2`, jobID, maxOfJob)
}
