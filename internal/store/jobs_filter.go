package store

import (
	"context"
	"strings"
	"time"

	"tagsweep/internal/jobs"
)

// JobFilter chooses jobs; a zero field chooses all.
type JobFilter struct {
	State  jobs.State
	Kind   jobs.Kind
	By     string    // who made it, however the name is capitalised
	From   time.Time // made at this time or later
	To     time.Time // made before
	Text   string    // stands in its file's name, its note or its id
	Before string    // an id: jobs older than it
	Limit  int
}

// Jobs returns the jobs that fit, newest first.
func (s *Store) Jobs(ctx context.Context, f JobFilter) ([]jobs.Job, error) {
	q, where := query{}, []string{}
	if f.State != "" {
		where = append(where, `j.state = `+q.arg(Clean(string(f.State), 100)))
	}
	if f.Kind != "" {
		where = append(where, `j.kind = `+q.arg(Clean(string(f.Kind), 100)))
	}
	if f.By != "" {
		where = append(where, `LOWER(j.created_by) = LOWER(CAST(`+q.arg(Clean(f.By, 100))+` AS TEXT))`)
	}
	if !f.From.IsZero() {
		where = append(where, `j.created_at >= `+q.arg(f.From.UnixMilli()))
	}
	if !f.To.IsZero() {
		where = append(where, `j.created_at < `+q.arg(f.To.UnixMilli()))
	}
	if f.Text != "" {
		like := ` LIKE LOWER(CAST(` + q.arg("%"+literally(Clean(f.Text, 300))+"%") + ` AS TEXT)) ESCAPE '!'`
		where = append(where, `(LOWER(j.file_name)`+like+` OR LOWER(j.note)`+like+` OR j.id`+like+`)`)
	}
	if f.Before != "" {
		where = append(where, `j.id < `+q.arg(Clean(f.Before, 100)))
	}
	q.text = `SELECT ` + jobColumns + ` FROM jobs j`
	if len(where) > 0 {
		q.text += ` WHERE ` + strings.Join(where, ` AND `)
	}
	q.text += ` ORDER BY j.id DESC LIMIT ` + q.arg(f.Limit)
	return Collect(ctx, s.read, scanJob, q.text, q.args...)
}

// literally is a text in a pattern whose signs mean themselves.
func literally(text string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text)
}
