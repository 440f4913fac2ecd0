package main

import (
	"context"
	"fmt"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// comparison is what the console says of a job beside what the simulator knows.
type comparison struct {
	Accounts, Calls int64
	Lost            int64 // calls the console has no answer to
	Largest         int   // accounts in one call
	MaxInAnySecond  int   // calls of one command, by the simulator's clock
	Wrong           []string
}

func (c *comparison) differ(format string, args ...any) {
	if len(c.Wrong) < 20 {
		c.Wrong = append(c.Wrong, fmt.Sprintf(format, args...))
	}
}

// compare holds the outcome of every account of a job against the simulator's
// state, and the ledger of calls against the simulator's. The simulator must
// have had no other caller for these accounts.
func compare(ctx context.Context, s *store.Store, sim *timtest.Control, jobID string) (*comparison, error) {
	if err := sim.Settled(ctx); err != nil {
		return nil, err
	}
	c := &comparison{}
	acknowledged, err := c.compareCalls(ctx, s, sim, jobID)
	if err != nil {
		return nil, err
	}
	var page []jobs.Account
	flush := func() error {
		if err := c.compareAccounts(ctx, sim, page, acknowledged); err != nil {
			return err
		}
		page = page[:0]
		return nil
	}
	outcomes := jobs.Counts{}
	for r, err := range s.Results(ctx, jobID, "") {
		if err != nil {
			return nil, err
		}
		outcomes[r.Outcome]++
		c.Accounts++
		if page = append(page, r.Account); len(page) == 1000 {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	j, err := s.Job(ctx, jobID)
	if err != nil {
		return nil, err
	}
	for _, o := range jobs.Outcomes {
		if outcomes[o] != j.Counts[o] {
			c.differ("%d accounts are %s, the job says %d", outcomes[o], o, j.Counts[o])
		}
	}
	if c.Accounts != j.Accounts || j.Counts.Sum() != j.Accounts || j.Rows != j.Rejected+j.Duplicate+j.Protected+j.Accounts {
		c.differ("the sums do not add up: %d results, %+v", c.Accounts, j)
	}
	return c, nil
}

// compareCalls checks every call the simulator saw for this job and returns the
// accounts whose removal it acknowledged.
func (c *comparison) compareCalls(ctx context.Context, s *store.Store, sim *timtest.Control, jobID string) (map[string]bool, error) {
	type key struct {
		command tim.Command
		random  uint32
	}
	ledger := map[key]string{}
	for call, err := range s.Calls(ctx, jobID) {
		if err != nil {
			return nil, err
		}
		ledger[key{call.Command, call.Random}] = call.Delivery
		if call.Delivery == "lost" {
			c.Lost++
		}
	}
	acknowledged := map[string]bool{}
	for call, err := range sim.Ledger(ctx, 0) {
		if err != nil {
			return nil, err
		}
		delivery, ours := ledger[key{call.Command, call.Random}]
		if !ours {
			continue
		}
		c.Calls++
		if delivery == "not_sent" || delivery == "intended" {
			c.differ("call %d arrived, and the ledger says %s", call.Number, delivery)
		}
		c.Largest = max(c.Largest, len(call.Accounts))
		if call.Command != tim.RemoveAllTags {
			continue
		}
		for _, account := range call.Accounts {
			if acknowledged[account] {
				c.differ("account %s was sent again after it was acknowledged", account)
			}
		}
		if call.Acknowledged() {
			refused := map[string]bool{}
			for _, account := range call.ErrorAccounts {
				refused[account] = true
			}
			for _, account := range call.Accounts {
				if !refused[account] {
					acknowledged[account] = true
				}
			}
		}
	}
	stats, err := sim.Stats(ctx)
	for command, sums := range stats.Commands {
		c.MaxInAnySecond = max(c.MaxInAnySecond, sums.MaxInAnySecond)
		if sums.MaxInAnySecond > 100 {
			c.differ("%d calls of %s in one second", sums.MaxInAnySecond, command)
		}
	}
	if c.Largest > jobs.BatchSize {
		c.differ("a call with %d accounts", c.Largest)
	}
	return acknowledged, err
}

func (c *comparison) compareAccounts(ctx context.Context, sim *timtest.Control, page []jobs.Account, acknowledged map[string]bool) error {
	names := make([]string, len(page))
	for i, a := range page {
		names[i] = a.Account
	}
	states, err := sim.Accounts(ctx, names)
	if err != nil {
		return err
	}
	for i, a := range page {
		tags, known := len(states[i].Tags), states[i].Known
		switch {
		case a.Outcome == jobs.Cleared && tags > 0:
			c.differ("account %s is cleared, and has %d tags", a.Account, tags)
		case a.Outcome == jobs.Failed && known && tags == 0:
			c.differ("account %s is failed (%d), and has lost its tags", a.Account, a.Code)
		case a.Outcome != jobs.Cleared && acknowledged[a.Account]:
			c.differ("account %s is %s, and its removal was acknowledged", a.Account, a.Outcome)
		}
	}
	return nil
}
