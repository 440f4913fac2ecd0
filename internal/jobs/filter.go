package jobs

import (
	"context"
	"strings"
	"time"

	"tagsweep/internal/store"
)

// Filter chooses jobs; a zero field chooses all.
type Filter struct {
	State  State
	Kind   Kind
	By     string    // who made it, however the name is capitalised
	From   time.Time // made at this time or later
	To     time.Time // made before
	Text   string    // stands in its file's name, its note or its id
	Before string    // an id: jobs older than it
	Limit  int
}

// List returns the jobs that fit, newest first.
func (s *Jobs) List(ctx context.Context, f Filter) ([]Job, error) {
	q, where := store.Query{}, []string{}
	if f.State != "" {
		where = append(where, `j.state = `+q.Arg(store.Clean(string(f.State), 100)))
	}
	if f.Kind != "" {
		where = append(where, `j.kind = `+q.Arg(store.Clean(string(f.Kind), 100)))
	}
	if f.By != "" {
		where = append(where, `LOWER(j.created_by) = LOWER(CAST(`+q.Arg(store.Clean(f.By, 100))+` AS TEXT))`)
	}
	if !f.From.IsZero() {
		where = append(where, `j.created_at >= `+q.Arg(f.From.UnixMilli()))
	}
	if !f.To.IsZero() {
		where = append(where, `j.created_at < `+q.Arg(f.To.UnixMilli()))
	}
	if f.Text != "" {
		like := ` LIKE LOWER(CAST(` + q.Arg("%"+literally(store.Clean(f.Text, 300))+"%") + ` AS TEXT)) ESCAPE '!'`
		where = append(where, `(LOWER(j.file_name)`+like+` OR LOWER(j.note)`+like+` OR j.id`+like+`)`)
	}
	if f.Before != "" {
		where = append(where, `j.id < `+q.Arg(store.Clean(f.Before, 100)))
	}
	q.Text = `SELECT ` + jobColumns + ` FROM jobs j`
	if len(where) > 0 {
		q.Text += ` WHERE ` + strings.Join(where, ` AND `)
	}
	q.Text += ` ORDER BY j.id DESC LIMIT ` + q.Arg(f.Limit)
	return store.Collect(ctx, s.db.Reader(), scanJob, q.Text, q.Args...)
}

// literally is a text in a pattern whose signs mean themselves.
func literally(text string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text)
}
