package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"tagsweep/internal/accounts"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

func outcomeColumn(o Outcome) string { return "outcome_" + string(o) }

// jobFields are the columns that scanJob reads.
var jobFields = func() string {
	columns := []string{"id", "app_id", "kind", "state", "note", "file_name", "file_sha256", "file_bytes",
		"row_count", "rejected", "duplicate", "protected", "accounts", "batches", "calls",
		"created_by", "started_by", "approved_by", "emergency", "created_at", "started_at", "finished_at", "halt_code", "halt_info", "start_at",
		"careful", "source", "reading", "read_done", "read_rows", "refusal", "version", "snapshot", "policy", "only_tags",
		"verify_share", "verify_seed", "verify_due", "checks", "protected_version", "turn", "unsure", "account_bytes",
		"restored_at", "plan_sha256", "failure_limit"}
	for _, o := range Outcomes {
		columns = append(columns, outcomeColumn(o))
	}
	return strings.Join(columns, ", ")
}()

// jobColumns are the same of a table called j.
var jobColumns = "j." + strings.ReplaceAll(jobFields, ", ", ", j.")

func scanJob(row store.Scanner) (j Job, err error) {
	var refusal, only, unsure string
	dest := []any{&j.ID, &j.AppID, &j.Kind, &j.State, &j.Note, &j.FileName, &j.FileSHA256, &j.FileBytes,
		&j.Rows, &j.Rejected, &j.Duplicate, &j.Protected, &j.Accounts, &j.Batches, &j.Calls,
		&j.CreatedBy, &j.StartedBy, &j.ApprovedBy, &j.Emergency, store.ScanTime(&j.CreatedAt), store.ScanTime(&j.StartedAt),
		store.ScanTime(&j.FinishedAt), &j.HaltCode, &j.HaltInfo, store.ScanTime(&j.StartAt),
		&j.Careful, &j.Source, &j.Reading, &j.Read, &j.ReadRows, &refusal, &j.Version, &j.Snapshot, &j.Policy, &only,
		&j.Verify.Share, &j.Verify.Seed, &j.Verify.Due, &j.Checks, &j.listVersion, &j.turn, &unsure, &j.AccountBytes,
		store.ScanTime(&j.RestoredAt), &j.Plan, &j.limit}
	counts := make([]int64, len(Outcomes))
	for i := range Outcomes {
		dest = append(dest, &counts[i])
	}
	if err = row.Scan(dest...); err == nil && refusal != "" {
		j.Refusal, err = fault.Recall([]byte(refusal))
	}
	if err == nil && only != "" && json.Unmarshal([]byte(only), &j.Only) != nil {
		j.Only = []string{} // it was damaged: the engine halts such a job, and nothing of it may be taken for all
	}
	j.Unsure = questionsNamed(unsure)
	j.Counts = Counts{}
	for i, o := range Outcomes {
		j.Counts[o] = counts[i]
	}
	return j, err
}

// names are the questions as they stand in the row of a job.
func names(questions []accounts.Question) string {
	list := make([]string, len(questions))
	for i, q := range questions {
		list[i] = q.Name
	}
	return strings.Join(list, ",")
}

func questionsNamed(list string) (names []Asked) {
	for name := range strings.SplitSeq(list, ",") {
		if name != "" {
			names = append(names, Asked(name))
		}
	}
	return names
}

const progressColumns = `state, halt_code, outcome_waiting, outcome_waiting + outcome_sending + outcome_in_doubt,
	accounts - outcome_waiting - outcome_sending - outcome_in_doubt - outcome_cancelled - checked_done,
		outcome_failed - checked_failed,
	CASE WHEN failure_limit > 0 THEN failure_limit ELSE (SELECT a.failure_limit FROM apps a WHERE a.id = jobs.app_id) END,
	careful = 1, careful = 1 AND EXISTS (SELECT 1 FROM batches b WHERE b.job_id = jobs.id AND b.number = 1
		AND b.outcome NOT IN ('waiting', 'sending', 'in_doubt'))`

func (p *Progress) columns() []any {
	return []any{&p.State, &p.HaltCode, &p.Waiting, &p.Open, &p.Settled, &p.Failed, &p.Limit, &p.Careful, &p.First}
}

func progress(ctx context.Context, q store.Querier, jobID string) (p Progress, err error) {
	return p, q.QueryRowContext(ctx, `SELECT `+progressColumns+` FROM jobs WHERE id = $1`, jobID).Scan(p.columns()...)
}

// Get returns a job as it stands. It returns FaultNoJob.
func (s *Jobs) Get(ctx context.Context, id string) (Job, error) {
	return job(ctx, s.db.Reader(), id)
}

func job(ctx context.Context, q store.Querier, id string) (Job, error) {
	j, err := scanJob(q.QueryRowContext(ctx, `SELECT `+jobFields+` FROM jobs WHERE id = $1`, store.Clean(id, 100)))
	return j, store.IfNone(err, FaultNoJob.With(store.Clean(id, 40)))
}

// Reasons counts a job's failed accounts by code, most first.
func (s *Jobs) Reasons(ctx context.Context, jobID string) ([]Reason, error) {
	return store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (r Reason, err error) {
		return r, row.Scan(&r.Code, &r.Info, &r.Accounts)
	}, `
		SELECT code, MAX(message), CAST(SUM(n) AS BIGINT) FROM (
			SELECT code, MAX(message) AS message, COUNT(*) AS n FROM own_outcomes WHERE job_id = $1 AND outcome = 'failed' GROUP BY code
			UNION ALL
			SELECT code, MAX(message), SUM(accounts) FROM batches WHERE job_id = $1 AND outcome = 'failed' GROUP BY code
		) AS failures GROUP BY code ORDER BY 3 DESC, code`, jobID)
}

// CallsPerSecond is a job's rate over the last five seconds, reading not counted
// unless it is all the job does.
func (s *Jobs) CallsPerSecond(ctx context.Context, jobID string) (float64, error) {
	const window = 5000
	j, err := s.Get(ctx, jobID)
	if err != nil {
		return 0, err
	}
	calls, err := store.Value[int64](ctx, s.db.Reader(),
		`SELECT COUNT(*) FROM calls WHERE job_id = $1 AND sent_at > $2 AND command = $3 AND delivery <> 'not_sent'`,
		j.ID, store.Millis(s.db.Now())-window, cmp.Or(j.Kind.Command(), tim.GetTags))
	return float64(calls) / (window / 1000), err
}

// Filter chooses jobs; a zero field chooses all.
type Filter struct {
	State  State
	Kind   Kind
	By     string    // who made it, however the name is capitalised
	From   time.Time // made at this time or later
	To     time.Time // made before
	App    string    // its id
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
	if f.App != "" {
		where = append(where, `j.app_id = `+q.Arg(store.Clean(f.App, 100)))
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
		literally := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(store.Clean(f.Text, 300))
		like := ` LIKE LOWER(CAST(` + q.Arg("%"+literally+"%") + ` AS TEXT)) ESCAPE '!'`
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
