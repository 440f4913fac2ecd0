package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// undoTest is a console, its simulator, and the tags its accounts have at first.
type undoTest struct {
	*program
	t          *testing.T
	simulator  *timtest.Service
	base       string
	olga, adam *apiClient
	first      map[string][]string // by account
	jobs       []string
}

// tagged is a file of n accounts with 1 to 25 tags each: one in ten has none, one
// in five hundred is unknown to the service.
func tagged(n int) (file []byte, tags map[string][]string) {
	var content bytes.Buffer
	tags = make(map[string][]string, n)
	dice := rand.New(rand.NewPCG(7, uint64(n)))
	for i := range n {
		name := fmt.Sprintf("member_%07d", i)
		if dice.IntN(500) == 0 {
			name = fmt.Sprintf("unknown_%07d", i)
		}
		content.WriteString(name + "\n")
		tags[name] = nil
		if strings.HasPrefix(name, "unknown") || dice.IntN(10) == 0 {
			continue
		}
		for _, at := range dice.Perm(200)[:1+dice.IntN(25)] {
			tags[name] = append(tags[name], fmt.Sprintf("%s-%d", []string{"city", "plan", "会员", "a,b", `"q"`}[at%5], at))
		}
	}
	return content.Bytes(), tags
}

// newUndoTest starts a console for accounts with these tags. Jobs start without care.
func newUndoTest(t *testing.T, database string, tags map[string][]string, change func(*timtest.Config)) *undoTest {
	simulator, base := simulate(t, func(c *timtest.Config) {
		c.UnknownShare = 0
		if change != nil {
			change(c)
		}
	})
	for name, list := range tags {
		simulator.SetTags(name, list...)
	}
	u := &undoTest{program: newProgram(t, base, database), t: t, simulator: simulator, base: base, first: tags}
	u.start()
	u.olga, u.adam = u.signIn("olga"), u.signIn("adam")
	u.adam.setCanary(false)
	return u
}

// verify sets the share of a job, in percent, that is read again after it.
func (u *undoTest) verify(share string) {
	u.adam.changeSettings(url.Values{"canary": {""}, "verify_share": {share}})
}

// startDerived waits until a new job is a draft, and notes it.
func (u *undoTest) startDerived(location string) (id string) {
	id = strings.TrimPrefix(location, "/jobs/")
	until(u.t, "the file is read", func() bool { return u.olga.job(id).State != "reading" })
	require.Equal(u.t, "draft", u.olga.job(id).State)
	u.jobs = append(u.jobs, id)
	return id
}

func (u *undoTest) upload(kind string, content []byte) (id string) {
	form := everyRow()
	form.Set("kind", kind)
	return u.startDerived(u.olga.mustForm("/jobs", form, map[string][]byte{"file": content}))
}

// undo makes the job that undoes what another did.
func (u *undoTest) undo(id string, form url.Values, list []byte) string {
	files := map[string][]byte{}
	if list != nil {
		files["list"] = list
	}
	return u.startDerived(u.olga.mustForm("/jobs/"+id+"/undo", form, files))
}

// run starts a job and waits for its end.
func (u *undoTest) run(id string) jobJSON {
	u.olga.start(id)
	return u.finished(id)
}

func (u *undoTest) finished(id string) (j jobJSON) {
	until(u.t, "the job is finished", func() bool {
		j = u.olga.job(id)
		require.NotEqual(u.t, "halted", j.State, "%+v", j.Halt)
		if j.State != "finished" {
			return false
		}
		return u.olga.ended(id)
	})
	return j
}

// cleared uploads accounts and removes all their tags.
func (u *undoTest) cleared(names ...string) (id string) {
	id = u.upload("clear", []byte(strings.Join(names, "\n")+"\n"))
	u.run(id)
	return id
}

// requireTags compares what every account has with what it should have.
func (u *undoTest) requireTags(want map[string][]string) {
	u.t.Helper()
	for name, tags := range want {
		require.ElementsMatch(u.t, tags, u.simulator.Tags(name), name)
	}
}

// requireMatch compares all jobs so far with the simulator.
func (u *undoTest) requireMatch() {
	u.t.Helper()
	requireMatch(u.t, u.database, u.base, u.jobs...)
}

// withTags are the accounts that had tags at first, sorted.
func (u *undoTest) withTags() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(u.first)), func(name string) bool { return len(u.first[name]) == 0 })
}

// calls are those of a command that the simulator has seen.
func (u *undoTest) calls(command tim.Command) (calls []timtest.Call) {
	for _, call := range u.simulator.Ledger() {
		if call.Command == command {
			calls = append(calls, call)
		}
	}
	return calls
}

// mustForm posts a form with files that is taken, and returns where it leads.
func (v *apiClient) mustForm(path string, form url.Values, files map[string][]byte) string {
	v.t.Helper()
	answer, body := v.postForm(path, form, files)
	require.Equal(v.t, http.StatusSeeOther, answer.StatusCode, body)
	return answer.Header.Get("Location")
}

func (v *apiClient) postForm(path string, form url.Values, files map[string][]byte) (*http.Response, string) {
	return v.do(v.formRequest(v.program.address+path, form, files))
}

func (v *apiClient) formRequest(address string, form url.Values, files map[string][]byte) *http.Request {
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	v.writeFields(parts, form)
	for name, content := range files {
		file, err := parts.CreateFormFile(name, name+".csv")
		require.NoError(v.t, err)
		_, err = file.Write(content)
		require.NoError(v.t, err)
	}
	require.NoError(v.t, parts.Close())
	request, err := http.NewRequest(http.MethodPost, address, &body)
	require.NoError(v.t, err)
	request.Header.Set("Content-Type", parts.FormDataContentType())
	return request
}

// reported is what the report of a job says: how many accounts have each tag, and
// under "what" of it the sums.
func (u *undoTest) reported(id string) map[string]int64 {
	answer, body := u.olga.get("/jobs/" + id + "/report.csv")
	require.Equal(u.t, http.StatusOK, answer.StatusCode, body)
	counts := map[string]int64{}
	what, tags, count := column(u.t, body, "what"), column(u.t, body, "tag"), column(u.t, body, "count")
	for i := range what {
		name := what[i]
		if name == "tag" {
			name += " " + tags[i]
		}
		require.NotContains(u.t, counts, name, "it stands once in the report")
		counts[name] = number(u.t, count[i])
	}
	return counts
}

// truth is what a report must say of accounts with these tags.
func truth(tags map[string][]string) map[string]int64 {
	counts := map[string]int64{"accounts": int64(len(tags)), "assignments_not_listed": 0}
	for name, list := range tags {
		for _, tag := range list {
			if counts["tag "+tag]++; counts["tag "+tag] == 1 {
				counts["distinct_tags"]++
			}
			counts["assignments"]++
		}
		switch {
		case len(list) > 0:
			counts["accounts_with_tags"]++
		case strings.HasPrefix(name, "unknown"):
			counts["accounts_unknown"]++
		default:
			counts["accounts_without_tags"]++
		}
	}
	return counts
}

// kill ends the console with kill -9 while a job is at work, and starts it again.
// A job of n accounts lasts longer than all times.
func (u *undoTest) kill(id string, n, times int) {
	between := max(4, int64(n/100/(times+1)))
	for range times {
		goal := u.simulator.Stats().Calls + between/4 + rand.Int64N(between/2)
		until(u.t, "some more calls are made", func() bool { return u.simulator.Stats().Calls >= goal })
		require.Equal(u.t, "running", u.olga.job(id).State, "it is killed at work")
		require.Error(u.t, u.stop(syscall.SIGKILL))
		if strings.HasPrefix(u.database, "postgres://") {
			silenced(u.t, u.database)
		}
		u.program.start()
	}
}

// Accounts with known tags are inspected, cleared and restored, while calls go
// wrong and the console is killed in each phase. The report is what is true, no
// account without tags is sent, and in the end each account has the tags it had.
// UNDO_ACCOUNTS and UNDO_KILLS make it larger.
func TestUndoPutsBackEveryTag(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		n, kills := int(setting(t, "UNDO_ACCOUNTS", 6_000)), int(setting(t, "UNDO_KILLS", 1))
		file, tags := tagged(n)
		u := newUndoTest(t, database, tags, func(c *timtest.Config) {
			c.Faults.Shares = map[timtest.Fault]float64{timtest.ServerError: 0.005, timtest.BadGateway: 0.005, timtest.BadGatewayAfter: 0.003,
				timtest.ResetBefore: 0.005, timtest.ResetAfter: 0.005, timtest.HalfAnswer: 0.003, timtest.TooOften: 0.0005}
		})
		counts := truth(tags)
		has, none, unknown := counts["accounts_with_tags"], counts["accounts_without_tags"], counts["accounts_unknown"]
		require.Positive(t, unknown)

		began := time.Now()
		inspection := u.upload("inspect", file)
		u.olga.start(inspection)
		u.kill(inspection, n, kills)
		j := u.finished(inspection)
		require.Equal(t, []int64{has, none, unknown}, []int64{j.Outcomes["inspected"], j.Outcomes["untagged"], j.Outcomes["failed"]})
		require.Equal(t, counts, u.reported(inspection), "tag by tag")
		for command, sums := range u.simulator.Stats().Commands {
			require.Equal(t, tim.GetTags, command, "%+v: an inspection changes nothing", sums)
		}
		inspected := time.Since(began)

		clearing := u.startDerived(u.olga.must("/jobs/"+inspection+"/retry", url.Values{"kind": {"clear"}}))
		require.Equal(t, int64(n), u.olga.job(clearing).Accounts)
		u.olga.start(clearing)
		u.kill(clearing, n, kills)
		j = u.finished(clearing)
		require.Equal(t, []int64{has, none, unknown}, []int64{j.Outcomes["cleared"], j.Outcomes["untagged"], j.Outcomes["failed"]})
		require.Equal(t, counts, u.reported(clearing), "what was removed is what was there")
		for _, call := range u.calls(tim.RemoveAllTags) {
			for _, name := range call.Accounts {
				require.NotEmpty(t, tags[name], "%s has no tags, or is not known: it is not sent", name)
			}
		}
		for name := range tags {
			require.Empty(t, u.simulator.Tags(name))
		}
		removed := time.Since(began)

		undo := u.undo(clearing, url.Values{"policy": {"stop"}}, nil)
		require.Equal(t, has, u.olga.job(undo).Accounts, "only those that lost tags")
		u.olga.start(undo)
		u.kill(undo, n, kills)
		j = u.finished(undo)
		require.Equal(t, has, j.Outcomes["restored"])
		u.requireTags(tags)
		t.Logf("%d accounts, %d with tags, %d tags: inspected after %s, cleared after %s, put back after %s",
			n, has, counts["assignments"], inspected.Round(time.Second), removed.Round(time.Second), time.Since(began).Round(time.Second))
		require.NoError(t, u.stop(syscall.SIGTERM))
		out, err := u.command("", "verify")
		require.NoError(t, err, out)
		u.requireMatch()
	})
}

// The calls of an undo are as few as can be: an account with t tags needs t/10 of
// them, a call serves 100 accounts, and none is made beyond that except the one
// account that needs the most.
func TestAnUndoTakesAsFewCallsAsCanBe(t *testing.T) {
	t.Parallel()
	file, tags := tagged(10_000)
	u := newUndoTest(t, databaseOf(t, "sqlite"), tags, nil)
	clearing := u.upload("clear", file)
	u.run(clearing)
	u.run(u.undo(clearing, url.Values{"policy": {"merge"}}, nil))
	u.requireTags(tags)
	parts, most := 0, 0
	for _, list := range tags {
		need := (len(list) + tim.MaxTags - 1) / tim.MaxTags
		parts, most = parts+need, max(most, need)
	}
	least := (parts + tim.MaxAccounts - 1) / tim.MaxAccounts
	made := len(slices.DeleteFunc(u.calls(tim.AddTags), func(c timtest.Call) bool { return c.Code == 60007 })) // too frequent: it did nothing
	t.Logf("%d calls, and fewer than %d cannot be", made, least)
	require.LessOrEqual(t, made, least+most)
	u.requireMatch()
}
