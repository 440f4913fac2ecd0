package timtest

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// book is what a console says of one job.
type book struct {
	jobs.Job
	results []jobs.Result
	calls   []jobs.Call
	broken  string // the method of books that fails
}

// is writes a job down of which amy is the only account.
func is(job jobs.Job, outcome jobs.Outcome) *book {
	job.Rows, job.Accounts, job.Counts = 1, 1, jobs.Counts{outcome: 1}
	return (&book{Job: job}).with("amy", outcome)
}

func done(job jobs.Job) *book { return is(job, job.Kind.Done()) }

// with adds a result, and does not count it.
func (b *book) with(account string, outcome jobs.Outcome) *book {
	b.results = append(b.results, jobs.Result{Account: jobs.Account{Account: account, Outcome: outcome, Batch: 1}})
	return b
}

func (b *book) fails(method string) error {
	if b.broken == method {
		return errors.New("the books cannot be read")
	}
	return nil
}

type books []*book

func (b books) of(id string) *book {
	return b[slices.IndexFunc(b, func(of *book) bool { return of.ID == id })]
}

func (b books) Job(_ context.Context, id string) (jobs.Job, error) {
	return b.of(id).Job, b.of(id).fails("Job")
}

func (b books) Results(_ context.Context, id string, _ jobs.Outcome) iter.Seq2[jobs.Result, error] {
	return each(b.of(id).results, b.of(id).fails("Results"))
}

func (b books) Calls(_ context.Context, id string) iter.Seq2[jobs.Call, error] {
	return each(b.of(id).calls, b.of(id).fails("Calls"))
}

func each[T any](list []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range list {
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			yield(*new(T), err)
		}
	}
}

// step is a call about amy, a second after the one before, or an edit of her tags.
type step struct {
	job     int // -1: of no job
	command tim.Command
	tags    []string
	along   []string // further accounts
	fault   Fault
	ignored bool          // it is acknowledged and no more
	repeats bool          // the call before, and is not written down
	after   time.Duration // instead of a second
	during  []step        // before it ends
	edit    []string      // instead of a call
}

func edit(tags ...string) step          { return step{edit: append([]string{}, tags...)} }
func reads(job int) step                { return step{job: job, command: tim.GetTags} }
func adds(job int, tags ...string) step { return step{job: job, command: tim.AddTags, tags: tags} }
func removes(job int, tags ...string) step {
	return step{job: job, command: tim.RemoveTags, tags: tags}
}
func (s step) broken(by Fault) step        { s.fault = by; return s }
func (s step) lost() step                  { return s.broken(ResetAfter) }
func (s step) late() step                  { return s.broken(LateApply) } // within an hour
func (s step) acked() step                 { s.ignored = true; return s }
func (s step) again() step                 { s.repeats = true; return s }
func (s step) waits(d time.Duration) step  { s.after = d; return s }
func (s step) meets(others ...step) step   { s.during = others; return s }
func (s step) takes(others ...string) step { s.along = others; return s }

// scene is a simulator, and the honest books of the calls it gets.
type scene struct {
	*testing.T
	sim    *Service
	books  books
	random uint32
}

// staged runs body in a bubble of time, in which waiting costs none.
func staged(t *testing.T, b books, body func(*scene)) {
	synctest.Test(t, func(t *testing.T) {
		// With this seed amy has the tags vip and gold.
		sim, err := New(Config{SDKAppID: 1, SecretKey: "k", Identifier: "a", Seed: 4559, RateLimit: -1})
		require.NoError(t, err)
		body(&scene{T: t, sim: sim, books: b})
	})
}

func (s *scene) run(steps ...step) {
	for _, st := range steps {
		if st.edit != nil {
			s.sim.SetTags("amy", st.edit...)
			continue
		}
		if !st.repeats {
			s.random++
		}
		q := request{command: st.command, random: s.random, tags: [][]string{st.tags}}
		q.accounts = append([]string{"amy"}, st.along...)
		faults := Faults{LateWithin: time.Hour}
		if st.fault != "" {
			faults.Shares = map[Fault]float64{st.fault: 1}
		}
		if st.ignored {
			faults.Ignored = 1
		}
		require.NoError(s, s.sim.SetFaults(faults))
		time.Sleep(cmp.Or(st.after, time.Second))
		call, reply := s.sim.arrive(q)
		s.run(st.during...)
		time.Sleep(100 * time.Millisecond)
		if reply.breaks >= halfAnswer {
			reply.status = 0
		}
		s.sim.end(call, reply.status)
		if st.job < 0 || st.repeats {
			continue
		}
		delivery := "answered"
		if call.Code == NoAnswer {
			delivery = "lost"
		}
		s.books[st.job].calls = append(s.books[st.job].calls, jobs.Call{
			Batch: 1, Accounts: len(q.accounts), Command: q.command, Random: q.random, Delivery: delivery})
	}
}

// compare asks the handler without a network, which no bubble could hold.
func (s *scene) compare(handler http.Handler) (*Comparison, error) {
	var ids []string
	for _, b := range s.books {
		ids = append(ids, b.ID)
	}
	return Compare(s.Context(), s.books, &Control{"http://simulator", &http.Client{Transport: direct{handler}}}, ids...)
}

type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}
