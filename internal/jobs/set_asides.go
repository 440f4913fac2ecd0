package jobs

import (
	"context"
	"encoding/json"
	"iter"

	"tagsweep/internal/store"
)

// Reject is a row that was set aside and the user's own cells.
type Reject struct {
	SetAside
	Fields []string
}

// pageRows is how much one query of a long listing returns, see pageBatches.
const pageRows = 2_000

// Rejects lists the rows of a job that were set aside, in file order.
func (s *Jobs) Rejects(ctx context.Context, jobID string) iter.Seq2[Reject, error] {
	return func(yield func(Reject, error) bool) {
		file, err := s.rereadFile(ctx, jobID)
		if err == errNeverRead {
			return
		}
		if err != nil {
			yield(Reject{}, err)
			return
		}
		defer file.Close()
		for last := int64(0); ; {
			page, err := s.setAsidesAfter(ctx, jobID, last, pageRows)
			if err == nil {
				err = file.stillReads(ctx, s)
			}
			if err != nil || len(page) == 0 {
				if err != nil {
					yield(Reject{}, err)
				}
				return
			}
			for _, aside := range page {
				fields, err := file.cells(aside.Row)
				if !yield(Reject{aside, fields}, err) || err != nil {
					return
				}
			}
			last = page[len(page)-1].Row
		}
	}
}

// SetAsides returns the first rows of a job that were set aside.
func (s *Jobs) SetAsides(ctx context.Context, jobID string, limit int) ([]SetAside, error) {
	return s.setAsidesAfter(ctx, jobID, 0, limit)
}

func (s *Jobs) setAsidesAfter(ctx context.Context, jobID string, row int64, limit int) ([]SetAside, error) {
	return store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (a SetAside, err error) {
		return a, row.Scan(&a.Row, &a.Line, &a.Kind, &a.Value, &a.Reason, &a.Repeats)
	}, `
		SELECT row_number, line, kind, value, reason, repeats FROM set_asides
		WHERE job_id = $1 AND row_number > $2 ORDER BY row_number LIMIT $3`, jobID, row, limit)
}

// SetAsideGroups counts the rows of a job that were set aside, by reason, most first.
func (s *Jobs) SetAsideGroups(ctx context.Context, jobID string) ([]SetAsideGroup, error) {
	return store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (g SetAsideGroup, err error) {
		var first string
		if err = row.Scan(&g.Kind, &g.Reason, &g.Rows, &first); err != nil {
			return g, err
		}
		return g, json.Unmarshal([]byte(first), &g.First)
	}, `SELECT kind, reason, row_count, first_rows FROM set_aside_groups WHERE job_id = $1 ORDER BY row_count DESC, kind, reason`, jobID)
}

// saveGroup adds rows to a group; the first rows of a group that exists stay.
func saveGroup(ctx context.Context, tx *store.Tx, jobID string, g SetAsideGroup) error {
	first, err := json.Marshal(g.First[:min(len(g.First), GroupFirst)])
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO set_aside_groups (job_id, kind, reason, row_count, first_rows) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (job_id, kind, reason) DO UPDATE SET row_count = set_aside_groups.row_count + excluded.row_count`,
		jobID, g.Kind, g.Reason, g.Rows, string(first))
	return err
}
