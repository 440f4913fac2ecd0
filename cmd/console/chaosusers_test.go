package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// chaosUsers are people who work at random with consoles that are killed: they
// upload, start, pause, resume and cancel jobs, and stop all sending.
type chaosUsers struct {
	*torture
	random  *rand.Rand
	client  *apiClient
	files   []sentFile
	undone  map[string]bool // jobs that were undone
	answers map[string]int  // answers by what was asked

	mutex    sync.Mutex // of consoles
	consoles map[*program]*listening

	stopped    bool      // perhaps
	quietFrom  time.Time // since when no call may arrive; zero: unknown
	quietTimes []quietTime
	working    sync.WaitGroup
}

// quietTime is a time in which no call may arrive.
type quietTime struct{ from, to time.Time }

const (
	maxJobs    = 45     // all on one page
	minWaiting = 15_000 // waiting accounts, that no kill finds consoles idle
)

func newChaosUsers(w *torture, seed uint64) *chaosUsers {
	c := &chaosUsers{torture: w, random: rand.New(rand.NewPCG(seed, 1)), answers: map[string]int{}, undone: map[string]bool{},
		consoles: map[*program]*listening{}}
	for _, p := range w.consoles {
		c.addConsole(p)
	}
	c.client = w.consoles[0].signIn("adam")
	c.client.client.Timeout = 10 * time.Second
	return c
}

// firstJobs starts jobs of about n accounts together: a large one, the same file
// again, one that shares half its accounts, and a small one.
func (c *chaosUsers) firstJobs(n int) {
	c.files = []sentFile{{"clear", accountsFrom(0, n/2)}, {"clear", accountsFrom(n/4, n/4)}, {"clear", accountsFrom(n, 500)}}
	for _, file := range []sentFile{c.files[0], c.files[0], c.files[1], c.files[2]} {
		id := c.client.draft(file.content)
		until(c, "the file is read", func() bool { return c.client.job(id).State == "draft" })
		c.client.start(id)
	}
}

// start lets the users work until ctx ends.
func (c *chaosUsers) start(ctx context.Context) {
	c.working.Go(func() {
		for tick := time.NewTicker(300 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				c.act()
			}
		}
	})
}

// killConsole takes a console away while it is killed.
func (c *chaosUsers) killConsole(p *program, kill func()) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	delete(c.consoles, p)
	kill()
}

// addConsole gives the users a console, which they use once it listens.
func (c *chaosUsers) addConsole(p *program) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.consoles[p] = p.listening
}

// pickAddress is the address of one of the consoles that listen, "" when none does.
func (c *chaosUsers) pickAddress() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var open []string
	for _, l := range c.consoles {
		select {
		case <-l.ready:
			if l.address != "" {
				open = append(open, l.address)
			}
		default:
		}
	}
	if len(open) == 0 {
		return ""
	}
	return open[c.random.IntN(len(open))]
}

// act does one thing at one of the consoles that are there.
func (c *chaosUsers) act() {
	address := c.pickAddress()
	if address == "" {
		return
	}
	jobs := c.list(address)
	if jobs == nil {
		return
	}
	for _, j := range jobs {
		if j.State == "draft" {
			c.post(address, "/jobs/"+j.ID+"/start", url.Values{"confirm": {strconv.FormatInt(j.Accounts, 10)}})
		}
	}
	if c.stopped {
		if time.Since(c.quietFrom) > time.Second/2 {
			c.liftKillSwitch(address)
		}
		return
	}
	waiting, cancelled := int64(0), 0
	for _, j := range jobs {
		waiting += j.Outcomes["waiting"]
		if j.State == "cancelled" {
			cancelled++
		}
	}
	j := jobs[c.random.IntN(len(jobs))]
	switch n := c.random.IntN(100); {
	case (n < 5 || waiting < minWaiting) && len(jobs) < maxJobs:
		c.upload(address, 1+c.random.IntN(minWaiting))
	case n < 40:
		if j.State == "running" || j.State == "queued" {
			c.post(address, "/jobs/"+j.ID+"/pause", nil)
		}
	case n < 80:
		c.resumeAll(address, jobs)
	case n < 83 && cancelled < len(jobs)/5:
		c.post(address, "/jobs/"+j.ID+"/cancel", nil)
	case n < 90 && len(jobs) < maxJobs:
		c.undoOne(address, jobs)
	case n < 92:
		c.decideAll(address, jobs)
	case n < 97:
		c.throwKillSwitch(address)
	}
}

// throwKillSwitch throws the kill switch; a second after the answer no call may arrive.
func (c *chaosUsers) throwKillSwitch(address string) {
	c.stopped, c.quietFrom = true, time.Time{} // without an answer, whether it was thrown is not known
	if c.post(address, "/sending/stop", url.Values{"reason": {"torture"}}) == http.StatusSeeOther {
		c.quietFrom = time.Now().Add(time.Second)
	}
}

// liftKillSwitch lets sending continue, however the last attempt to stop it ended.
func (c *chaosUsers) liftKillSwitch(address string) {
	before := time.Now()
	status := c.post(address, "/sending/lift", nil)
	if !c.quietFrom.IsZero() {
		c.quietTimes = append(c.quietTimes, quietTime{c.quietFrom, before})
	}
	c.stopped, c.quietFrom = status == 0, time.Time{} // without an answer, it is lifted once more
}

func (c *chaosUsers) resumeAll(address string, jobs []jobJSON) {
	for _, j := range jobs {
		if j.State == "paused" || j.State == "halted" {
			c.post(address, "/jobs/"+j.ID+"/resume", c.resumeForm(j))
		}
	}
}

func (c *chaosUsers) post(address, path string, form url.Values) int {
	request, err := http.NewRequest(http.MethodPost, address+path, strings.NewReader(form.Encode()))
	require.NoError(c, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status := c.send(request)
	c.count(path[strings.LastIndex(path, "/")+1:], status)
	return status
}

// count counts an answer. What was asked may not fit the job any more, and a
// console that was killed gives none; anything else is a defect.
func (c *chaosUsers) count(asked string, status int) {
	switch status {
	case http.StatusOK, http.StatusSeeOther:
		c.answers[asked]++
	case 0, http.StatusConflict:
		c.answers["in vain"]++
	default:
		c.Errorf("%s was answered with status %d", asked, status)
	}
}

// send returns the answer's status, 0 when there was none.
func (c *chaosUsers) send(request *http.Request) int {
	answer, err := c.client.client.Do(request)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// list returns every job there is, newest first; nil when the console did not answer.
func (c *chaosUsers) list(address string) []jobJSON {
	var list struct {
		Jobs []jobJSON
		Next *string
	}
	if !c.ask(address+"/jobs", &list) {
		return nil
	}
	if list.Next != nil {
		c.Errorf("more jobs than fit one page")
	}
	return list.Jobs
}

// finish lets every job come to its end, holds the results people can download
// against the files they sent, and returns the ids.
func (c *chaosUsers) finish() (ids []string) {
	c.working.Wait()
	address := c.torture.consoles[0].address
	if c.stopped {
		c.liftKillSwitch(address)
	}
	var jobs []jobJSON
	c.within(10*time.Minute, "every job has ended", func() bool {
		jobs = c.list(address)
		c.resumeAll(address, jobs)
		c.decideAll(address, jobs)
		open := 0
		for _, j := range jobs {
			switch {
			case j.State == "draft":
				c.post(address, "/jobs/"+j.ID+"/start", url.Values{"confirm": {strconv.FormatInt(j.Accounts, 10)}})
				open++
			case j.State != "finished" && j.State != "cancelled" || j.Outcomes["waiting"]+j.Outcomes["sending"]+j.Outcomes["in_doubt"] > 0,
				j.awaitsInspection():
				open++
			}
		}
		return open == 0
	})
	for _, j := range jobs {
		c.requireResults(address, j, jobs)
		ids = append(ids, j.ID)
	}
	return ids
}

// awaitsInspection reports whether a sample of the job is still to be inspected.
func (j jobJSON) awaitsInspection() bool {
	changed := j.Outcomes["cleared"] + j.Outcomes["restored"] + j.Outcomes["changed"]
	return j.State == "finished" && j.Verification != nil && j.Verification.Job == nil && changed > 0
}

// requireResults wants every account of the file in the downloaded results once,
// with one outcome, in the order of the file; of a job that undoes another,
// accounts of that one.
func (c *chaosUsers) requireResults(address string, j jobJSON, jobs []jobJSON) {
	if j.Accounts == 0 { // cancelled before its file was read
		require.Equal(c, "cancelled", j.State)
		return
	}
	request, err := http.NewRequest(http.MethodGet, address+"/jobs/"+j.ID+"/results.csv", nil)
	require.NoError(c, err)
	_, body := c.client.do(request)
	rows, err := csv.NewReader(bytes.NewReader([]byte(strings.TrimPrefix(body, "\uFEFF")))).ReadAll()
	require.NoError(c, err)
	require.Equal(c, []string{"row", "account", "outcome"}, rows[0][:3])
	counts := map[string]int64{}
	var names []string
	for i, row := range rows[1:] {
		require.Equal(c, strconv.Itoa(i+1), row[0])
		names = append(names, row[1])
		counts[row[2]]++
	}
	if j.Source == nil {
		require.Equal(c, c.accountsOf(j, jobs), names)
	} else {
		require.Len(c, names, int(j.Accounts))
		slices.Sort(names)
		require.Len(c, slices.Compact(names), int(j.Accounts), "an account stands once in a job")
		require.Empty(c, missing(names, c.accountsOf(j, jobs)), "job %s holds accounts of no file", j.ID)
	}
	for outcome, n := range j.Outcomes {
		require.Equal(c, n, counts[outcome], "%s of job %s", outcome, j.ID)
	}
}

// within polls until the condition holds, longer than until.
func (c *chaosUsers) within(most time.Duration, what string, holds func() bool) {
	ctx, cancel := context.WithTimeout(c.Context(), most)
	defer cancel()
	for tick := time.NewTicker(200 * time.Millisecond); !holds(); {
		select {
		case <-ctx.Done():
			c.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

func (c *chaosUsers) summary() string {
	var all []string
	for _, asked := range slices.Sorted(maps.Keys(c.answers)) {
		all = append(all, fmt.Sprintf("%s %d", asked, c.answers[asked]))
	}
	return strings.Join(all, ", ")
}
