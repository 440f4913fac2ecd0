package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"tagsweep/internal/audit"
)

// Record writes an entry for an event that changes nothing else, such as a
// download. Seq, At and App are set here.
func (s *Store) Record(ctx context.Context, e audit.Entry) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return s.record(ctx, tx, e) })
}

// longestDetails is far more than any entry says about itself.
const longestDetails = 10_000

// record is called last in a transaction: it locks the head of the log.
func (s *Store) record(ctx context.Context, tx *sql.Tx, e audit.Entry) error {
	short := map[string]any{}
	for name, value := range e.Details {
		if text, is := value.(string); is {
			value = clean(text, 500)
		}
		short[name] = value
	}
	details, err := json.Marshal(short)
	if err != nil {
		return err
	}
	if len(details) > longestDetails {
		return fmt.Errorf("store: the details of a %s entry have %d bytes", e.Code, len(details))
	}
	if e.JobID != "" && e.App == "" {
		err := tx.QueryRowContext(ctx,
			`SELECT a.name || ' (' || a.environment || ')' FROM jobs j JOIN apps a ON a.id = j.app_id WHERE j.id = $1`, e.JobID).Scan(&e.App)
		if err != nil && err != sql.ErrNoRows {
			return err
		}
	}
	if err := tx.QueryRowContext(ctx, `UPDATE audit_head SET seq = seq + 1 WHERE id = 1 RETURNING seq`).Scan(&e.Seq); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO audit_entries (seq, at, code, actor_id, actor_name, actor_role, session, address,
			user_agent, request_id, job_id, target, app, details)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		e.Seq, millis(s.now()), e.Code, e.Actor.ID, clean(e.Actor.Name, 100), e.Actor.Role, e.Actor.Session, e.Actor.Address,
		clean(e.Actor.UserAgent, 300), clean(e.Actor.RequestID, 100), e.JobID, clean(e.Target, 300), e.App, string(details))
	return err
}

// AuditFilter chooses entries; a zero field chooses all.
type AuditFilter struct {
	Code   audit.Code
	Actor  string // name
	JobID  string
	Before int64 // a sequence number: entries older than it
	Limit  int
}

// AuditEntries returns the entries that fit, newest first.
func (s *Store) AuditEntries(ctx context.Context, f AuditFilter) ([]audit.Entry, error) {
	return collect(ctx, s.read, scanEntry, `
		SELECT seq, at, code, actor_id, actor_name, actor_role, session, address, user_agent, request_id,
			job_id, target, app, details
		FROM audit_entries
		WHERE (CAST($1 AS TEXT) = '' OR code = $1) AND (CAST($2 AS TEXT) = '' OR actor_name = $2)
			AND (CAST($3 AS TEXT) = '' OR job_id = $3) AND (CAST($4 AS BIGINT) = 0 OR seq < $4)
		ORDER BY seq DESC LIMIT $5`,
		clean(string(f.Code), 100), clean(f.Actor, 100), clean(f.JobID, 100), f.Before, f.Limit)
}

func scanEntry(row scanner) (e audit.Entry, err error) {
	var at int64
	var details string
	err = row.Scan(&e.Seq, &at, &e.Code, &e.Actor.ID, &e.Actor.Name, &e.Actor.Role, &e.Actor.Session, &e.Actor.Address,
		&e.Actor.UserAgent, &e.Actor.RequestID, &e.JobID, &e.Target, &e.App, &details)
	if err != nil {
		return e, err
	}
	e.At = fromMillis(at)
	return e, json.Unmarshal([]byte(details), &e.Details)
}
