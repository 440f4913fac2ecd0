package engine_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// A copy is made in the middle of a job and put back after more was sent. What was sent
// in between is not sent again, and no account of it counts as never tagged.
func TestACopyInMidJobIsReconciled(t *testing.T) {
	onEachCopy(t, func(c *restoring, keep bool, way storetest.Way) {
		c.set(`rate_set = 15`) // much is left when the copy is made, on a busy machine too
		const all = 6_000
		j := c.starts(jobs.Clear, enginetest.Members(all))
		stop := c.run()
		c.until("a part is cleared", func() bool { return c.cleared() > all/6 })
		copied := len(c.calls()) // not more than the copy knows of
		restore := storetest.Backup(c, c.database, way)
		known := c.count(`SELECT sent FROM sends`) // some of them wait for their slot
		c.until("more is sent than the copy knows of", func() bool { return len(c.calls(tim.RemoveAllTags)) > known+5 })
		stop()
		since := changedIn(c.calls()[copied:])
		lost := c.cleared()
		restore()

		c = c.reopen()
		reported := c.reported()
		var unkept []string
		for account := range since {
			kept, is := reported[account]
			require.True(c, is || c.results(j)[account].Outcome == jobs.Cleared, "%s may have been sent", account)
			if is && !kept {
				unkept = append(unkept, account)
			}
		}
		slices.Sort(unkept)
		sent := len(c.calls())
		stop = c.run()
		c.until("the engine runs", func() bool { return c.count(`SELECT COUNT(*) FROM consoles WHERE seen_at > 1`) > 0 })
		require.Len(c, c.calls(), sent, "nothing is sent or read")
		stop()
		c.set(`rate_set = 0`)
		c.lift()
		c.run()
		end := enginetest.Ended(c, c.Console, j.ID)
		require.Equal(c, jobs.Counts{jobs.Cleared: all}[jobs.Cleared], end.Counts[jobs.Cleared])
		require.Zero(c, end.Counts[jobs.Untagged])
		for account, n := range changedIn(c.calls()) {
			require.Equal(c, 1, n, "%s was sent again", account)
		}
		require.Equal(c, all, c.cleared())
		require.Less(c, lost, all)
		restored := 0
		for _, r := range c.results(j) {
			if r.Code == jobs.CodeRestored {
				restored++
			}
		}
		c.requireMatch(j)
		if keep {
			require.Equal(c, unkept, c.unreturnable(j), "exactly these are named")
			c.undone(j, unkept)
		} else {
			require.NotZero(c, restored)
		}
	})
}

// undone undoes a job, and requires that all but the named accounts have their tags again.
func (c *restoring) undone(j jobs.Job, but []string) {
	c.Helper()
	undo := c.startDerived(c.Undo(c.Context(), audit.System, j.ID, jobs.UndoRequest{Policy: snapshot.Merge}, ""))
	enginetest.Ended(c, c.Console, undo.ID)
	for account := range c.results(j) {
		state := c.service.Accounts([]string{account})[0]
		slices.Sort(state.Tags)
		slices.Sort(state.First)
		if slices.Contains(but, account) {
			require.Empty(c, state.Tags, account)
		} else {
			require.Equal(c, state.First, state.Tags, account)
		}
	}
}

// A job that was a draft when the copy was made may have been started since.
func TestADraftOfACopyMayHaveBeenSent(t *testing.T) {
	onEachCopy(t, func(c *restoring, keep bool, way storetest.Way) {
		const all = 1_000
		draft, err := jobstest.Draft(c.Console, audit.System, jobs.Upload{Choices: jobstest.EveryRow()}, enginetest.Members(all))
		require.NoError(c, err)
		restore := storetest.Backup(c, c.database, way)
		enginetest.Start(c, c.Console, draft)
		stop := c.run()
		c.until("a part is cleared", func() bool { return c.cleared() >= all/2 })
		stop()
		sent := names(changedIn(c.calls()))
		restore()

		c = c.reopen()
		for _, account := range sent {
			require.Contains(c, c.reported(), account)
		}
		c.lift()
		c.run()
		j := enginetest.Start(c, c.Console, c.job(draft))
		end := enginetest.Ended(c, c.Console, j.ID)
		require.Equal(c, int64(all), end.Counts[jobs.Cleared])
		if keep {
			require.Equal(c, sent, c.unreturnable(j))
		}
		require.Len(c, changedIn(c.calls()), all)
		require.Equal(c, all, c.cleared(), "none twice")
		c.requireMatch(j)
	})
}

// Whatever a person does with a job while sending is held, what may have been sent is not
// taken for unsent.
func TestAHeldJobThatIsCancelledIsReadFirst(t *testing.T) {
	onEachCopy(t, func(c *restoring, keep bool, way storetest.Way) {
		const all = 2_000
		j := c.starts(jobs.Clear, enginetest.Members(all))
		c.act(j, jobs.Pause)
		restore := storetest.Backup(c, c.database, way)
		c.act(j, jobs.Resume)
		stop := c.run()
		c.until("a part is cleared", func() bool { return c.cleared() >= all/4 })
		stop()
		sent := names(changedIn(c.calls()))
		restore()

		c = c.reopen()
		c.act(j, jobs.Cancel)
		c.lift()
		c.run()
		end := enginetest.Ended(c, c.Console, j.ID)
		require.Equal(c, jobs.Cancelled, end.State)
		require.Equal(c, int64(len(sent)), end.Counts[jobs.Cleared])
		require.Equal(c, int64(all-len(sent)), end.Counts[jobs.Unsent])
		require.Equal(c, sent, names(changedIn(c.calls())), "no more was sent")
		c.requireMatch(j)
	})
}

// An undo, and a job that adds tags, are reconciled alike; an inspection goes on.
func TestACopyInTheMiddleOfAnUndoIsReconciled(t *testing.T) {
	onEachCopy(t, func(c *restoring, keep bool, way storetest.Way) {
		jobstest.Keep(t, c.Console, 0)
		const all = 3_000
		j := c.starts(jobs.Clear, enginetest.Members(all))
		stop := c.run()
		enginetest.Ended(c, c.Console, j.ID)
		c.set(`rate_set = 8`) // much is left when the copy is made, on a busy machine too
		undo := c.startDerived(c.Undo(c.Context(), audit.System, j.ID, jobs.UndoRequest{Policy: snapshot.Stop}, ""))
		added := c.starts(jobs.AddTags, tagged("other", 1_000, "new1", "new2"))
		inspection := c.starts(jobs.Inspect, enginetest.Members(all))
		changed := func() int { return len(changedIn(c.calls(tim.AddTags))) }
		c.until("a part is put back", func() bool { return changed() > all/6 })
		restore := storetest.Backup(c, c.database, way)
		known, copied := c.count(`SELECT sent FROM sends`), changed()
		c.until("more is put back", func() bool { return c.count(`SELECT sent FROM sends`) > known && changed() > copied+300 })
		stop()
		restore()

		c = c.reopen()
		c.set(`rate_set = 0`)
		c.lift()
		c.run()
		require.Equal(c, int64(all), enginetest.Ended(c, c.Console, undo.ID).Counts[jobs.Restored])
		require.Equal(c, int64(1_000), enginetest.Ended(c, c.Console, added.ID).Counts[jobs.Changed])
		enginetest.Ended(c, c.Console, inspection.ID)
		for account, n := range changedIn(c.calls(tim.AddTags)) {
			require.Equal(c, 1, n, "%s was sent again", account)
			state := c.service.Accounts([]string{account})[0]
			if strings.HasPrefix(account, "member") {
				require.ElementsMatch(c, state.First, state.Tags, account)
			}
		}
		require.Equal(c, all+1_000, changed(), "all were sent once")
	})
}

// A copy from after a claim, and before anything of it was sent, counts fewer sends too.
func TestACopyBetweenClaimAndIntentIsNoticed(t *testing.T) {
	onEachCopy(t, func(c *restoring, keep bool, way storetest.Way) {
		jobstest.Keep(t, c.Console, 0)
		c.faults(timtest.Faults{Latency: 2 * time.Second})
		j := c.starts(jobs.Clear, enginetest.Members(500))
		stop := c.run()
		c.until("all are read", func() bool { return len(c.calls(tim.GetTags)) == 5 })
		restore := storetest.Backup(c, c.database, way)
		require.Zero(c, c.count(`SELECT sent FROM sends`)-len(c.calls(tim.RemoveAllTags)), "nothing was sent before the copy")
		enginetest.Ended(c, c.Console, j.ID)
		stop()
		restore()

		c = c.reopen()
		c.lift()
		c.run()
		c.ends(j, jobs.Counts{jobs.Cleared: 500})
		require.Equal(c, 500, c.cleared(), "none twice")
		require.Len(c, c.unreturnable(j), 500)
		c.requireMatch(j)
	})
}

// Between two jobs nothing of the first is open, and the second is not in the copy. The
// same copy, put back once more, is noticed again.
func TestACopyBetweenTwoJobsIsNoticedEachTime(t *testing.T) {
	onEachCopy(t, func(c *restoring, keep bool, way storetest.Way) {
		jobstest.Keep(t, c.Console, 0)
		one := c.starts(jobs.Clear, enginetest.Members(300))
		stop := c.run()
		enginetest.Ended(c, c.Console, one.ID)
		restore := storetest.Backup(c, c.database, way)
		two := c.starts(jobs.Clear, accounts("other", 300))
		enginetest.Ended(c, c.Console, two.ID)
		stop()
		sent := len(c.calls())
		for range 2 {
			restore()
			c = c.reopen()
			require.Empty(c, c.reported())
			c.lift()
			stop := c.run()
			c.until("the witness goes on", func() bool {
				number, err := c.Sent(c.Context())
				require.NoError(c, err)
				return c.witness.last() == number.Number
			})
			stop()
			require.Len(c, c.calls(), sent)
		}
		c.run()
		c.undone(one, nil)
		require.Empty(c, c.unreturnable(one))
	})
}

// An account that somebody tagged since is for a person to decide, if its tags are known.
func TestNewTagsSinceACopyAskAPerson(t *testing.T) {
	onEachCopy(t, func(c *restoring, keep bool, way storetest.Way) {
		jobstest.Keep(t, c.Console, 0)
		c.loseAnswers(tim.RemoveAllTags)
		j := c.starts(jobs.Clear, enginetest.Members(200))
		stop := c.run()
		c.putInDoubt(j)
		c.act(j, jobs.Pause)
		restore := storetest.Backup(c, c.database, way)
		c.readBack(timtest.Faults{})
		c.act(j, jobs.Resume)
		enginetest.Ended(c, c.Console, j.ID)
		stop()
		c.service.SetTags("member3", "new")
		restore()

		c = c.reopen()
		c.lift()
		c.act(j, jobs.Resume)
		c.run()
		c.requireReview(j, jobs.NeedsReview{Tagged: 1})
		c.decide(j, jobs.Leave)
		end := enginetest.Ended(c, c.Console, j.ID)
		require.Equal(c, int64(199), end.Counts[jobs.Cleared])
		require.Empty(c, c.unreturnable(j), "the tags of all were kept before the copy was made")
	})
}

// A copy may be made while sending is held. What was started or left as a draft meanwhile,
// and sent once the hold was lifted, is in doubt when that copy is put back.
func TestACopyMadeWhileHeldIsReconciled(t *testing.T) {
	onEachCopy(t, func(c *restoring, keep bool, way storetest.Way) {
		const all = 300
		first := c.starts(jobs.Clear, enginetest.Members(all))
		c.act(first, jobs.Pause)
		earlier := storetest.Backup(c, c.database, way)
		c.act(first, jobs.Resume)
		stop := c.run()
		enginetest.Ended(c, c.Console, first.ID)
		stop()
		earlier()

		c = c.reopen()
		started := c.starts(jobs.Clear, accounts("started", all))
		draft, err := jobstest.Draft(c.Console, audit.System, jobs.Upload{Choices: jobstest.EveryRow()}, accounts("draft", all))
		require.NoError(c, err)
		restore := storetest.Backup(c, c.database, way)
		c.lift()
		c.act(first, jobs.Resume)
		enginetest.Start(c, c.Console, draft)
		stop = c.run()
		for _, j := range []jobs.Job{first, started, draft} {
			enginetest.Ended(c, c.Console, j.ID)
		}
		stop()
		sent := changedIn(c.calls())
		require.Len(c, sent, 3*all)
		restore()

		c = c.reopen()
		reported := c.reported()
		require.Len(c, reported, 3*all)
		require.Len(c, jobstest.Codes(c, c.Console, audit.Filter{Code: audit.KillSwitchThrown}), 2, "the log says so again")
		c.lift()
		c.act(first, jobs.Resume)
		enginetest.Start(c, c.Console, c.job(draft))
		c.run()
		for _, j := range []jobs.Job{first, started, draft} {
			end := enginetest.Ended(c, c.Console, j.ID)
			require.Equal(c, int64(all), end.Counts[jobs.Cleared])
			c.requireMatch(j)
		}
		for account, n := range changedIn(c.calls()) {
			require.Equal(c, 1, n, "%s was sent again", account)
		}
	})
}

// After a restore another console may send until the count is as high as it was. The one
// that sent before knows the last of its sends, and misses it.
func TestACountThatCaughtUpIsNoticed(t *testing.T) {
	onEachCopy(t, func(c *restoring, keep bool, way storetest.Way) {
		lost, later := c.starts(jobs.Clear, accounts("lost", 300)), c.starts(jobs.Clear, accounts("later", 400))
		c.act(lost, jobs.Pause)
		c.act(later, jobs.Pause)
		restore := storetest.Backup(c, c.database, way)
		c.act(lost, jobs.Resume)
		stop := c.run()
		enginetest.Ended(c, c.Console, lost.ID)
		stop()
		known := c.witness.sends()
		older, err := c.Older(c.Context(), known)
		require.NoError(c, err)
		require.False(c, older, "it is the database it knows")
		restore()

		s := jobstest.Reopen(c, c.database)
		other := &restoring{&fixture{c.T, s, c.service, c.base, enginetest.New(c, s, c.base)}, c.database, &witness{}}
		other.engine.Witness = other.witness
		other.act(later, jobs.Resume)
		stop = other.run()
		enginetest.Ended(c, s, later.ID)
		stop()
		require.Greater(c, other.witness.last(), known.Number, "it caught up")
		older, err = s.Older(c.Context(), other.witness.sends())
		require.NoError(c, err)
		require.False(c, older)
		older, err = s.Older(c.Context(), known)
		require.NoError(c, err)
		require.True(c, older)
		held, err := s.HoldSending(c.Context(), known)
		require.NoError(c, err)
		require.True(c, held)
		require.Len(c, other.reported(), 300)
		other.lift()
		older, err = s.Older(c.Context(), known)
		require.NoError(c, err)
		require.False(c, older, "that was dealt with")
		older, err = s.Older(c.Context(), other.witness.sends())
		require.NoError(c, err)
		require.False(c, older)
		other.act(lost, jobs.Resume)
		stop = other.run()
		require.Equal(c, int64(300), enginetest.Ended(c, s, lost.ID).Counts[jobs.Cleared])
		stop()
		require.Equal(c, 700, c.cleared(), "none twice")
	})
}
