package engine_test

import (
	"testing"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

func TestADamagedPlanHaltsItsJobAlone(t *testing.T) {
	onEach(t, func(c *fixture) {
		plan, counted := c.starts(jobs.Clear, accounts("a", 3)), c.starts(jobs.Clear, accounts("b", 3))
		only := c.starts(jobs.Clear, accounts("c", 3))
		well := c.starts(jobs.Clear, accounts("d", 300))
		c.exec(`UPDATE planned_batches SET accounts = 'damaged' WHERE job_id = $1`, plan.ID)
		c.exec(`UPDATE batches SET accounts = 2 WHERE job_id = $1`, counted.ID)
		c.exec(`UPDATE jobs SET only_tags = 'damaged' WHERE id = $1`, only.ID)
		c.run()
		for _, j := range []jobs.Job{plan, counted, only} {
			c.halts(j, jobs.CodeUnreadable)
			c.requireCounts(j, jobs.Counts{jobs.Waiting: 3})
		}
		c.ends(well, jobs.Counts{jobs.Cleared: 300})
	})
}

func TestADamagedPlanInDoubtAsksAPerson(t *testing.T) {
	onEach(t, func(c *fixture) {
		c.loseAnswers(tim.RemoveAllTags)
		j := c.starts(jobs.Clear, accounts("a", 3))
		c.run()
		c.putInDoubt(j)
		c.act(j, jobs.Cancel)
		c.exec(`UPDATE planned_batches SET accounts = 'damaged' WHERE job_id = $1`, j.ID)
		c.readBack(timtest.Faults{})
		c.requireReview(j, jobs.NeedsReview{Unreadable: 3, Code: jobs.CodeUnreadable}) // a cancelled job cannot halt
		well := c.starts(jobs.Clear, accounts("b", 300))
		c.ends(well, jobs.Counts{jobs.Cleared: 300})
		c.decide(j, jobs.Leave)
		c.ends(j, jobs.Counts{jobs.Failed: 3})
	})
}
