package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/store"
)

// Log is the log of a database. Its methods may be called at the same time.
type Log struct {
	db     *store.DB
	appOf  AppOf
	signer func(origin string) (*Signer, error) // see SignWith; nil: no checkpoints are made
}

// AppOf returns the app of a job as entries name it, and its domain; "" for an unknown job.
type AppOf func(ctx context.Context, q store.Querier, jobID string) (name, domain string, err error)

// New returns the log of a database. AppOf may be nil where no jobs are.
func New(db *store.DB, appOf AppOf) *Log { return &Log{db: db, appOf: appOf} }

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

// RecordIn is called last in a transaction: it locks the head of the log. An entry
// that ends a job gets a checkpoint.
func (l *Log) RecordIn(ctx context.Context, tx *store.Tx, e Entry) error {
	_, err := l.Append(ctx, tx, e)
	return err
}

// Append is RecordIn and returns the entry's number.
func (l *Log) Append(ctx context.Context, tx *store.Tx, e Entry) (seq int64, err error) {
	if e, err = l.complete(ctx, tx, e); err != nil {
		return 0, err
	}
	tree, err := l.grow(ctx, tx, e)
	if err == nil && e.Code.Ends() {
		err = l.sign(ctx, tx, tree)
	}
	return tree.Size, err
}

// complete shortens the texts of an entry and adds its time and app.
func (l *Log) complete(ctx context.Context, tx *store.Tx, e Entry) (Entry, error) {
	short := map[string]any{}
	for name, value := range e.Details {
		if text, is := value.(string); is && name != "entries" && name != "approvals" { // lists of numbers of entries
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

// grow makes an entry the next leaf of the tree, and returns the tree.
func (l *Log) grow(ctx context.Context, tx *store.Tx, e Entry) (tree Tree, err error) {
	var edge []byte
	var reached int64
	if err := tx.QueryRowContext(ctx,
		`UPDATE audit_head SET seq = seq + 1 WHERE id = 1 RETURNING seq, edge, reached`).Scan(&e.Seq, &edge, &reached); err != nil {
		return tree, err
	}
	if tree, err = TreeAt(e.Seq-1, edge); err != nil {
		return tree, err
	}
	written, err := Write(e)
	if err != nil {
		return tree, err
	}
	hashes := tree.Grow(written.Leaf())
	at := store.Millis(e.At)
	reached = max(reached, at)
	if _, err := tx.ExecContext(ctx, `UPDATE audit_head SET edge = $1, reached = $2 WHERE id = 1`, tree.Edge(), reached); err != nil {
		return tree, err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO audit_lines (seq, line, personal, at, reached, code, failed, actor, job_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		e.Seq, written.Line, written.Personal, at, reached, e.Code, store.Number(e.Code.Failure()), strings.ToLower(e.Actor.Name), e.JobID)
	if err != nil {
		return tree, err
	}
	var rows []any
	for i, hash := range hashes {
		rows = append(rows, tlog.StoredHashIndex(0, e.Seq-1)+int64(i), hash[:])
	}
	if err := store.InsertAll(ctx, tx, `audit_hashes (number, hash)`, 2, rows); err != nil {
		return tree, err
	}
	rows = nil
	for _, word := range e.Terms() {
		rows = append(rows, word, e.Seq)
	}
	return tree, store.InsertAll(ctx, tx, `audit_words (word, seq)`, 2, rows)
}

// Entries returns the entries that fit, newest first.
func (l *Log) Entries(ctx context.Context, f Filter) ([]Entry, error) {
	q, err := l.query(ctx, f)
	if err != nil {
		return nil, store.AsTrouble(err)
	}
	entries, err := store.Collect(ctx, l.db.Reader(), scanEntry, q.Text, q.Args...)
	return entries, store.AsTrouble(err)
}

func scanEntry(row store.Scanner) (e Entry, err error) {
	var w Written
	var seq int64
	if err = row.Scan(&seq, &w.Line, &w.Personal); err != nil {
		return e, err
	}
	if e, err = w.Read(); err != nil {
		return e, fmt.Errorf("audit: entry %d of the log: %w", seq, err)
	}
	return e, nil
}

// Around returns one entry with its neighbours, oldest first; none when
// there is no such entry, or no longer.
func (l *Log) Around(ctx context.Context, seq int64, neighbours int) ([]Entry, error) {
	const around = `SELECT seq, line, personal FROM audit_lines WHERE `
	before, err := store.Collect(ctx, l.db.Reader(), scanEntry, around+`seq <= $1 ORDER BY seq DESC LIMIT $2`, seq, neighbours+1)
	if err != nil || len(before) == 0 || before[0].Seq != seq {
		return nil, store.AsTrouble(err)
	}
	slices.Reverse(before)
	after, err := store.Collect(ctx, l.db.Reader(), scanEntry, around+`seq > $1 ORDER BY seq LIMIT $2`, seq, neighbours)
	return append(before, after...), store.AsTrouble(err)
}

// Stored is an entry as it is in the database.
type Stored struct {
	Seq int64
	Written
}

// StoredAfter returns entries of one event behind an entry, oldest first.
func (l *Log) StoredAfter(ctx context.Context, q store.Querier, code Code, after int64, limit int) ([]Stored, error) {
	return store.Collect(ctx, q, func(row store.Scanner) (e Stored, err error) {
		return e, row.Scan(&e.Seq, &e.Line, &e.Personal)
	}, `SELECT seq, line, personal FROM audit_lines WHERE code = $1 AND seq > $2 ORDER BY seq LIMIT $3`, code, after, limit)
}

// Has reports whether an entry is there, and says that the event happened to the job.
func (l *Log) Has(ctx context.Context, q store.Querier, seq int64, code Code, jobID string) (bool, error) {
	var n int
	err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM audit_lines WHERE seq = $1 AND code = $2 AND job_id = $3`, seq, code, jobID).Scan(&n)
	return n > 0, err
}

// maxOfJob is how many entries of a job SeqsOf returns.
const maxOfJob = 100

// SeqsOf returns the numbers of a job's entries of some events, in ascending order.
func (l *Log) SeqsOf(ctx context.Context, q store.Querier, jobID string, codes ...Code) ([]int64, error) {
	var query store.Query
	query.Text = `SELECT seq FROM audit_lines WHERE job_id <> '' AND job_id = ` + query.Arg(jobID) + ` AND code IN (`
	for i, code := range codes {
		if i > 0 {
			query.Text += ", "
		}
		query.Text += query.Arg(code)
	}
	query.Text += `) ORDER BY seq LIMIT ` + query.Arg(maxOfJob)
	return store.Column[int64](ctx, q, query.Text, query.Args...)
}
