package snapshot

import (
	"context"
	"encoding/json"

	"tagsweep/internal/store"
)

// SavedReport returns the report of a job that has ended; nil if none is saved.
func (s *Snapshots) SavedReport(ctx context.Context, jobID string) (*Report, error) {
	text, err := store.Value[string](ctx, s.db.Reader(), `SELECT report FROM tag_reports WHERE job_id = $1`, jobID)
	if err != nil {
		return nil, store.IfNone(err, nil)
	}
	report := &Report{}
	return report, json.Unmarshal([]byte(text), report)
}

// SaveReport saves the report of a job, which outlives its tags.
func (s *Snapshots) SaveReport(ctx context.Context, jobID string, report *Report) error {
	text, err := json.Marshal(report)
	if err != nil {
		return err
	}
	return s.db.Exec(ctx, `INSERT INTO tag_reports (job_id, report) VALUES ($1, $2) ON CONFLICT (job_id) DO NOTHING`,
		jobID, string(text))
}
