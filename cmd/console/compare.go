package main

import (
	"context"
	"fmt"
	"slices"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// comparison is what the console says of some jobs beside what the simulator knows.
type comparison struct {
	Accounts, Calls int64
	Lost            int64 // calls the console has no answer to
	InDoubt         int64 // accounts that were in one of these
	Foreign         int64 // calls that arrived and that no ledger of these jobs holds
	Largest         int   // accounts in one call
	MaxInAnySecond  int   // calls of one command, by the simulator's clock

	// How many are wrong, by what is wrong with them.
	Missing    int64 // accounts without a result
	Twice      int64 // accounts with more than one
	Untrue     int64 // accounts that are not what the simulator says
	Resent     int64 // accounts sent again after the service had acknowledged them
	Together   int64 // accounts in two calls at once
	Unrecorded int64 // calls that arrived though the ledger says they were not sent, and the other way round
	Unsound    int64 // other sums and limits
	Wrong      []string
}

func (c *comparison) differ(kind *int64, format string, args ...any) {
	if *kind++; *kind <= 5 {
		c.Wrong = append(c.Wrong, fmt.Sprintf(format, args...))
	}
}

// fate is what is known of one account of one job.
type fate struct {
	batch   int64
	outcome jobs.Outcome
	code    int
	doubted bool // it was in a call without an answer
	removed bool // a removal of this job was carried out on it, soon or late
	told    bool // and acknowledged
	read    bool // its tags were read for this job
}

// recorded is a call in the console's ledger.
type recorded struct {
	job      int
	batch    int64
	accounts int
	delivery string
	arrived  bool
}

// comparing holds all accounts of the jobs in memory.
type comparing struct {
	*comparison
	sim    *timtest.Control
	ids    []string
	fates  []map[string]*fate // by job
	ledger map[callKey][]*recorded
}

type callKey struct {
	command tim.Command
	random  uint32
}

// compare holds the outcome of every account of some jobs against the
// simulator's state, and the ledger of their calls against the simulator's.
// Nobody else may have changed these accounts meanwhile.
func compare(ctx context.Context, s *store.Store, sim *timtest.Control, jobIDs ...string) (*comparison, error) {
	if err := sim.Settled(ctx); err != nil {
		return nil, err
	}
	c := &comparing{&comparison{}, sim, jobIDs, make([]map[string]*fate, len(jobIDs)), map[callKey][]*recorded{}}
	for job := range jobIDs {
		if err := c.readResults(ctx, s, job); err != nil {
			return nil, err
		}
		if err := c.readLedger(ctx, s, job); err != nil {
			return nil, err
		}
	}
	if err := c.compareCalls(ctx); err != nil {
		return nil, err
	}
	for job := range jobIDs {
		if err := c.compareAccounts(ctx, job); err != nil {
			return nil, err
		}
	}
	return c.comparison, nil
}

// readResults reads what became of each account of a job, and adds it up.
func (c *comparing) readResults(ctx context.Context, s *store.Store, job int) error {
	fates, outcomes := map[string]*fate{}, jobs.Counts{}
	c.fates[job] = fates
	for r, err := range s.Results(ctx, c.ids[job], "") {
		if err != nil {
			return err
		}
		outcomes[r.Outcome]++
		c.Accounts++
		if fates[r.Account.Account] != nil {
			c.differ(&c.Twice, "account %s has two results", r.Account.Account)
		}
		fates[r.Account.Account] = &fate{batch: r.Batch, outcome: r.Outcome, code: r.Code}
	}
	j, err := s.Job(ctx, c.ids[job])
	if err != nil {
		return err
	}
	for _, o := range jobs.Outcomes {
		if outcomes[o] != j.Counts[o] {
			c.differ(&c.Unsound, "%d accounts are %s, the job says %d", outcomes[o], o, j.Counts[o])
		}
	}
	if missing := j.Accounts - int64(len(fates)); missing > 0 {
		c.differ(&c.Missing, "%d accounts have no result", missing)
		c.Missing += missing - 1
	}
	if outcomes.Sum() != j.Accounts || j.Counts.Sum() != j.Accounts || j.Rows != j.Rejected+j.Duplicate+j.Protected+j.Accounts {
		c.differ(&c.Unsound, "the sums do not add up: %d results, %+v", outcomes.Sum(), j)
	}
	if j.State == jobs.Finished && outcomes.Open() > 0 {
		c.differ(&c.Unsound, "job %s is finished, and %d accounts are open", j.ID, outcomes.Open())
	}
	return nil
}

func (c *comparing) readLedger(ctx context.Context, s *store.Store, job int) error {
	for call, err := range s.Calls(ctx, c.ids[job]) {
		if err != nil {
			return err
		}
		key := callKey{call.Command, call.Random}
		c.ledger[key] = append(c.ledger[key], &recorded{job: job, batch: call.Batch, accounts: call.Accounts, delivery: call.Delivery})
		if call.Delivery == "lost" {
			c.Lost++
		}
	}
	return nil
}

// recordOf finds the console's record of a call that arrived. Random numbers
// repeat now and then, also between jobs; the batch then tells calls apart.
func (c *comparing) recordOf(call timtest.Call) *recorded {
	for _, r := range c.ledger[callKey{call.Command, call.Random}] {
		if len(call.Accounts) != r.accounts || r.accounts == 0 {
			continue
		}
		if f := c.fates[r.job][call.Accounts[0]]; f != nil && f.batch == r.batch {
			return r
		}
	}
	return nil
}

// compareCalls holds every call that arrived against the ledgers, and notes in
// the fates what it did.
func (c *comparing) compareCalls(ctx context.Context) error {
	busy := map[string]int64{} // until when a call with the account was open, or its late change to come
	for call, err := range c.sim.Ledger(ctx, 0) {
		if err != nil {
			return err
		}
		record := c.recordOf(call)
		if record == nil {
			c.Foreign++
			continue
		}
		c.Calls++
		c.Largest = max(c.Largest, len(call.Accounts))
		switch {
		case record.arrived:
			c.differ(&c.Unrecorded, "call %d arrived twice", call.Number)
		case record.delivery == "not_sent" || record.delivery == "intended":
			c.differ(&c.Unrecorded, "call %d arrived, and the ledger says %s", call.Number, record.delivery)
		}
		record.arrived = true
		end := max(call.At+call.Took, call.AppliedAt)
		for _, account := range call.Accounts {
			if busy[account] > call.At {
				c.differ(&c.Together, "account %s was in call %d while another call with it was open", account, call.Number)
			}
			busy[account] = max(busy[account], end)
			if f := c.fates[record.job][account]; f != nil {
				c.note(f, account, call, record)
			} else {
				c.differ(&c.Unsound, "call %d holds %s, which is no account of job %s", call.Number, account, c.ids[record.job])
			}
		}
	}
	for _, records := range c.ledger {
		for _, r := range records {
			if r.delivery == "answered" && !r.arrived {
				c.differ(&c.Unrecorded, "the ledger of job %s holds an answer to a call that never arrived", c.ids[r.job])
			}
		}
	}
	stats, err := c.sim.Stats(ctx)
	for command, sums := range stats.Commands {
		c.MaxInAnySecond = max(c.MaxInAnySecond, sums.MaxInAnySecond)
		if sums.MaxInAnySecond > 100 {
			c.differ(&c.Unsound, "%d calls of %s in one second", sums.MaxInAnySecond, command)
		}
	}
	if c.Largest > jobs.BatchSize {
		c.differ(&c.Unsound, "a call with %d accounts", c.Largest)
	}
	return err
}

func (c *comparing) note(f *fate, account string, call timtest.Call, record *recorded) {
	refused := slices.Contains(call.ErrorAccounts, account)
	f.doubted = f.doubted || record.delivery == "lost"
	if call.Command == tim.GetTags {
		f.read = f.read || call.Acknowledged() && !refused
		return
	}
	if f.told {
		c.differ(&c.Resent, "account %s was sent again after it was acknowledged", account)
	}
	f.removed = f.removed || call.Applied && !refused
	f.told = f.told || call.Acknowledged() && !refused
}

// compareAccounts holds each outcome against what was done and what is.
func (c *comparing) compareAccounts(ctx context.Context, job int) error {
	names := make([]string, 0, 1000)
	flush := func() error {
		states, err := c.sim.Accounts(ctx, names)
		if err != nil {
			return err
		}
		for i, name := range names {
			c.compareAccount(name, c.fates[job][name], len(states[i].Tags))
		}
		names = names[:0]
		return nil
	}
	for name := range c.fates[job] {
		if names = append(names, name); len(names) == cap(names) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func (c *comparing) compareAccount(name string, f *fate, tags int) {
	if f.doubted {
		c.InDoubt++
	}
	switch {
	case f.outcome == jobs.Cleared && tags > 0:
		c.differ(&c.Untrue, "account %s is cleared, and has %d tags", name, tags)
	case f.outcome == jobs.Cleared && !f.removed && !f.read:
		c.differ(&c.Untrue, "account %s is cleared, and no call of the job did it or read its tags", name)
	case f.outcome != jobs.Cleared && f.told:
		c.differ(&c.Untrue, "account %s is %s, and its removal was acknowledged", name, f.outcome)
	case !f.outcome.Open() && f.outcome != jobs.Cleared && f.code >= 0 && f.removed:
		c.differ(&c.Untrue, "account %s is %s (%d), and its tags were removed", name, f.outcome, f.code)
	}
}
