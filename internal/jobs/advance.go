package jobs

import (
	"context"
	"fmt"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/store"
)

// MoveCounts adds changes that sum up to zero to the counts of a job, and calls
// that were made. Of transactions that share a commit they are added up and written
// once; if the job must also end or halt, it returns store.ErrExclusive.
// A transaction of its own calls Advance next.
func (s *Jobs) MoveCounts(ctx context.Context, tx *store.Tx, jobID string, by Counts, calls int64) error {
	return move(ctx, tx, moves{job: jobID, by: by, calls: calls})
}

func move(ctx context.Context, tx *store.Tx, m moves) error {
	if m.by.Sum() != 0 {
		return fmt.Errorf("jobs: counts of job %s would no longer add up: %v", m.job, m.by)
	}
	total, shared := tx.Total(m.job, func() store.Total { return &moves{job: m.job, by: Counts{}} }).(*moves)
	if !shared {
		_, err := m.write(ctx, tx)
		return err
	}
	for outcome, n := range m.by {
		total.by[outcome] += n
	}
	total.calls += m.calls
	total.byPerson += m.byPerson
	total.settled = total.settled || len(m.by) > 0 && m.by[Sending] <= 0
	return nil
}

// moves are changes of a job's counts. Those of transactions that share a commit are one.
type moves struct {
	job      string
	by       Counts
	calls    int64
	byPerson int64 // failures that say nothing of the service: a person decided
	settled  bool  // not only that calls may leave
}

// Write implements store.Total.
func (m *moves) Write(ctx context.Context, tx *store.Tx) error {
	p, err := m.write(ctx, tx)
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

func (m *moves) write(ctx context.Context, tx *store.Tx) (p Progress, err error) {
	set, args := m.by.assignments(`version = version + 1, calls = calls + $2, checked_done = checked_done + $3,
		checked_failed = checked_failed + $3`, m.job, m.calls, m.byPerson)
	return p, tx.QueryRowContext(ctx, `UPDATE jobs SET `+set+` WHERE id = $1 RETURNING `+progressColumns, args...).Scan(p.columns()...)
}

// assignments adds to an UPDATE of jobs that the counts change.
func (c Counts) assignments(set string, args ...any) (string, []any) {
	for _, o := range Outcomes {
		if c[o] != 0 {
			args = append(args, c[o])
			set += fmt.Sprintf(", %s = %s + $%d", outcomeColumn(o), outcomeColumn(o), len(args))
		}
	}
	return set, args
}

// Advance does what follows for a job from its counts. It is called last in a
// transaction that has settled accounts.
func (s *Jobs) Advance(ctx context.Context, tx *store.Tx, jobID string) error {
	p, err := progress(ctx, tx, jobID)
	if err != nil || p.Judge() == GoOn {
		return err
	}
	j, err := job(ctx, tx, jobID)
	if err != nil {
		return err
	}
	entries, err := s.follow(ctx, tx, j, p)
	if err != nil {
		return err
	}
	return s.log.RecordIn(ctx, tx, entries...)
}

// follow does what follows for a job from its counts, and returns what the log then says.
func (s *Jobs) follow(ctx context.Context, tx *store.Tx, j Job, p Progress) ([]audit.Entry, error) {
	switch p.Judge() {
	case Drop:
		return s.drop(ctx, tx, j, p)
	case End:
		return s.finish(ctx, tx, j, nil)
	case TooMany:
		return s.halt(ctx, tx, j, HaltReason{Code: CodeFailures, Info: fmt.Sprintf("%d/%d", p.Failed, p.Settled)})
	case Pass:
		return nil, countAnew(ctx, tx, j.ID, p)
	}
	return nil, nil
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
		SELECT CASE WHEN sent = 1 AND j.kind <> 'clear' OR restored > 0 THEN 'in_doubt' ELSE 'cancelled' END,
			CASE WHEN sent = 1 AND j.kind <> 'clear' OR restored > 0 THEN 0 ELSE CAST($2 AS BIGINT) END
		FROM jobs j WHERE j.id = $1)
	WHERE job_id = $1 AND console = '' AND ask = 0 AND outcome IN ('in_doubt', 'waiting') AND outcome = 'waiting'
	RETURNING outcome, accounts`

// drop ends what waits of a job that was cancelled and that nobody has in hand. Where
// some tags may have been changed already, the tags are read first.
func (s *Jobs) drop(ctx context.Context, tx *store.Tx, j Job, p Progress) ([]audit.Entry, error) {
	ended, err := store.Sums[Outcome](ctx, tx, dropWaitingSQL, j.ID, store.Millis(s.db.Now()))
	if err != nil {
		return nil, err
	}
	by := Counts(ended)
	by[Waiting] = -by.Sum()
	if p.Open == by[Unsent] {
		return s.finish(ctx, tx, j, by)
	}
	if p, err = (&moves{job: j.ID, by: by}).write(ctx, tx); err != nil || p.Open > 0 {
		return nil, err
	}
	return s.finish(ctx, tx, j, nil)
}

// act changes the state of a job as the program does, and its counts, if the action
// fits: its row is written once. Whoever calls it has locked the app, so that the state
// is current.
func (s *Jobs) act(ctx context.Context, tx *store.Tx, was Job, a Action, h HaltReason, by Counts) (after Job, fits bool, err error) {
	to, fits := was.State.Next(a)
	if !fits {
		return was, false, nil
	}
	finishedAt := int64(0)
	if a == Finish {
		finishedAt = store.Millis(s.db.Now())
	}
	set, args := by.assignments(`state = $3, halt_code = $4, halt_info = $5, halt_recovers = $6, finished_at = $7, version = version + 1,
		careful = CASE WHEN CAST($7 AS BIGINT) > 0 THEN 0 ELSE careful END,
		verify_due = CASE WHEN CAST($3 AS TEXT) = 'finished' AND verify_share > 0 THEN 1 ELSE 0 END`,
		was.ID, was.State, to, h.Code, store.Clean(h.Info, 500), store.Number(Recovers(h.Code)), finishedAt)
	after, err = scanJob(tx.QueryRowContext(ctx, `UPDATE jobs SET `+set+` WHERE id = $1 AND state = $2 RETURNING `+jobFields, args...))
	return after, true, err
}

// Begin says that the first batch of a job is claimed. If no call was made for it yet, and
// who started it may no longer start jobs, the job halts instead, and nothing may be claimed.
func (s *Jobs) Begin(ctx context.Context, tx *store.Tx, jobID string) (may bool, err error) {
	was, err := job(ctx, tx, jobID)
	if err != nil {
		return false, err
	}
	if was.Calls == 0 && was.Counts[Waiting]+was.Counts[InDoubt] == was.Accounts { // in doubt: after a restore
		starter, err := s.starter(ctx, tx, jobID)
		if err != nil {
			return false, err
		}
		if _, err = auth.Still(ctx, tx, starter, auth.RunJobs); auth.Lost(err) {
			return false, s.Halt(ctx, tx, jobID, HaltReason{Code: CodeStarter, Info: starter.Name})
		} else if err != nil {
			return false, err
		}
	}
	_, _, err = s.act(ctx, tx, was, Begin, HaltReason{}, nil)
	return err == nil, err
}

// starter is the person who started a job, or let it go on since, as the log says.
func (s *Jobs) starter(ctx context.Context, tx *store.Tx, jobID string) (by audit.Actor, err error) {
	entries, err := s.log.OfJobIn(ctx, tx, jobID, audit.JobStarted, audit.JobStartNow, audit.JobResumed)
	for _, e := range entries {
		_, unproven := s.log.Proven(ctx, tx, e.Seq)
		switch {
		case audit.Unproven(unproven): // it names nobody
		case unproven != nil:
			return by, unproven
		case e.Actor.ID != audit.System.ID || by.ID == "":
			by = e.Actor
		}
	}
	return by, err
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
	if err != nil {
		return err
	}
	entries, err := s.halt(ctx, tx, was, h)
	if err != nil {
		return err
	}
	return s.log.RecordIn(ctx, tx, entries...)
}

func (s *Jobs) halt(ctx context.Context, tx *store.Tx, was Job, h HaltReason) ([]audit.Entry, error) {
	if was.State == Halted && (!Recovers(was.HaltCode) || Recovers(h.Code)) {
		return nil, nil
	}
	after, fits, err := s.act(ctx, tx, was, Halt, h, nil)
	if err != nil || !fits {
		return nil, err
	}
	details := Summary(after)
	details["code"], details["info"] = after.HaltCode, after.HaltInfo
	if h.Call != "" {
		details["call"] = h.Call
	}
	return []audit.Entry{{Code: audit.JobHalted, Actor: audit.System, JobID: was.ID, Details: details}}, nil
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
		after, _, err = s.act(ctx, tx, was, Recover, HaltReason{}, nil)
		entries = append(entries, audit.Entry{Code: audit.JobResumed, Actor: audit.System, JobID: was.ID, Details: Summary(after)})
	}
	if err != nil {
		return err
	}
	return s.log.RecordIn(ctx, tx, entries...)
}

// finish ends a job of which no account is open any more once its counts have changed.
func (s *Jobs) finish(ctx context.Context, tx *store.Tx, was Job, by Counts) ([]audit.Entry, error) {
	if !was.FinishedAt.IsZero() {
		return nil, nil
	}
	after, fits, err := s.act(ctx, tx, was, Finish, HaltReason{}, by)
	details := Summary(after)
	if err == nil && fits {
		err = s.keepUntil(ctx, tx, after, details)
	}
	if err != nil || !fits || after.StartedAt.IsZero() {
		return nil, err // a draft that was discarded: nothing ran that could finish
	}
	return []audit.Entry{{Code: audit.JobFinished, Actor: audit.System, JobID: was.ID, Details: details}}, nil
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
