package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

// Record writes an entry for an event that changes nothing else, such as a
// download. Seq, At, App and Domain are set here.
func (s *Jobs) Record(ctx context.Context, e audit.Entry) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error { return s.RecordIn(ctx, tx, e) })
}

// Bounds of what an entry says, in bytes: of one text, and of all of it.
const (
	longestText    = 2_000
	longestDetails = 20_000
)

// RecordIn is called last in a transaction: it locks the head of the log. What
// ends a job gets a checkpoint.
func (s *Jobs) RecordIn(ctx context.Context, tx *store.Tx, e audit.Entry) error {
	_, err := s.recorded(ctx, tx, e)
	return err
}

// recorded is RecordIn and returns the entry's number.
func (s *Jobs) recorded(ctx context.Context, tx *store.Tx, e audit.Entry) (seq int64, err error) {
	if e, err = s.complete(ctx, tx, e); err != nil {
		return 0, err
	}
	tree, err := s.append(ctx, tx, e)
	if err == nil && e.Code.Ends() {
		err = s.sign(ctx, tx, tree)
	}
	return tree.Size, err
}

// complete shortens what an entry says and adds where it happened.
func (s *Jobs) complete(ctx context.Context, tx *store.Tx, e audit.Entry) (audit.Entry, error) {
	short := map[string]any{}
	for name, value := range e.Details {
		if text, is := value.(string); is && name != "entries" && name != "approvals" { // lists of numbers of entries
			value = store.Clean(text, longestText)
		}
		short[name] = value
	}
	details, err := json.Marshal(short)
	if err != nil {
		return e, err
	}
	if len(details) > longestDetails {
		return e, fmt.Errorf("store: the details of a %s entry have %d bytes", e.Code, len(details))
	}
	e.Details = nil // as they will be read: numbers are numbers of JSON
	if err := json.Unmarshal(details, &e.Details); err != nil {
		return e, err
	}
	e.At = s.db.Now()
	e.Target, e.Actor.Name = store.Clean(e.Target, 300), store.Clean(e.Actor.Name, 100)
	e.Actor.UserAgent, e.Actor.RequestID = store.Clean(e.Actor.UserAgent, 300), store.Clean(e.Actor.RequestID, 100)
	if e.JobID != "" && e.App == "" {
		err := tx.QueryRowContext(ctx, `SELECT a.name || ' (' || a.environment || ')', a.domain FROM jobs j JOIN apps a ON a.id = j.app_id WHERE j.id = $1`, e.JobID).
			Scan(&e.App, &e.Domain)
		if err != nil && err != sql.ErrNoRows {
			return e, err
		}
	}
	return e, nil
}

// append makes an entry the next leaf of the tree, and returns the tree.
func (s *Jobs) append(ctx context.Context, tx *store.Tx, e audit.Entry) (tree audit.Tree, err error) {
	var edge []byte
	var reached int64
	if err := tx.QueryRowContext(ctx, `UPDATE audit_head SET seq = seq + 1 WHERE id = 1 RETURNING seq, edge, reached`).Scan(&e.Seq, &edge, &reached); err != nil {
		return tree, err
	}
	if tree, err = audit.TreeAt(e.Seq-1, edge); err != nil {
		return tree, err
	}
	written, err := audit.Write(e)
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

// AuditEntries returns the entries that fit, newest first.
func (s *Jobs) AuditEntries(ctx context.Context, f AuditFilter) ([]audit.Entry, error) {
	q, err := s.auditQuery(ctx, f)
	if err != nil {
		return nil, store.AsTrouble(err)
	}
	entries, err := store.Collect(ctx, s.db.Reader(), scanEntry, q.Text, q.Args...)
	return entries, store.AsTrouble(err)
}

func scanEntry(row store.Scanner) (e audit.Entry, err error) {
	var w audit.Written
	var seq int64
	if err = row.Scan(&seq, &w.Line, &w.Personal); err != nil {
		return e, err
	}
	if e, err = w.Read(); err != nil {
		return e, fmt.Errorf("store: entry %d of the log: %w", seq, err)
	}
	return e, nil
}

// AuditEntry returns one entry with its neighbours, oldest first; none when
// there is no such entry, or no longer.
func (s *Jobs) AuditEntry(ctx context.Context, seq int64, neighbours int) ([]audit.Entry, error) {
	const around = `SELECT seq, line, personal FROM audit_lines WHERE `
	before, err := store.Collect(ctx, s.db.Reader(), scanEntry, around+`seq <= $1 ORDER BY seq DESC LIMIT $2`, seq, neighbours+1)
	if err != nil || len(before) == 0 || before[0].Seq != seq {
		return nil, store.AsTrouble(err)
	}
	slices.Reverse(before)
	after, err := store.Collect(ctx, s.db.Reader(), scanEntry, around+`seq > $1 ORDER BY seq LIMIT $2`, seq, neighbours)
	return append(before, after...), store.AsTrouble(err)
}
