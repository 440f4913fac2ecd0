package engine_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/tim/timtest"
)

// reads runs an engine without jobs until it reads tags for people.
func (c *fixture) reads() {
	c.Helper()
	c.run()
	c.until("it reads", func() bool { _, err := c.engine.ReadTags(c.Context(), "member1"); return err == nil })
}

func TestReadTagsForAPerson(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.service.SetTags("member1", "vip", "会员")
		c.service.SetTags("member2")
		c.reads()
		tags, err := c.engine.ReadTags(c.Context(), "member1")
		require.NoError(c, err)
		require.Equal(c, []string{"vip", "会员"}, tags)
		tags, err = c.engine.ReadTags(c.Context(), "member2")
		require.NoError(c, err)
		require.Empty(c, tags)

		for name, test := range map[string]struct {
			account string
			faults  timtest.Faults
			want    *fault.Sentence
		}{
			"named in ErrorList":     {"unknown1", timtest.Faults{}, engine.FaultAccountMissing},
			"the call is refused":    {"unknown1", timtest.Faults{Unknown: timtest.FailedBatch}, engine.FaultAccountMissing},
			"left out":               {"unknown1", timtest.Faults{Unknown: timtest.Omitted}, engine.FaultAccountMissing},
			"server error":           {"member1", timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ServerError: 1}}, engine.FaultNotRead},
			"the answer is lost":     {"member1", timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ResetAfter: 1}}, engine.FaultNoAnswer},
			"an error page":          {"member1", timtest.Faults{Shares: map[timtest.Fault]float64{timtest.BadGateway: 1}}, engine.FaultNoAnswer},
			"reading is not allowed": {"member1", timtest.Faults{Code: 60027}, engine.FaultMayNotRead},
			"arrears":                {"member1", timtest.Faults{Code: 60020}, engine.FaultNotRead},
		} {
			c.faults(test.faults)
			_, err := c.engine.ReadTags(c.Context(), test.account)
			require.True(c, test.want.Is(err), "%s: %v", name, err)
		}
	})
}

func TestReadTagsObeysTheKillSwitch(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.reads()
		require.NoError(c, c.ThrowKillSwitch(c.Context(), audit.System, "test"))
		c.until("it was seen", func() bool { _, err := c.engine.ReadTags(c.Context(), "member1"); return err != nil })
		before := len(c.calls())
		_, err := c.engine.ReadTags(c.Context(), "member1")
		require.True(c, engine.FaultStopped.Is(err), "%v", err)
		require.Len(c, c.calls(), before)
		require.NoError(c, c.LiftKillSwitch(c.Context(), audit.System))
		c.until("it reads again", func() bool { _, err := c.engine.ReadTags(c.Context(), "member1"); return err == nil })
	})
}

func TestReadingForPeopleKeepsToTheBudget(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.set(`rate_set = 50`)
		c.reads()
		before := len(c.calls())
		var people sync.WaitGroup
		for range 20 {
			people.Go(func() {
				if _, err := c.engine.ReadTags(c.Context(), "member1"); err != nil {
					c.Error(err)
				}
			})
		}
		people.Wait()
		calls := c.calls()[before:]
		require.Len(c, calls, 20)
		require.Greater(c, calls[19].At-calls[0].At, (19*20*time.Millisecond - 100*time.Millisecond).Microseconds())
	})
}

func TestAPersonWaitsSomeSecondsForASlot(t *testing.T) {
	onEach(t, func(c *fixture) {
		began := time.Now()
		_, err := c.engine.ReadTags(c.Context(), "member1") // which does not run
		require.True(c, engine.FaultNoSlot.Is(err), "%v", err)
		require.Less(c, time.Since(began), 8*time.Second)
		require.Empty(c, c.calls())

		c.reads()
		before := len(c.calls())
		c.exec(`UPDATE budgets SET next_slot = next_slot + 60000000`) // held for a minute
		until := time.Now().Add(10 * time.Second)
		for err = nil; err == nil && time.Now().Before(until); { // slots that were reserved before
			_, err = c.engine.ReadTags(c.Context(), "member1")
		}
		require.True(c, engine.FaultNoSlot.Is(err), "%v", err)
		require.LessOrEqual(c, len(c.calls()), before+10)
		require.Zero(c, c.count(`SELECT COUNT(*) FROM jobs WHERE state = $1`, jobs.Running))
	})
}
