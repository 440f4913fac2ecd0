package main

import (
	"encoding/csv"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// lastArrival is when the simulator's ledger saw the last call, by its clock.
func lastArrival(simulator *timtest.Service) time.Time {
	var last int64
	for _, call := range simulator.Ledger() {
		last = max(last, call.At)
	}
	return time.UnixMicro(last)
}

// wholeJob is what a job's JSON says beyond jobJSON.
type wholeJob struct {
	StartAt     *time.Time `json:"start_at"`
	Source      *string    `json:"source"`
	Retries     []string
	NeedsReview *struct{ Accounts, Tagged, Unreadable int64 } `json:"needs_review"`
	Halt        *struct {
		Code     int
		Recovers bool
	}
}

func (v *apiClient) whole(id string) (j wholeJob) {
	v.json("/jobs/"+id, &j)
	return j
}

// changeSettings changes how the app's jobs are from now on: as at first, except what is
// given; a box that is to be empty is given as "".
func (v *apiClient) changeSettings(but url.Values) {
	form := url.Values{"failure_limit": {"20"}, "canary": {"1"}, "snapshot": {"1"}, "keep_days": {"30"}, "verify_share": {"1"}}
	maps.Copy(form, but)
	v.must("/sending", form)
}

// setCanary sets whether jobs begin with their first few accounts.
func (v *apiClient) setCanary(on bool) {
	v.changeSettings(url.Values{"canary": {map[bool]string{true: "1"}[on]}})
}

// must posts a form that is taken, and returns where it leads.
func (v *apiClient) must(path string, form url.Values) string {
	answer, body := v.post(path, form)
	require.Equal(v.t, http.StatusSeeOther, answer.StatusCode, body)
	return answer.Header.Get("Location")
}

// The measure of the kill switch: a job runs at the full rate, an admin throws
// the switch, and no call arrives more than a second later. It holds through
// kill -9, and what it stopped continues where it stood, with nothing lost.
func TestKillSwitchStopsWithinASecond(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, database string) {
		simulator, base := simulate(t, func(c *timtest.Config) { c.Faults = timtest.Faults{Latency: 200 * time.Millisecond} })
		p := newProgram(t, base, database)
		p.start()
		olga, adam := p.signIn("olga"), p.signIn("adam")
		adam.setCanary(false)
		id := olga.draft(accountFile(60_000))
		olga.start(id)
		until(t, "calls leave at the full rate", func() bool {
			calls, second := 0, time.Now().Add(-time.Second).UnixMicro()
			for _, call := range simulator.Ledger() {
				if call.At > second {
					calls++
				}
			}
			return calls >= 80
		})
		thrown := time.Now()
		adam.must("/sending/stop", url.Values{"reason": {"the wrong list"}})
		answered := time.Now()
		until(t, "the calls in flight are answered", func() bool { return olga.job(id).Outcomes["sending"] == 0 })
		until(t, "a second and a half has passed", func() bool { return time.Since(thrown) > 1500*time.Millisecond })
		delay := lastArrival(simulator).Sub(thrown)
		t.Logf("the last call arrived %s after the kill switch was thrown; the page answered after %s",
			delay.Round(100*time.Microsecond), answered.Sub(thrown).Round(100*time.Microsecond))
		require.Less(t, delay, time.Second)

		before := len(simulator.Ledger())
		require.Error(t, p.stop(syscall.SIGKILL))
		restarted := time.Now()
		p.start()
		olga, adam = p.signIn("olga"), p.signIn("adam")
		_, said := p.health()
		require.Equal(t, "stopped", said.Sending, "it lasts until it is lifted")
		_, page := olga.get("/jobs")
		require.Contains(t, page, "the wrong list")
		until(t, "the engine had time to call", func() bool { return time.Since(restarted) > 6*time.Second })
		require.Len(t, simulator.Ledger(), before, "not even to read back")
		require.Equal(t, "running", olga.job(id).State)
		require.Positive(t, olga.job(id).Outcomes["waiting"])

		adam.must("/sending/lift", nil)
		until(t, "the job is finished", func() bool { return olga.ended(id) })
		require.NoError(t, p.stop(syscall.SIGTERM))
		requireMatch(t, database, base, id)
	})
}

func TestScheduledJobStartsOnTimeOrByHand(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		simulator, base := simulate(t, nil)
		p := newProgram(t, base, database)
		p.start()
		olga := p.signIn("olga")
		at := time.Now().Add(3 * time.Second).Truncate(time.Second)
		soon, later := olga.draft(accountFile(300)), olga.draft(accountFile(200))
		olga.must("/jobs/"+soon+"/start", url.Values{"confirm": {"300"}, "at": {at.Format("2006-01-02T15:04:05")}})
		olga.must("/jobs/"+later+"/start", url.Values{"confirm": {"200"}, "at": {at.AddDate(0, 0, 1).Format(formTime)}})
		require.Equal(t, at.UTC(), olga.whole(soon).StartAt.UTC())
		until(t, "the job is finished", func() bool { return olga.ended(soon) })
		first := simulator.Ledger()[0].At
		require.GreaterOrEqual(t, first, at.UnixMicro(), "nothing was sent before")
		t.Logf("the first call arrived %s after the time of the start", time.UnixMicro(first).Sub(at).Round(time.Millisecond))
		require.Less(t, time.UnixMicro(first).Sub(at), 5*time.Second)

		require.Equal(t, "queued", olga.job(later).State)
		calls := len(simulator.Ledger())
		olga.must("/jobs/"+later+"/start-now", nil)
		until(t, "the job is finished", func() bool { return olga.ended(later) })
		require.Greater(t, len(simulator.Ledger()), calls)
	})
}

func TestRetryJobTakesFailedAccounts(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		_, base := simulate(t, func(c *timtest.Config) { c.UnknownShare = 0.05 })
		p := newProgram(t, base, database)
		p.start()
		olga := p.signIn("olga")
		id := olga.draft(accountFile(2_000))
		olga.start(id)
		until(t, "the job is finished", func() bool { return olga.ended(id) })
		failed := olga.job(id).Outcomes["failed"]
		require.Positive(t, failed)
		_, content := olga.get("/jobs/" + id + "/results.csv?outcome=failed")

		made := strings.TrimPrefix(olga.must("/jobs/"+id+"/retry", url.Values{"outcome": {"failed"}}), "/jobs/")
		until(t, "the new job is a draft", func() bool { return olga.job(made).State == "draft" })
		require.Equal(t, failed, olga.job(made).Accounts)
		require.Equal(t, id, *olga.whole(made).Source)
		require.Contains(t, olga.whole(id).Retries, made)
		olga.start(made)
		until(t, "it ends or stops: none of its accounts is known", func() bool {
			j := olga.job(made)
			return j.State == "finished" || j.State == "halted"
		})
		_, again := olga.get("/jobs/" + made + "/results.csv")
		require.Equal(t, column(t, content, "account"), column(t, again, "account"), "the same accounts, in the same order")
	})
}

// column is what a CSV has under a name.
func column(t *testing.T, content, name string) (cells []string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(content, "\uFEFF"))).ReadAll()
	require.NoError(t, err)
	for i, head := range rows[0] {
		if head == name {
			for _, row := range rows[1:] {
				cells = append(cells, row[i])
			}
			break // ours; the file's own columns follow
		}
	}
	require.NotEmpty(t, cells)
	return cells
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err)
	return n
}

// Where tags may not be read back, what is in doubt waits for a person at once,
// and each decision does what it says.
func TestInDoubtDecisionsDoWhatTheySay(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		lost := timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ResetBefore: 0.3}, Most: 5, Commands: []tim.Command{tim.RemoveAllTags}}
		simulator, base := simulate(t, func(c *timtest.Config) { c.Faults, c.UnknownShare = lost, 0 })
		p := newProgram(t, base, database)
		p.start()
		olga := p.signIn("olga")
		p.signIn("adam").setCanary(false)
		asked := func(id string) int64 {
			if a := olga.whole(id).NeedsReview; a != nil {
				return a.Accounts
			}
			return 0
		}
		for _, decision := range []string{"leave", "again"} {
			require.NoError(t, simulator.SetFaults(lost))
			id := olga.draft(accountFile(2_000))
			olga.start(id)
			until(t, "all was sent, and some is in doubt", func() bool {
				o := olga.job(id).Outcomes
				return o["in_doubt"] > 0 && o["waiting"]+o["sending"] == 0
			})
			require.NoError(t, simulator.SetFaults(timtest.Faults{Code: 60027})) // only reading back is left to be refused
			until(t, "they wait for a person", func() bool { return asked(id) == olga.job(id).Outcomes["in_doubt"] })
			require.Equal(t, "running", olga.job(id).State, "nothing halted")
			require.NoError(t, simulator.SetFaults(timtest.Faults{}))
			waiting := asked(id)
			olga.must("/jobs/"+id+"/decide", url.Values{"decision": {decision}})
			until(t, "the job is finished", func() bool { return olga.ended(id) })
			o := olga.job(id).Outcomes
			if decision == "leave" {
				require.Equal(t, waiting, o["failed"])
			} else {
				require.Zero(t, o["failed"])
			}
		}
	})
}
