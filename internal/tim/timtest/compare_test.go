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
	"tagsweep/internal/tim"
)

// requireWrong wants each check of "Counter: words; Counter: words" to have
// tripped once, and no other: what only one check finds is lost with that check.
func (s *fixture) requireWrong(wrong string) {
	found, err := s.compare(s.sim.Handler())
	require.NoError(s, err)
	all, counts := 0, map[string]int64{}
	for check := range strings.SplitSeq(wrong, "; ") {
		if counter, words, tripped := strings.Cut(check, ": "); tripped {
			all++
			counts[counter]++
			said := func(line string) bool { return strings.Contains(line, words) }
			require.True(s, slices.ContainsFunc(found.Wrong, said), "%q in %q", words, found.Wrong)
		}
	}
	require.Len(s, found.Wrong, all, "%q", found.Wrong)
	for counter, n := range counts {
		require.Equal(s, n, reflect.ValueOf(*found).FieldByName(counter).Int(), "%s: %q", counter, found.Wrong)
	}
}

func TestCompareFindsTamperedRecords(t *testing.T) {
	two := func(b *jobRecords) { b.Rows, b.Accounts, b.Counts[jobs.Inspected] = 2, 2, 2 }
	for name, c := range map[string]struct {
		tamper func(*jobRecords)
		wrong  string
	}{
		"not": {func(*jobRecords) {}, ""},
		"an account too many": {two,
			"Missing: 1 accounts have no result; Inconsistent: 1 accounts are inspected, the job says 2; Inconsistent: the sums"},
		"two results": {func(b *jobRecords) { two(b); b.with("amy", jobs.Inspected) },
			"Duplicate: account amy has two results; Missing: 1 accounts"},
		"counted as failed": {func(b *jobRecords) { b.Counts = jobs.Counts{jobs.Failed: 1} },
			"Inconsistent: 1 accounts are inspected, the job says 0; Inconsistent: 0 accounts are failed, the job says 1"},
		"counted as odd":   {func(b *jobRecords) { b.Counts["odd"] = 1 }, "Inconsistent: the sums do not add up: 1 results"},
		"an odd result":    {func(b *jobRecords) { b.with("bob", "odd") }, "Inconsistent: the sums do not add up: 2 results"},
		"a row of nothing": {func(b *jobRecords) { b.Rows++ }, "Inconsistent: the sums do not add up: 1 results"},
		"finished too soon": {func(b *jobRecords) {
			b.State, b.results, b.Counts = jobs.Finished, nil, jobs.Counts{jobs.InDoubt: 1}
			b.with("amy", jobs.InDoubt)
		}, "Inconsistent: job inspect is finished, and 1 accounts are open"},
		"said not sent": {func(b *jobRecords) { b.calls[0].Delivery = "not_sent" },
			"Unrecorded: call 1 arrived, and the ledger says not_sent"},
		"said intended": {func(b *jobRecords) { b.calls[0].Delivery = "intended" },
			"Unrecorded: call 1 arrived, and the ledger says intended"},
		"an answer from nowhere": {func(b *jobRecords) { b.calls = append(b.calls, jobs.Call{Delivery: "answered"}) },
			"Unrecorded: the ledger of job inspect holds an answer to a call that never arrived"},
		"of another batch": {func(b *jobRecords) { b.calls[0].Batch = 2 }, "Unrecorded: holds an answer to a call"},
		"of two accounts":  {func(b *jobRecords) { b.calls[0].Accounts = 2 }, "Unrecorded: holds an answer to a call"},
	} {
		t.Run(name, func(t *testing.T) {
			withFixture(t, "inspect", func(s *fixture) {
				s.run("read read")
				c.tamper(s.books[0])
				s.requireWrong(c.wrong)
			})
		})
	}
}

func TestCompareTellsRightFromWrong(t *testing.T) {
	for _, c := range []struct{ jobs, script, wrong string }{
		// What is right.
		{"clear restore", "read clear 1:read 1:add=vip,gold", ""},
		{"blind", "clear", ""},
		{"clear", "read clear!reset_after read", ""},
		{"clear", "read clear!late_apply read@1h", ""},
		{"clear", "read clear!ignored read clear", ""},
		{"clear=failed", "read clear!reset_after", ""},    // for want of an answer, which says nothing
		{"inspect", "read!silent_after( read )", ""},      // of a console that was killed
		{"clear part", "read clear 1:read 1:add=vip", ""}, // as chosen
		{"clear restore unrest", "read clear 1:read 1:add=vip,gold 2:read 2:remove=vip,gold", ""},
		{"clear restore=skipped", "read clear edit=own 1:read", ""},
		{"clear inspect", "read clear edit=own 1:read", ""}, // it was cleared when that job ended
		{"clear=untagged", "x:clear read", ""},
		{"add inspect", "read 1:read( add=new )", ""}, // an inspection waits for nobody
		{"clear add", "read( 1:read ) clear 1:add=new", ""},
		// A reading without an answer tells nothing and changes nothing, however late it comes.
		{"clear restore", "read!late_apply read clear 1:read 1:add=vip,gold", ""},
		{"clear restore blind", "read clear 1:read!late_apply 1:read 1:add=vip,gold 2:clear", ""},

		// Calls that no console may make.
		{"inspect", "read( read read )", "Concurrent: account amy was in call 2; Concurrent: account amy was in call 3"},
		{"clear", "read clear!reset_after( read )", "Concurrent: account amy was in call 3"},
		{"clear", "read clear!late_apply read", "Concurrent: account amy was in call 3"},
		{"clear add", "read 1:read( clear ) 1:add=new", "Concurrent: account amy was in call 3"},
		{"clear add", "read 1:read clear( 1:add=new ) edit=new", "Concurrent: account amy was in call 4"},
		{"inspect", "read again:read", "Unrecorded: call 2 arrived twice"},
		{"inspect", "read=bob", "Inconsistent: call 1 holds bob, which is no account of job inspect"},
		{"inspect", "read clear!server_error", "Inconsistent: a job of kind inspect made a call of remove_all_tags"},
		{"clear", "read clear clear", "Resent: account amy was sent again after it was acknowledged"},
		{"clear", "read clear read clear", "Resent: account amy was sent again after it was acknowledged"},
		{"add", "read add=new read add=new,newer", "Resent: account amy was sent again after it was acknowledged"},
		{"remove", "read remove=vip read remove=vip", "Resent: account amy was sent again after it was acknowledged"},
		{"add", "add=new", "Inconsistent: account amy was sent in call 1, and its tags were not read"},
		{"add", "read!reset_after add=new", "Inconsistent: account amy was sent in call 2, and its tags were not read"},
		{"add", "read add=new@63s", "Inconsistent: account amy was sent in call 2, and its tags were not read"},
		{"clear", "clear", `Inconsistent: not read just before; Unsaved: tag "vip" of account amy was removed; Unsaved: tag "gold"`},
		{"clear", "read edit=vip,own clear", `Unsaved: tag "own" of account amy was removed in call 2, and was never read`},
		{"clear inspect", "read clear!late_apply edit=own read!server_error@1h edit=new 1:read",
			`Unsaved: tag "own" of account amy was removed in call 2, and was never read`},

		// Outcomes that are not so.
		{"clear", "", "Mismatched: account amy is cleared, and no call of the job did it or read its tags"},
		{"clear", "read clear!ignored", "Mismatched: account amy is cleared, and has 2 tags"},
		{"clear", "read clear edit=own", "Mismatched: account amy is cleared, and has 1 tags"},
		{"clear=failed", "read clear", "Mismatched: account amy is failed, and its change was acknowledged"},
		{"add=cancelled", "read add=new!reset_after", "Mismatched: account amy is cancelled (0), and its tags were changed"},
		{"clear=untagged", "edit=", "Mismatched: account amy is untagged, and its tags were never read"},
		{"add=unchanged", "", "Mismatched: account amy is unchanged, and its tags were never read"},
		{"clear restore=skipped", "read clear 1:read!server_error",
			"Mismatched: amy is skipped, and its tags were never read; Mismatched: amy was skipped, and has gained no tags"},
		{"clear=untagged", "read", "Mismatched: account amy is untagged, and has 2 tags"},
		{"inspect", "edit= read", "Mismatched: account amy is inspected, and has 0 tags"},
		{"inspect", "read add=new", "Inconsistent: made a call of add_tags; Mismatched: inspected, and its tags were changed"},
		{"add", "read add=new!ignored", `Mismatched: account amy is changed, and lacks ["new"]`},
		{"clear add", "read!late_apply read clear 1:read 1:add=new edit=", `Mismatched: account amy is changed, and lacks ["new"]`},
		{"remove", "read remove=vip!ignored", `NotRestored: account amy is changed, and still has ["vip"]`},

		// Undos that are none.
		{"restore", "read", "Inconsistent: account amy was put back, and no job had removed its tags"},
		{"clear restore", "read clear 1:read 1:add=vip,gold,new", `WronglyChanged: account amy was given "new" back`},
		{"clear part", "read clear 1:read 1:add=vip,gold", `WronglyChanged: account amy was given "gold" back`},
		{"clear none", "read clear 1:read 1:add=vip", `WronglyChanged: account amy was given "vip" back`},
		{"clear restore=cancelled retry", "read clear 2:read 2:add=vip,gold,new", `WronglyChanged: account amy was given "new" back`},
		{"clear restore", "read clear 1:read 1:add=vip", `NotRestored: account amy is restored, and has not got "gold" back`},
		{"clear part=unchanged", "read clear 1:read", `NotRestored: account amy is unchanged, and has not got "vip" back`},
		{"clear restore=skipped", "read clear 1:read", "Mismatched: account amy was skipped, and has gained no tags"},
		{"clear merge=skipped", "read clear edit=own 1:read", "Mismatched: account amy was skipped, and has gained no tags"},
		{"clear restore unrest", "read clear 1:read 1:add=vip,gold edit=vip,gold,own 2:read 2:remove=vip,gold,own",
			`WronglyChanged: account amy lost "own", which no job had given it`},
		{"clear restore unvip", "read clear 1:read 1:add=vip,gold 2:read 2:remove=vip,gold", `WronglyChanged: account amy lost "gold"`},
		{"clear restore unrest", "read clear 1:read 1:add=vip,gold 2:read 2:remove=vip",
			`NotRestored: account amy is changed, and still has "gold"`},
		{"add unadd=unchanged", "read add=new 1:read", `NotRestored: account amy is unchanged, and still has "new"`},
	} {
		t.Run(c.jobs+" "+c.script, func(t *testing.T) {
			withFixture(t, c.jobs, func(s *fixture) {
				s.run(c.script)
				s.requireWrong(c.wrong)
			})
		})
	}
}

func TestCompareHoldsLimitsAndTags(t *testing.T) {
	withFixture(t, "inspect", func(s *fixture) {
		script := "read="
		for i := range jobs.BatchSize {
			script += fmt.Sprintf("user%d,", i)
			s.books[0].with(fmt.Sprint("user", i), jobs.Inspected)
		}
		s.books[0].Rows, s.books[0].Accounts, s.books[0].Counts = 101, 101, jobs.Counts{jobs.Inspected: 101}
		s.run(script)
		s.requireWrong("Inconsistent: a call with 101 accounts")
	})
	withFixture(t, "", func(s *fixture) {
		for range 101 {
			s.sim.arrive(request{command: tim.GetTags, accounts: []string{"bob"}})
			time.Sleep(9_999 * time.Microsecond)
		}
		s.requireWrong("Inconsistent: 101 calls of get_tags in one second, 1 more than the limit")
	})
	for _, tags := range [][]string{{"vip", "gold", "odd"}, {"vip"}} {
		withFixture(t, "inspect", func(s *fixture) {
			s.run("read")
			s.sim.state.set("amy", tags)
			s.requireWrong(fmt.Sprintf(`Inconsistent: amy has %q, and after all that was done to it should have ["vip" "gold"]`, tags))
		})
	}
}

func TestCompareCountsWhatItSaw(t *testing.T) {
	withFixture(t, "clear inspect=untagged", func(s *fixture) {
		s.run("read clear!reset_after read!bad_gateway read 1:read x:read")
		found, err := s.compare(s.sim.Handler())
		require.NoError(s, err)
		want := &Comparison{Accounts: 2, Calls: 5, Lost: 2, InDoubt: 1, OtherCalls: 1, Largest: 1, MaxInAnySecond: 1}
		require.Equal(s, want, found)
	})
	withFixture(t, "inspect", func(s *fixture) {
		s.run(strings.Repeat("read ", 8))
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

// What cannot be asked must not pass for what is empty.
func TestCompareFailsWithTheSimulator(t *testing.T) {
	for _, broken := range []string{"settled", "accounts", "edits", "ledger", "stats"} {
		withFixture(t, "inspect", func(s *fixture) {
			s.run("read")
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
