package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"tagsweep/internal/audit"
)

// takeOver makes the entries of earlier versions, which stood in columns, the
// first leaves of the tree, and gives the log its name. It is a migration.
func (s *Store) takeOver(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `UPDATE audit_head SET seq = 0, origin = $1 WHERE id = 1`, audit.Origins+newID(s.now())); err != nil {
		return err
	}
	taken := int64(0)
	for {
		entries, err := collect(ctx, tx, scanOldEntry, `
			SELECT seq, at, code, actor_id, actor_name, actor_role, session, address, user_agent, request_id, job_id, target, app, details
			FROM audit_entries WHERE seq > $1 ORDER BY seq LIMIT $2`, taken, pageRows)
		if err != nil {
			return err
		}
		for _, e := range entries {
			tree, err := s.append(ctx, tx, e)
			if err != nil {
				return err
			}
			if tree.Size != e.Seq {
				return fmt.Errorf("store: the log of before lacks entry %d", tree.Size)
			}
			taken = e.Seq
		}
		if len(entries) == 0 {
			break
		}
	}
	if taken > 0 {
		err := s.record(ctx, tx, audit.Entry{Code: audit.LogTakenOver, Actor: audit.System, Details: map[string]any{"entries": fmt.Sprintf("1-%d", taken)}})
		if err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `DROP TABLE audit_entries`)
	return err
}

func scanOldEntry(row scanner) (e audit.Entry, err error) {
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
