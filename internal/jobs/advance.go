package jobs

import (
	"context"
	"fmt"
	"strings"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

const progressColumns = `state, halt_code, outcome_waiting, outcome_waiting + outcome_sending + outcome_in_doubt,
	accounts - outcome_waiting - outcome_sending - outcome_in_doubt - outcome_cancelled - checked_done,
		outcome_failed - checked_failed,
	CASE WHEN failure_limit > 0 THEN failure_limit ELSE (SELECT a.failure_limit FROM apps a WHERE a.id = jobs.app_id) END,
	careful = 1, careful = 1 AND EXISTS (SELECT 1 FROM batches b WHERE b.job_id = jobs.id AND b.number = 1
		AND b.outcome NOT IN ('waiting', 'sending', 'in_doubt'))`

func scanProgress(row store.Scanner) (p Progress, err error) {
	return p, row.Scan(&p.State, &p.HaltCode, &p.Waiting, &p.Open, &p.Settled, &p.Failed, &p.Limit, &p.Careful, &p.First)
}

// MoveCounts adds changes that sum up to zero to the counts of a job, and calls
// that were made. Of transactions that share a commit they are added up and written
// once; if the job must also end or halt, it returns store.ErrExclusive.
// A transaction of its own calls Advance next.
func (s *Jobs) MoveCounts(ctx context.Context, tx *store.Tx, jobID string, by Counts, calls int64) error {
	if by.Sum() != 0 {
		return fmt.Errorf("jobs: counts of job %s would no longer add up: %v", jobID, by)
	}
	total, shared := tx.Total(jobID, func() store.Total { return &movedCounts{job: jobID, by: Counts{}} }).(*movedCounts)
	if !shared {
		_, err := writeCounts(ctx, tx, jobID, by, calls)
		return err
	}
	for outcome, n := range by {
		total.by[outcome] += n
	}
	total.calls += calls
	total.settled = total.settled || len(by) > 0 && by[Sending] <= 0
	return nil
}

// movedCounts are the changes of a job's counts that share a commit.
type movedCounts struct {
	job     string
	by      Counts
	calls   int64
	settled bool // not only that calls may leave
}

// Write implements store.Total.
func (m *movedCounts) Write(ctx context.Context, tx *store.Tx) error {
	p, err := writeCounts(ctx, tx, m.job, m.by, m.calls)
	if err != nil || !m.settled {
		return err
	}
	switch p.Judge() {
	case GoOn:
		return nil
	case Pass:
		return countAnew(ctx, tx, m.job, p)
	}
	return store.ErrExclusive
}

func writeCounts(ctx context.Context, tx *store.Tx, jobID string, by Counts, calls int64) (Progress, error) {
	set, args := []string{"version = version + 1", "calls = calls + $2"}, []any{jobID, calls}
	for _, o := range Outcomes {
		if by[o] != 0 {
			args = append(args, by[o])
			set = append(set, fmt.Sprintf("%s = %s + $%d", outcomeColumn(o), outcomeColumn(o), len(args)))
		}
	}
	return scanProgress(tx.QueryRowContext(ctx,
		`UPDATE jobs SET `+strings.Join(set, ", ")+` WHERE id = $1 RETURNING `+progressColumns, args...))
}

// Advance does what follows for a job from its counts. It is called last in a
// transaction that has settled accounts.
func (s *Jobs) Advance(ctx context.Context, tx *store.Tx, jobID string) error {
	p, err := scanProgress(tx.QueryRowContext(ctx, `SELECT `+progressColumns+` FROM jobs WHERE id = $1`, jobID))
	if err != nil {
		return err
	}
	switch p.Judge() {
	case Drop:
		if p, err = s.dropWaiting(ctx, tx, jobID); err != nil || p.Open > 0 {
			return err
		}
		return s.finish(ctx, tx, jobID)
	case End:
		return s.finish(ctx, tx, jobID)
	case TooMany:
		return s.Halt(ctx, tx, jobID, HaltReason{Code: CodeFailures, Info: fmt.Sprintf("%d/%d", p.Failed, p.Settled)})
	case Pass:
		return countAnew(ctx, tx, jobID, p)
	}
	return nil
}

// countAnew lets a job go on: what was settled so far was judged.
func countAnew(ctx context.Context, tx *store.Tx, jobID string, p Progress) error {
	return tx.Exec(ctx, `
		UPDATE jobs SET careful = 0, checked_done = checked_done + $2, checked_failed = checked_failed + $3 WHERE id = $1`,
		jobID, p.Settled, p.Failed)
}

// dropWaitingSQL ends the batches of the job $1 that wait and are not claimed, at the time $2.
const dropWaitingSQL = `
	UPDATE batches SET (outcome, settled_at) = (
		SELECT CASE WHEN sent = 1 AND j.kind <> 'clear' THEN 'in_doubt' ELSE 'cancelled' END,
			CASE WHEN sent = 1 AND j.kind <> 'clear' THEN 0 ELSE CAST($2 AS BIGINT) END
		FROM jobs j WHERE j.id = $1)
	WHERE job_id = $1 AND console = '' AND ask = 0 AND outcome IN ('in_doubt', 'waiting') AND outcome = 'waiting'
	RETURNING outcome, accounts`

// dropWaiting ends what waits of a job that was cancelled and that nobody has in
// hand. Where some tags may have been changed already, the tags are read first.
func (s *Jobs) dropWaiting(ctx context.Context, tx *store.Tx, jobID string) (p Progress, err error) {
	ended, err := store.Sums[Outcome](ctx, tx, dropWaitingSQL, jobID, store.Millis(s.db.Now()))
	if err != nil {
		return p, err
	}
	ended[Waiting] = -Counts(ended).Sum()
	return writeCounts(ctx, tx, jobID, ended, 0)
}

// act changes the state of a job as the program does, if the action fits: its row is
// written once. Whoever calls it has locked the app, so that the state is current.
func (s *Jobs) act(ctx context.Context, tx *store.Tx, was Job, a Action, h HaltReason) (after Job, fits bool, err error) {
	to, fits := was.State.Next(a)
	if !fits {
		return was, false, nil
	}
	finishedAt := int64(0)
	if a == Finish {
		finishedAt = store.Millis(s.db.Now())
	}
	after, err = scanJob(tx.QueryRowContext(ctx, `
		UPDATE jobs SET state = $3, halt_code = $4, halt_info = $5, halt_recovers = $6, finished_at = $7, version = version + 1,
			careful = CASE WHEN CAST($7 AS BIGINT) > 0 THEN 0 ELSE careful END,
			verify_due = CASE WHEN CAST($3 AS TEXT) = 'finished' AND verify_share > 0 THEN 1 ELSE 0 END
		WHERE id = $1 AND state = $2 RETURNING `+jobFields,
		was.ID, was.State, to, h.Code, store.Clean(h.Info, 500), store.Number(Recovers(h.Code)), finishedAt))
	return after, true, err
}

// Begin says that the first batch of a job was claimed.
func (s *Jobs) Begin(ctx context.Context, tx *store.Tx, jobID string) error {
	was, err := job(ctx, tx, jobID)
	if err == nil {
		_, _, err = s.act(ctx, tx, was, Begin, HaltReason{})
	}
	return err
}

// HaltReason says why a job stops itself.
type HaltReason struct {
	Code int
	Info string // what the service said; of CodeFailures "failed/settled"
	Call string // id of the call that showed it; "" for none
}

// Halt stops a job that may send, and says so in the log. A job that would recover by
// itself stays halted if this reason needs a person. Its transaction has locked the
// app, like those of Begin, Recover and Advance.
func (s *Jobs) Halt(ctx context.Context, tx *store.Tx, jobID string, h HaltReason) error {
	was, err := job(ctx, tx, jobID)
	if err != nil || was.State == Halted && (!Recovers(was.HaltCode) || Recovers(h.Code)) {
		return err
	}
	after, fits, err := s.act(ctx, tx, was, Halt, h)
	if err != nil || !fits {
		return err
	}
	details := Summary(after)
	details["code"], details["info"] = after.HaltCode, after.HaltInfo
	if h.Call != "" {
		details["call"] = h.Call
	}
	return s.log.RecordIn(ctx, tx, audit.Entry{Code: audit.JobHalted, Actor: audit.System, JobID: jobID, Details: details})
}

// Recover lets the jobs of an app go on that halted because the service did not work.
func (s *Jobs) Recover(ctx context.Context, tx *store.Tx, appID string) error {
	halted, err := store.Collect(ctx, tx, scanJob, `SELECT `+jobFields+` FROM jobs
		WHERE app_id = $1 AND finished_at = 0 AND state = 'halted' AND halt_recovers = 1 ORDER BY id`, appID)
	if err != nil {
		return err
	}
	name, err := store.Value[string](ctx, tx, `SELECT name || ' (' || environment || ')' FROM apps WHERE id = $1`, appID)
	entries := []audit.Entry{{Code: audit.ServiceWell, Actor: audit.System, App: name, Details: map[string]any{"jobs": len(halted)}}}
	for _, was := range halted {
		if err != nil {
			return err
		}
		var after Job
		after, _, err = s.act(ctx, tx, was, Recover, HaltReason{})
		entries = append(entries, audit.Entry{Code: audit.JobResumed, Actor: audit.System, JobID: was.ID, Details: Summary(after)})
	}
	for _, e := range entries { // the log is locked last
		if err == nil {
			err = s.log.RecordIn(ctx, tx, e)
		}
	}
	return err
}

// finish ends a job of which no account is open any more, and says so in the log.
func (s *Jobs) finish(ctx context.Context, tx *store.Tx, id string) error {
	was, err := job(ctx, tx, id)
	if err != nil || !was.FinishedAt.IsZero() {
		return err
	}
	after, fits, err := s.act(ctx, tx, was, Finish, HaltReason{})
	if err == nil && fits {
		err = s.keepUntil(ctx, tx, after)
	}
	if err != nil || !fits || after.StartedAt.IsZero() {
		return err // a draft that was discarded: nothing ran that could finish
	}
	return s.log.RecordIn(ctx, tx, audit.Entry{Code: audit.JobFinished, Actor: audit.System, JobID: id, Details: Summary(after)})
}

// Progress is what decides what follows for a job once accounts were settled.
type Progress struct {
	State    State
	HaltCode int
	Waiting  int64 // accounts
	Open     int64 // accounts; waiting ones included
	Settled  int64 // accounts since failures were last judged, but those a person left
	Failed   int64 // of them
	Limit    int   // percent of failures at which the job halts; 100: never
	Careful  bool  // only its first batch may be sent yet
	First    bool  // that one has no open account any more
}

// Verdict is what follows for a job.
type Verdict int

// The verdicts.
const (
	GoOn    Verdict = iota // nothing
	End                    // no account is open any more
	Drop                   // it was cancelled: what waits ends
	TooMany                // it halts: too large a share has failed
	Pass                   // failures count anew, and all batches may be sent
)

// judgedAnew is after how many settled accounts failures are judged anew.
const judgedAnew = 1000

// Judge says what follows, and of failures as soon as that is certain: at the end
// of a careful start, and then of every 1,000 accounts.
func (p Progress) Judge() Verdict {
	window, ended := int64(judgedAnew), p.Settled >= judgedAnew
	if p.Careful {
		window, ended = BatchSize, p.First
	}
	if ended || window < p.Settled {
		window = p.Settled
	}
	running := p.State == Queued || p.State == Running || p.State == Halted && Recovers(p.HaltCode)
	switch {
	case p.Open == 0:
		return End
	case p.State == Cancelled && p.Waiting > 0:
		return Drop
	case !running:
		return GoOn
	case p.Limit < 100 && p.Failed*100 > int64(p.Limit)*window:
		return TooMany
	case ended:
		return Pass
	}
	return GoOn
}

// representative is how many accounts tell what share of a list fails.
const representative = 100

// Raised is the limit of a job that a person resumes after it halted for its
// failures, in percent; 0: as it was. A list that is known to be bad does not
// halt again and again.
func (p Progress) Raised(appLimit int) int {
	if p.Settled < representative {
		return 0
	}
	share := (p.Failed*100 + p.Settled - 1) / p.Settled
	return int(min(100, share+int64(appLimit)))
}
