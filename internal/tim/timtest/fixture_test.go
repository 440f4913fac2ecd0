package timtest

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// jobRecords is what a console says of one job.
type jobRecords struct {
	jobs.Job
	results []jobs.Result
	calls   []jobs.Call
}

// with adds a result, and does not count it.
func (b *jobRecords) with(account string, outcome jobs.Outcome) {
	code := 0
	if outcome == jobs.Failed {
		code = NoAnswer // a reason of the console's own
	}
	a := jobs.Account{Account: account, Outcome: outcome, Code: code, Batch: 1, Place: placeOf(account)}
	b.results = append(b.results, jobs.Result{Account: a})
}

// placeOf is the place of an account in its batch: by its first letter.
func placeOf(account string) int { return int(account[0]-'a') + 1 }

func heldOf(accounts []string) []byte {
	bits := make([]byte, 4)
	for _, account := range accounts {
		bits[(placeOf(account)-1)/8] |= 1 << ((placeOf(account) - 1) % 8)
	}
	return bits
}

type allRecords []*jobRecords

func (b allRecords) of(id string) *jobRecords {
	return b[slices.IndexFunc(b, func(of *jobRecords) bool { return of.ID == id })]
}

func (b allRecords) Get(_ context.Context, id string) (jobs.Job, error) { return b.of(id).Job, nil }

func (b allRecords) Results(_ context.Context, id string, _ jobs.Outcome) iter.Seq2[jobs.Result, error] {
	return each(b.of(id).results)
}

func (b allRecords) Calls(_ context.Context, id string) iter.Seq2[jobs.Call, error] {
	return each(b.of(id).calls)
}

func each[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range list {
			if !yield(item, nil) {
				return
			}
		}
	}
}

var jobsOf = map[string]jobs.Job{
	"clear":   {Kind: jobs.Clear, Snapshot: true},
	"blind":   {Kind: jobs.Clear},
	"restore": {Kind: jobs.Restore, Source: "clear", Policy: snapshot.Skip},
	"merge":   {Kind: jobs.Restore, Source: "clear", Policy: snapshot.Merge},
	"part":    {Kind: jobs.Restore, Source: "clear", Only: []string{"vip"}},
	"none":    {Kind: jobs.Restore, Source: "clear", Only: []string{}},
	"retry":   {Kind: jobs.Restore, Source: "restore"},
	"unrest":  {Kind: jobs.RemoveTags, Source: "restore"}, // takes a restore back
	"unvip":   {Kind: jobs.RemoveTags, Source: "restore", Only: []string{"vip"}},
	"add":     {Kind: jobs.AddTags},
	"unadd":   {Kind: jobs.RemoveTags, Source: "add"},
	"remove":  {Kind: jobs.RemoveTags},
	"inspect": {Kind: jobs.Inspect},
}

// fixture is a simulator, and the honest books of the calls it gets.
type fixture struct {
	*testing.T
	sim    *Service
	books  allRecords
	random uint32
}

// withFixture runs body in a bubble of time, in which waiting costs none, with jobs
// of jobsOf: "clear restore=skipped" are two of which amy is the only account,
// and amy is done by the one and was skipped by the other.
func withFixture(t *testing.T, list string, body func(*fixture)) {
	synctest.Test(t, func(t *testing.T) {
		// With this seed amy has the tags vip and gold.
		sim, err := New(Config{SDKAppID: 1, SecretKey: "k", Identifier: "a", Seed: 4559, RateLimit: -1})
		require.NoError(t, err)
		s := &fixture{T: t, sim: sim}
		for entry := range strings.FieldsSeq(list) {
			id, said, _ := strings.Cut(entry, "=")
			b := &jobRecords{Job: jobsOf[id]}
			outcome := jobs.Outcome(said)
			if said == "" {
				outcome = b.Kind.Done()
			}
			b.ID, b.Rows, b.Accounts, b.Counts = id, 1, 1, jobs.Counts{outcome: 1}
			b.with("amy", outcome)
			s.books = append(s.books, b)
		}
		body(s)
	})
}

// run plays a script of calls about amy, each a second after the one before:
//
//	read, clear, add=vip,new, remove=vip   calls of the first job
//	1:read                                 of the second; x:read of no job
//	again:read                             with the random number of the call before
//	read=bob,ann                           further accounts
//	read!reset_after, clear!ignored        with a fault; a late change comes within an hour
//	read@63s                               so long after the call before
//	read( … )                              while others are made
//	edit=vip                               somebody gives her these tags instead
func (s *fixture) run(script string) {
	var open []func()
	for token := range strings.FieldsSeq(script) {
		if token == ")" {
			open[len(open)-1]()
			open = open[:len(open)-1]
			continue
		}
		token, opens := strings.CutSuffix(token, "(")
		token, wait, waits := strings.Cut(token, "@")
		token, fault, _ := strings.Cut(token, "!")
		verb, text, _ := strings.Cut(token, "=")
		job, named, ofAJob := strings.Cut(verb, ":")
		if !ofAJob {
			job, named = "0", verb
		}
		list := strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
		if named == "edit" {
			s.sim.SetTags("amy", list...)
			continue
		}
		pause := time.Second
		if waits {
			pause, _ = time.ParseDuration(wait)
		}
		time.Sleep(pause)
		end := s.call(job, named, list, fault)
		if opens {
			open = append(open, end)
		} else {
			end()
		}
	}
}

func (s *fixture) call(job, verb string, list []string, fault string) (end func()) {
	if job != "again" {
		s.random++
	}
	q := request{random: s.random, accounts: []string{"amy"}, command: map[string]tim.Command{
		"read": tim.GetTags, "clear": tim.RemoveAllTags, "add": tim.AddTags, "remove": tim.RemoveTags}[verb]}
	if verb == "read" {
		q.accounts = append(q.accounts, list...)
	} else {
		q.tags = [][]string{list}
	}
	faults := Faults{LateWithin: time.Hour}
	switch fault {
	case "":
	case "ignored":
		faults.Ignored = 1
	default:
		faults.Shares = map[Fault]float64{Fault(fault): 1}
	}
	require.NoError(s, s.sim.SetFaults(faults))
	call, reply := s.sim.arrive(q)
	return func() {
		time.Sleep(100 * time.Millisecond)
		if reply.breaks >= halfAnswer {
			reply.status = 0
		}
		s.sim.end(call, reply.status)
		if job[0] > '9' {
			return
		}
		delivery := "answered"
		if call.Code == NoAnswer {
			delivery = "lost"
		}
		of := s.books[job[0]-'0']
		of.calls = append(of.calls, jobs.Call{
			Batch: 1, Held: heldOf(q.accounts), Accounts: len(q.accounts), Command: q.command, Random: q.random, Delivery: delivery})
	}
}

func (s *fixture) compare(handler http.Handler) (*Comparison, error) {
	var ids []string
	for _, b := range s.books {
		ids = append(ids, b.ID)
	}
	return Compare(s.Context(), s.books, s.control(handler), ids...)
}

// control asks a handler without a network, which no bubble could hold.
func (s *fixture) control(handler http.Handler) *Control {
	return &Control{"http://simulator", &http.Client{Transport: direct{handler}}}
}

type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}
