package timtest

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// Records are the records of a console. Compare checks them and trusts none.
type Records interface {
	// Get returns a job with the sums over its accounts.
	Get(ctx context.Context, id string) (jobs.Job, error)
	// Results lists the accounts of a job with an outcome; "" means all.
	Results(ctx context.Context, jobID string, outcome jobs.Outcome) iter.Seq2[jobs.Result, error]
	// Calls lists the job's ledger: every call that was intended.
	Calls(ctx context.Context, jobID string) iter.Seq2[jobs.Call, error]
}

// Comparison compares the records of some jobs with the simulator. They agree when
// Wrong is empty.
type Comparison struct {
	Accounts, Calls int64
	Lost            int64 // calls without an answer in the records
	InDoubt         int64 // accounts that were in one of these
	OtherCalls      int64 // calls that arrived and are in no ledger of these jobs; no fault by itself
	Largest         int   // accounts in one call
	MaxInAnySecond  int   // calls of one command, by the simulator's clock

	// How many are wrong, by kind.
	Missing        int64 // accounts without a result
	Duplicate      int64 // accounts with more than one
	Mismatched     int64 // accounts that are not what the simulator says
	Resent         int64 // accounts sent again after the service had acknowledged them
	Concurrent     int64 // accounts in two calls at once
	Unsaved        int64 // tags removed that no reading of the job had shown before, so that nothing could bring them back
	WronglyChanged int64 // tags an undo gave to accounts that had not had them, or took from accounts it had not given them to
	NotRestored    int64 // tags that an undo should have brought back, or taken away again, and has not
	Unrecorded     int64 // calls that arrived though the ledger says they were not sent, and the other way round
	Inconsistent   int64 // other sums and limits

	Wrong []string // the first five of each of these, in words
}

func (c *Comparison) report(kind *int64, format string, args ...any) {
	if *kind++; *kind <= 5 {
		c.Wrong = append(c.Wrong, fmt.Sprintf(format, args...))
	}
}

// recorded is a call in the ledger of a job.
type recorded struct {
	job      int
	batch    int64
	accounts int
	held     []byte
	delivery string
	arrived  bool
}

// comparer holds all accounts of the jobs in memory.
type comparer struct {
	*Comparison
	sim      *Control
	jobs     []jobs.Job
	results  []map[string]*accountResult // by job
	ledger   map[callKey][]*recorded
	accounts map[string]*replayed // by name
}

type callKey struct {
	command tim.Command
	random  uint32
}

// Compare compares the outcome of every account of some jobs with the actions and the
// state of the simulator, and the ledgers with the simulator's. It waits until the
// simulator is settled; nobody else may change the accounts after these jobs. For a
// job that undoes another, jobIDs must contain both. An error means that the records
// or the simulator could not be read; differences are in Comparison.Wrong.
func Compare(ctx context.Context, records Records, sim *Control, jobIDs ...string) (*Comparison, error) {
	if err := sim.Settled(ctx); err != nil {
		return nil, err
	}
	c := &comparer{
		Comparison: &Comparison{}, sim: sim, ledger: map[callKey][]*recorded{}, accounts: map[string]*replayed{},
	}
	for _, id := range jobIDs {
		if err := c.readResults(ctx, records, id); err != nil {
			return nil, err
		}
		if err := c.readLedger(ctx, records, id); err != nil {
			return nil, err
		}
	}
	if err := c.readAccounts(ctx); err != nil {
		return nil, err
	}
	if err := c.compareCalls(ctx); err != nil {
		return nil, err
	}
	c.compareAccounts()
	for job := range c.jobs {
		for name, r := range c.results[job] {
			c.compareAccount(job, name, r)
		}
	}
	return c.Comparison, nil
}

// readResults reads the results of a job and checks its sums.
func (c *comparer) readResults(ctx context.Context, records Records, id string) error {
	results, outcomes := map[string]*accountResult{}, jobs.Counts{}
	for a, err := range records.Results(ctx, id, "") {
		if err != nil {
			return err
		}
		outcomes[a.Outcome]++
		c.Accounts++
		if results[a.Account.Account] != nil {
			c.report(&c.Duplicate, "account %s has two results", a.Account.Account)
		}
		results[a.Account.Account] = &accountResult{batch: a.Batch, place: a.Place, outcome: a.Outcome, code: a.Code}
	}
	j, err := records.Get(ctx, id)
	if err != nil {
		return err
	}
	c.jobs, c.results = append(c.jobs, j), append(c.results, results)
	for _, o := range jobs.Outcomes {
		if outcomes[o] != j.Counts[o] {
			c.report(&c.Inconsistent, "%d accounts are %s, the job says %d", outcomes[o], o, j.Counts[o])
		}
	}
	if missing := j.Accounts - int64(len(results)); missing > 0 {
		c.report(&c.Missing, "%d accounts have no result", missing)
		c.Missing += missing - 1
	}
	rows := j.Rejected + j.Duplicate + j.Protected + j.Accounts
	if outcomes.Sum() != j.Accounts || j.Counts.Sum() != j.Accounts || j.Rows != rows {
		c.report(&c.Inconsistent, "the sums do not add up: %d results, %+v", outcomes.Sum(), j)
	}
	if j.State == jobs.Finished && outcomes.Open() > 0 {
		c.report(&c.Inconsistent, "job %s is finished, and %d accounts are open", j.ID, outcomes.Open())
	}
	return nil
}

func (c *comparer) readLedger(ctx context.Context, records Records, id string) error {
	for call, err := range records.Calls(ctx, id) {
		if err != nil {
			return err
		}
		key := callKey{call.Command, call.Random}
		c.ledger[key] = append(c.ledger[key],
			&recorded{job: len(c.jobs) - 1, batch: call.Batch, accounts: call.Accounts, held: call.Held, delivery: call.Delivery})
		if call.Delivery == "lost" {
			c.Lost++
		}
	}
	return nil
}

// recordOf finds the records' record of a call that arrived. Random numbers
// repeat now and then, also between jobs; the batch then tells calls apart.
func (c *comparer) recordOf(call Call) *recorded {
	for _, r := range c.ledger[callKey{call.Command, call.Random}] {
		if len(call.Accounts) != r.accounts || r.accounts == 0 {
			continue
		}
		if first := c.results[r.job][call.Accounts[0]]; first != nil && first.batch == r.batch {
			return r
		}
	}
	return nil
}

// openCall is a call and until when it was open, or its late change to come.
type openCall struct {
	until    int64
	job      int
	inspects bool // it is of a job that changes nothing
	reads    bool
	call     string
}

// conflictsWith reports whether two calls for one account may not be open at once:
// two of one job, or two of which one changes what the other acts on.
func (o openCall) conflictsWith(other openCall) bool {
	bothRead := o.reads && other.reads
	return o.job == other.job || !bothRead && !o.inspects && !other.inspects
}

// compareCalls compares every call that arrived with the ledgers, and replays its
// effects on the accounts in their order.
func (c *comparer) compareCalls(ctx context.Context) error {
	effects, err := c.laterEffects(ctx)
	if err != nil {
		return err
	}
	busy := map[string][]openCall{}
	for call, err := range c.sim.Ledger(ctx, 0) {
		if err != nil {
			return err
		}
		if call.Order > 0 && call.Fault != LateApply {
			effects.until(c, call.Order)
		}
		record := c.recordOf(call)
		if record == nil {
			c.OtherCalls++
			c.take(call, nil)
			continue
		}
		c.Calls++
		c.Largest = max(c.Largest, len(call.Accounts))
		switch {
		case record.arrived:
			c.report(&c.Unrecorded, "call %d arrived twice", call.Number)
		case record.delivery == "not_sent" || record.delivery == "intended":
			c.report(&c.Unrecorded, "call %d arrived, and the ledger says %s", call.Number, record.delivery)
		}
		record.arrived = true
		job := c.jobs[record.job]
		this := openCall{max(call.At+call.Took, call.AppliedAt), record.job, job.Kind == jobs.Inspect, call.Command == tim.GetTags,
			fmt.Sprintf("call %d (%s of %s job %s, %d accounts, fault %q, status %d, at %d for %d)",
				call.Number, call.Command, job.Kind, job.ID, len(call.Accounts), call.Fault, call.Status, call.At, call.Took)}
		for _, account := range call.Accounts {
			open := slices.DeleteFunc(busy[account], func(other openCall) bool { return other.until <= call.At })
			if at := slices.IndexFunc(open, this.conflictsWith); at >= 0 {
				c.report(&c.Concurrent, "account %s was in %s while %s was open", account, this.call, open[at].call)
			}
			// A reading whose answer nobody got tells and changes nothing: a console that
			// was killed has it on its way when the next one reads.
			if !(this.reads && call.Dropped) {
				open = append(open, this)
			}
			busy[account] = open
			switch r := c.results[record.job][account]; {
			case r == nil:
				c.report(&c.Inconsistent, "call %d holds %s, which is no account of job %s", call.Number, account, job.ID)
			case !jobs.Held(record.held, r.place-1):
				c.report(&c.Unrecorded, "call %d holds %s, and the ledger does not say so", call.Number, account)
			}
		}
		c.arrive(call, record)
		c.take(call, record)
	}
	effects.until(c, math.MaxInt64)
	for _, records := range c.ledger {
		for _, r := range records {
			if r.delivery == "answered" && !r.arrived {
				c.report(&c.Unrecorded, "the ledger of job %s holds an answer to a call that never arrived",
					c.jobs[r.job].ID)
			}
		}
	}
	stats, err := c.sim.Stats(ctx)
	for command, sums := range stats.Commands {
		c.MaxInAnySecond = max(c.MaxInAnySecond, sums.MaxInAnySecond)
		if sums.Exceeded > 0 {
			c.report(&c.Inconsistent,
				"%d calls of %s in one second, %d more than the limit and the simulator's own stalls explain",
				sums.MaxInAnySecond, command, sums.Exceeded)
		}
	}
	if c.Largest > jobs.BatchSize {
		c.report(&c.Inconsistent, "a call with %d accounts", c.Largest)
	}
	return err
}
