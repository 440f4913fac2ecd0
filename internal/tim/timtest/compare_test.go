package timtest

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

var (
	clearing = jobs.Job{ID: "clear", Kind: jobs.Clear, Snapshot: true}
	blind    = jobs.Job{ID: "blind", Kind: jobs.Clear}
	restore  = jobs.Job{ID: "restore", Kind: jobs.Restore, Source: "clear", Policy: snapshot.Skip}
	merge    = jobs.Job{ID: "merge", Kind: jobs.Restore, Source: "clear", Policy: snapshot.Merge}
	part     = jobs.Job{ID: "part", Kind: jobs.Restore, Source: "clear", Only: []string{"vip"}}
	retry    = jobs.Job{ID: "retry", Kind: jobs.Restore, Source: "restore"}
	unrest   = jobs.Job{ID: "unrest", Kind: jobs.RemoveTags, Source: "restore"} // takes a restore back
	unvip    = jobs.Job{ID: "unvip", Kind: jobs.RemoveTags, Source: "restore", Only: []string{"vip"}}
	add      = jobs.Job{ID: "add", Kind: jobs.AddTags}
	unadd    = jobs.Job{ID: "unadd", Kind: jobs.RemoveTags, Source: "add"}
	remove   = jobs.Job{ID: "remove", Kind: jobs.RemoveTags}
	inspect  = jobs.Job{ID: "inspect", Kind: jobs.Inspect}
	clears   = step{command: tim.RemoveAllTags}
)

// requireWrong wants each check of "Counter: words; Counter: words" to have
// tripped once, and no other.
func (s *scene) requireWrong(wrong string) {
	found, err := s.compare(s.sim.Handler())
	require.NoError(s, err)
	counts := map[string]int64{}
	for check := range strings.SplitSeq(wrong, "; ") {
		counter, words, any := strings.Cut(check, ": ")
		if any {
			counts[counter]++
			said := func(line string) bool { return strings.HasPrefix(line, words) }
			require.True(s, slices.ContainsFunc(found.Wrong, said), "%q in %q", words, found.Wrong)
		}
	}
	all := int64(0)
	for counter, n := range counts {
		require.Equal(s, n, reflect.ValueOf(*found).FieldByName(counter).Int(), "%s: %q", counter, found.Wrong)
		all += n
	}
	require.Len(s, found.Wrong, int(all), "%q", found.Wrong)
}

func TestCompareFindsTamperedBooks(t *testing.T) {
	for name, c := range map[string]struct {
		tamper func(*book)
		wrong  string
	}{
		"not": {func(*book) {}, ""},
		"an account too many": {func(b *book) { b.Rows, b.Accounts, b.Counts[jobs.Inspected] = 2, 2, 2 },
			"Missing: 1 accounts have no result; Unsound: 1 accounts are inspected, the job says 2; Unsound: the sums"},
		"two results": {func(b *book) {
			b.Rows, b.Accounts, b.Counts[jobs.Inspected] = 2, 2, 2
			b.with("amy", jobs.Inspected)
		}, "Twice: account amy has two results; Missing: 1 accounts"},
		"counted as failed": {func(b *book) { b.Counts = jobs.Counts{jobs.Failed: 1} },
			"Unsound: 1 accounts are inspected, the job says 0; Unsound: 0 accounts are failed, the job says 1"},
		"counted as odd":   {func(b *book) { b.Counts["odd"] = 1 }, "Unsound: the sums do not add up: 1 results"},
		"an odd result":    {func(b *book) { b.with("bob", "odd") }, "Unsound: the sums do not add up: 2 results"},
		"a row of nothing": {func(b *book) { b.Rows++ }, "Unsound: the sums do not add up: 1 results"},
		"finished too soon": {func(b *book) { *b, b.State = *is(inspect, jobs.InDoubt), jobs.Finished },
			"Unsound: job inspect is finished, and 1 accounts are open"},
		"said not sent": {func(b *book) { b.calls[0].Delivery = "not_sent" },
			"Unrecorded: call 1 arrived, and the ledger says not_sent"},
		"said intended": {func(b *book) { b.calls[0].Delivery = "intended" },
			"Unrecorded: call 1 arrived, and the ledger says intended"},
		"said of two calls": {func(b *book) { b.calls = b.calls[1:] }, ""},
		"an answer from nowhere": {func(b *book) { b.calls = append(b.calls, jobs.Call{Delivery: "answered"}) },
			"Unrecorded: the ledger of job inspect holds an answer to a call that never arrived"},
		"the call of another batch": {func(b *book) { b.calls[0].Batch = 2 },
			"Unrecorded: the ledger of job inspect holds an answer"},
		"the call of two accounts": {func(b *book) { b.calls[0].Accounts = 2 },
			"Unrecorded: the ledger of job inspect holds an answer"},
	} {
		t.Run(name, func(t *testing.T) {
			staged(t, books{done(inspect)}, func(s *scene) {
				s.run(reads(0), reads(0))
				c.tamper(s.books[0])
				s.requireWrong(c.wrong)
			})
		})
	}
}

// What only one check finds is lost with that check: a case names all that trip.
func TestCompareTellsRightFromWrong(t *testing.T) {
	both := []string{"vip", "gold"}
	after := func(first []step, more ...step) []step { return slices.Concat(first, more) }
	cleared := []step{reads(0), clears}
	restored := after(cleared, reads(1), adds(1, both...))
	hundred, many := make([]string, jobs.BatchSize), done(inspect)
	many.Rows, many.Accounts, many.Counts = 101, 101, jobs.Counts{jobs.Inspected: 101}
	for i := range hundred {
		hundred[i] = fmt.Sprint("user", i)
		many.with(hundred[i], jobs.Inspected)
	}
	failed := func() *book { // for a reason of the console's own
		b := is(clearing, jobs.Failed)
		b.results[0].Code = NoAnswer
		return b
	}

	for name, c := range map[string]struct {
		jobs  books
		steps []step
		wrong string
	}{
		"cleared and put back":    {books{done(clearing), done(restore)}, restored, ""},
		"cleared unread, rightly": {books{done(blind)}, []step{clears}, ""},
		"lost and read back":      {books{done(clearing)}, []step{reads(0), clears.lost(), reads(0)}, ""},
		"late and read back": {books{done(clearing)}, []step{reads(0), clears.late(), reads(0).waits(time.Hour)},
			""},
		"acknowledged, found out": {books{done(clearing)}, []step{reads(0), clears.acked(), reads(0), clears}, ""},
		"lost and left":           {books{failed()}, []step{reads(0), clears.lost()}, ""},
		"a reader was killed":     {books{done(inspect)}, []step{reads(0).lost().meets(reads(0))}, ""},
		"a part is put back":      {books{done(clearing), done(part)}, after(cleared, reads(1), adds(1, "vip")), ""},
		"an undo is undone": {books{done(clearing), done(restore), done(unrest)},
			after(restored, reads(2), removes(2, both...)),
			""},
		"skipped for a gain": {books{done(clearing), is(restore, jobs.Skipped)}, after(cleared, edit("own"), reads(1)),
			""},
		"tagged after a clear": {books{done(clearing), done(inspect)}, after(cleared, edit("own"), reads(1)), ""},
		"cleared by a stranger": {books{is(clearing, jobs.Untagged)},
			[]step{{job: -1, command: tim.RemoveAllTags}, reads(0)},
			""},

		"in two calls at once": {books{done(inspect)}, []step{reads(0).meets(reads(0), reads(0))},
			"Together: account amy was in call 2; Together: account amy was in call 3"},
		"read during a change": {books{done(clearing)}, []step{reads(0), clears.lost().meets(reads(0))},
			"Together: account amy was in call 3"},
		"read before a late one": {books{done(clearing)}, []step{reads(0), clears.late(), reads(0)},
			"Together: account amy was in call 3"},
		"arrived twice": {books{done(inspect)}, []step{reads(0), reads(0).again()},
			"Unrecorded: call 2 arrived twice"},
		"a stranger's account": {books{done(inspect)}, []step{reads(0).takes("bob")},
			"Unsound: call 1 holds bob, which is no account of job inspect"},
		"101 accounts in a call": {books{many}, []step{reads(0).takes(hundred...)}, "Unsound: a call with 101 accounts"},
		"a call of another kind": {books{done(inspect)}, []step{reads(0), clears.broken(ServerError)},
			"Unsound: a job of kind inspect made a call of remove_all_tags"},
		"cleared again": {books{done(clearing)}, after(cleared, clears), "Resent: account amy was sent again"},
		"cleared again once read": {books{done(clearing)}, after(cleared, reads(0), clears),
			"Resent: account amy was sent again"},
		"added again": {books{done(add)}, []step{reads(0), adds(0, "new"), reads(0), adds(0, "new", "newer")},
			"Resent: account amy was sent again"},
		"removed again": {books{done(remove)}, []step{reads(0), removes(0, "vip"), reads(0), removes(0, "vip")},
			"Resent: account amy was sent again"},
		"sent unread": {books{done(add)}, []step{adds(0, "new")},
			"Unsound: account amy was sent in call 1, and its tags were not read"},
		"cleared unread": {books{done(clearing)}, []step{clears},
			"Unsound: account amy was sent in call 1, and its tags were not read; " +
				`Unkept: tag "vip" of account amy was removed in call 1; Unkept: tag "gold"`},
		"sent upon a lost reading": {books{done(add)}, []step{reads(0).lost(), adds(0, "new")},
			"Unsound: account amy was sent in call 2, and its tags were not read"},
		"read too long ago": {books{done(add)}, []step{reads(0), adds(0, "new").waits(63 * time.Second)},
			"Unsound: account amy was sent in call 2, and its tags were not read"},
		"removed unkept": {books{done(clearing)}, []step{reads(0), edit("vip", "own"), clears},
			`Unkept: tag "own" of account amy was removed in call 2`},
		"removed unkept and late": {books{done(clearing), done(inspect)}, []step{reads(0), clears.late(), edit("own"),
			reads(0).broken(ServerError).waits(time.Hour), edit("new"), reads(1)},
			`Unkept: tag "own" of account amy was removed in call 2`},

		"done by nobody": {books{done(clearing)}, nil,
			"Untrue: account amy is cleared, and no call of the job did it"},
		"acknowledged alone": {books{done(clearing)}, []step{reads(0), clears.acked()},
			"Untrue: account amy is cleared, and has 2 tags"},
		"tagged since": {books{done(clearing)}, after(cleared, edit("own")),
			"Untrue: account amy is cleared, and has 1 tags"},
		"cleared, not failed": {books{failed()}, cleared,
			"Untrue: account amy is failed, and its change was acknowledged"},
		"changed, not cancelled": {books{is(add, jobs.Unsent)}, []step{reads(0), adds(0, "new").lost()},
			"Untrue: account amy is cancelled (0), and its tags were changed"},
		"untagged, never read": {books{is(clearing, jobs.Untagged)}, []step{edit()},
			"Untrue: account amy is untagged, and its tags were never read"},
		"unchanged, never read": {books{is(add, jobs.Unchanged)}, nil,
			"Untrue: account amy is unchanged, and its tags were never read"},
		"skipped, never read": {books{done(clearing), is(restore, jobs.Skipped)},
			after(cleared, reads(1).broken(ServerError)),
			"Untrue: account amy is skipped, and its tags were never read; " +
				"Untrue: account amy was skipped, and has gained no tags"},
		"untagged, with tags": {books{is(clearing, jobs.Untagged)}, []step{reads(0)},
			"Untrue: account amy is untagged, and has 2 tags"},
		"inspected, without tags": {books{done(inspect)}, []step{edit(), reads(0)},
			"Untrue: account amy is inspected, and has 0 tags"},
		"inspected and changed": {books{done(inspect)}, []step{reads(0), adds(0, "new")},
			"Unsound: a job of kind inspect made a call of add_tags; " +
				"Untrue: account amy was inspected, and its tags were changed"},
		"not added": {books{done(add)}, []step{reads(0), adds(0, "new").acked()},
			`Untrue: account amy is changed, and lacks ["new"]`},
		"not removed": {books{done(remove)}, []step{reads(0), removes(0, "vip").acked()},
			`NotBack: account amy is changed, and still has ["vip"]`},

		"put back from nothing": {books{done(restore)}, []step{reads(0)},
			"Unsound: account amy was put back, and no job had removed its tags"},
		"given what it had not": {books{done(clearing), done(restore)}, after(restored, adds(1, "beta")),
			`PutBack: account amy was given "beta" back`},
		"given what was not chosen": {books{done(clearing), done(part)}, restored,
			`PutBack: account amy was given "gold" back`},
		"given too much by a retry": {books{done(clearing), is(restore, jobs.Unsent), done(retry)},
			after(cleared, reads(2), adds(2, "vip", "gold", "beta")), `PutBack: account amy was given "beta" back`},
		"not given all back": {books{done(clearing), done(restore)}, after(cleared, reads(1), adds(1, "vip")),
			`NotBack: account amy is restored, and has not got "gold" back`},
		"said to be whole": {books{done(clearing), is(part, jobs.Unchanged)}, after(cleared, reads(1)),
			`NotBack: account amy is unchanged, and has not got "vip" back`},
		"skipped for nothing": {books{done(clearing), is(restore, jobs.Skipped)}, after(cleared, reads(1)),
			"Untrue: account amy was skipped, and has gained no tags"},
		"skipped against the choice": {books{done(clearing), is(merge, jobs.Skipped)},
			after(cleared, edit("own"), reads(1)),
			"Untrue: account amy was skipped, and has gained no tags"},
		"its own tag taken": {books{done(clearing), done(restore), done(unrest)},
			after(restored, edit("vip", "gold", "own"), reads(2), removes(2, "vip", "gold", "own")),
			`PutBack: account amy lost "own"`},
		"a tag taken unchosen": {books{done(clearing), done(restore), done(unvip)},
			after(restored, reads(2), removes(2, both...)),
			`PutBack: account amy lost "gold"`},
		"an undo half undone": {books{done(clearing), done(restore), done(unrest)},
			after(restored, reads(2), removes(2, "vip")),
			`NotBack: account amy is changed, and still has "gold"`},
		"said to be without": {books{done(add), is(unadd, jobs.Unchanged)}, []step{reads(0), adds(0, "new"), reads(1)},
			`NotBack: account amy is unchanged, and still has "new"`},
	} {
		t.Run(name, func(t *testing.T) {
			staged(t, c.jobs, func(s *scene) {
				s.run(c.steps...)
				s.requireWrong(c.wrong)
			})
		})
	}
}

func TestCompareFindsWhatNoCallExplains(t *testing.T) {
	for _, c := range []struct{ has, said string }{{"vip gold odd", `["vip" "gold" "odd"]`}, {"vip", `["vip"]`}} {
		staged(t, books{done(inspect)}, func(s *scene) {
			s.run(reads(0))
			s.sim.state.set("amy", strings.Fields(c.has))
			s.requireWrong("Unsound: account amy has " + c.said + `, and after all that was done to it should have ["vip" "gold"]`)
		})
	}
	staged(t, nil, func(s *scene) {
		for range 101 {
			s.sim.arrive(request{command: tim.GetTags, accounts: []string{"bob"}})
		}
		s.requireWrong("Unsound: 101 calls of get_tags in one second, 1 more than the limit")
	})
}

func TestCompareCountsWhatItSaw(t *testing.T) {
	staged(t, books{done(clearing), is(inspect, jobs.Untagged)}, func(s *scene) {
		s.run(reads(0), clears.lost(), reads(0).broken(BadGateway), reads(0), reads(1), step{job: -1, command: tim.GetTags})
		found, err := s.compare(s.sim.Handler())
		require.NoError(s, err)
		want := &Comparison{Accounts: 2, Calls: 5, Lost: 2, InDoubt: 1, Foreign: 1, Largest: 1, MaxInAnySecond: 1}
		require.Equal(s, want, found)
	})
	staged(t, books{done(inspect)}, func(s *scene) {
		s.run(slices.Repeat([]step{reads(0)}, 8)...)
		for i := range s.books[0].calls {
			s.books[0].calls[i].Delivery = "not_sent"
		}
		s.books[0].Accounts += 8
		found, err := s.compare(s.sim.Handler())
		require.NoError(s, err)
		require.Equal(s, []int64{8, 8}, []int64{found.Unrecorded, found.Missing})
		require.Len(s, found.Wrong, 5+2, "more would say the same")
	})
}

// What cannot be read must not pass for what is empty.
func TestCompareFailsOnWhatItCannotRead(t *testing.T) {
	for _, broken := range []string{"settled", "accounts", "edits", "ledger", "stats", "Job", "Results", "Calls"} {
		staged(t, books{done(inspect)}, func(s *scene) {
			s.run(reads(0))
			s.books[0].broken = broken
			_, err := s.compare(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, broken) {
					http.Error(w, "broken", http.StatusInternalServerError)
					return
				}
				s.sim.Handler().ServeHTTP(w, r)
			}))
			require.Error(s, err, broken)
		})
	}
}
