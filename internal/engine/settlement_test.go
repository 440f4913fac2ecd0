package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

const lostEnds = 5 * time.Second

// becoming is a batch with accounts that have become what is said, of a job of a kind.
func becoming(kind jobs.Kind, was jobs.Outcome, accounts ...*account) *batch {
	b := readBatch(kind, was, accounts...)
	b.lostCallEnds = lostEnds
	return b
}

func ended(o jobs.Outcome, code int) *account { return &account{outcome: o, code: code} }

func TestTheRestIsTheMostFrequentOutcome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []*account
		for range rapid.IntRange(1, jobs.BatchSize).Draw(t, "accounts") {
			a := rapid.SampledFrom([]account{{outcome: jobs.Failed, code: 70107, message: "a"}, {outcome: jobs.Failed, code: 70107, message: "b"},
				{outcome: jobs.Untagged}, {outcome: jobs.Inspected}}).Draw(t, "outcome")
			all = append(all, &a)
		}
		of := func(o jobs.Outcome, code int, message string) string { return fmt.Sprint(o, code, message) }
		count := map[string]int{}
		for _, a := range all {
			count[of(a.outcome, a.code, a.message)]++
		}
		s := settlementOf(becoming(jobs.Clear, jobs.Waiting, all...), nil, jobs.Waiting)
		rest := of(s.rest, s.code, s.message)
		require.Len(t, all, len(s.own)+count[rest])
		for key, n := range count {
			require.LessOrEqual(t, n, count[rest], key)
		}
		for _, a := range s.own {
			require.NotEqual(t, rest, of(a.outcome, a.code, a.message))
		}
	})
}

// However a batch ends, each account is in exactly one place, the counts add up,
// and what is in doubt stays so until it was read.
func TestEveryAccountIsSettledOnceOrStaysOpen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		was := rapid.SampledFrom([]jobs.Outcome{jobs.Waiting, jobs.InDoubt}).Draw(t, "was")
		stored := rapid.SampledFrom([]jobs.Outcome{was, jobs.Sending}).Draw(t, "stored")
		var all []*account
		for range rapid.IntRange(1, 12).Draw(t, "accounts") {
			a := &account{}
			switch rapid.IntRange(0, 5).Draw(t, "account") {
			case 0:
				a.outcome, a.code = jobs.Failed, 70107
			case 1:
				a.outcome = jobs.Cleared
			case 2:
				a.lostCall, a.maybeChanged = true, true
			case 3:
				a.needsReview, a.code = true, rapid.SampledFrom([]int{0, jobs.CodeLost}).Draw(t, "why")
			case 4:
				a.unread = was == jobs.InDoubt
			}
			all = append(all, a)
		}
		end := rapid.SampledFrom([]*stopReason{
			nil, notNow, {halt: 60020, all: true}, {review: 60027}, {halt: jobs.CodeUnreadable}}).Draw(t, "ending")
		b := becoming(jobs.Clear, was, all...)
		open, unsure := 0, false
		for _, a := range all {
			if a.open() {
				open++
				unsure = unsure || a.lostCall || a.needsReview || a.unread
			}
		}
		s := settlementOf(b, end, stored)
		require.Zero(t, s.moves.Sum())
		require.Equal(t, open > 0, s.rest.Open())
		require.NotEqual(t, jobs.Sending, s.rest)
		require.Equal(t, unsure, s.rest == jobs.InDoubt, "what is in doubt is read before anything is sent")
		require.False(t, s.needsReview && s.rest != jobs.InDoubt)
		own := map[int64]bool{}
		for _, a := range s.own {
			require.False(t, own[a.seq], "one outcome each")
			require.False(t, a.open())
			own[a.seq] = true
		}
		if open > 0 {
			require.Len(t, all, open+len(own))
		}
		want := jobs.Counts{stored: -int64(len(all))}
		for _, a := range all {
			if own[a.seq] {
				want[a.outcome]++
			} else {
				want[s.rest]++
			}
		}
		for _, o := range jobs.Outcomes {
			require.Equal(t, want[o], s.moves[o], o)
		}
		if s.needsReview {
			for _, a := range all {
				require.True(t, !a.open() || a.needsReview, "a person decides about those alone who ask")
			}
		}
	})
}

func TestReadBackWaitsForALostCallToEnd(t *testing.T) {
	for _, kind := range []jobs.Kind{jobs.Clear, jobs.Restore, jobs.AddTags, jobs.RemoveTags} {
		b := becoming(kind, jobs.Waiting, &account{lostCall: true, maybeChanged: true}, ended(jobs.Failed, 70107))
		b.lost = 3
		s := settlementOf(b, nil, jobs.Sending)
		require.Equal(t, []any{jobs.InDoubt, lostEnds, 4, false}, []any{s.rest, s.wait, s.lost, s.needsReview})
	}
	b := becoming(jobs.Clear, jobs.InDoubt, &account{needsReview: true}, &account{lostCall: true, maybeChanged: true})
	s := settlementOf(b, nil, jobs.Sending)
	require.Equal(t, []any{jobs.InDoubt, lostEnds, false}, []any{s.rest, s.wait, s.needsReview},
		"the other is read back before anybody is asked")
}

func TestAnAnswerEndsTheRowOfLostCalls(t *testing.T) {
	after := func(c *call) int {
		b := becoming(jobs.Clear, jobs.Waiting, &account{})
		b.lost, b.calls = 3, []*call{c}
		return settlementOf(b, notNow, jobs.Waiting).lost
	}
	require.Zero(t, after(&call{command: tim.RemoveAllTags, answer: tim.Answer{Delivery: tim.Answered, Code: 91000}}))
	require.Equal(t, 3, after(&call{command: tim.GetTags, answer: tim.Answer{Delivery: tim.Answered}}), "reading says nothing of it")
	require.Equal(t, 3, after(&call{command: tim.RemoveAllTags, answer: tim.Answer{Delivery: tim.NotSent}}))
}

func TestAPersonIsAskedForAllThatIsLeft(t *testing.T) {
	s := settlementOf(becoming(jobs.Clear, jobs.InDoubt, &account{needsReview: true}, ended(jobs.Cleared, 0)), nil, jobs.InDoubt)
	require.Equal(t, []any{jobs.InDoubt, true, 0, time.Duration(0)}, []any{s.rest, s.needsReview, s.code, s.wait})
	require.Len(t, s.own, 1, "the other is settled")
	s = settlementOf(becoming(jobs.Clear, jobs.InDoubt, &account{needsReview: true, code: jobs.CodeLost}), nil, jobs.InDoubt)
	require.Equal(t, []any{true, jobs.CodeLost}, []any{s.needsReview, s.code})
	b := becoming(jobs.Clear, jobs.InDoubt, &account{unread: true}, ended(jobs.Cleared, 0))
	s = settlementOf(b, &stopReason{review: 60027}, jobs.InDoubt)
	require.Equal(t, []any{jobs.InDoubt, true, 60027}, []any{s.rest, s.needsReview, s.code})
	s = settlementOf(becoming(jobs.Clear, jobs.InDoubt, &account{needsReview: true}, &account{unread: true}), nil, jobs.InDoubt)
	require.Equal(t, []any{jobs.InDoubt, false, refusedHold}, []any{s.rest, s.needsReview, s.wait}, "the other is read once more, later")
}

// A cancelled job cannot halt, and what it has in doubt is read back all the same.
func TestReadBackOfACancelledJobBacksOff(t *testing.T) {
	b := becoming(jobs.Clear, jobs.InDoubt, &account{unread: true})
	refused := &stopReason{halt: 70013, all: true}
	require.Zero(t, settlementOf(b, refused, jobs.InDoubt).wait, "once it is mended nothing need be waited for")
	b.job.state = jobs.Cancelled
	require.Equal(t, refusedHold, settlementOf(b, refused, jobs.InDoubt).wait)
}

// A restore that stops at the first account that has gained tags leaves all as it was.
func TestARestoreThatStopsSettlesNothing(t *testing.T) {
	for _, was := range []jobs.Outcome{jobs.Waiting, jobs.InDoubt} {
		ann, bob, cid := listed("ann"), listed("bob", "x"), listed("cid")
		b := becoming(jobs.Restore, was, ann, bob, cid)
		end := plan(b)
		require.NotNil(t, end)
		s := settlementOf(b, end, was)
		require.Equal(t, jobs.Waiting, s.rest, "a reading leaves nothing in doubt")
		require.Empty(t, s.own)
	}
}

func TestWhatCouldNotBeKeptDoesNotCount(t *testing.T) {
	ann, bob, cid := listed("ann"), listed("bob"), listed("cid", "x")
	b := becoming(jobs.Clear, jobs.Waiting, ann, bob, cid)
	require.Nil(t, plan(b))
	bob.maybeChanged = true
	b.discardReadings()
	require.Equal(t, []jobs.Outcome{"", jobs.Untagged, ""}, outcomes(b))
	require.False(t, ann.unsaved)
}
