package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
)

// Else one account that the service does not know, among the first 20,000, would
// be a failure of all there is at the first gate.
func TestNothingIsReadBeyondAGate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		storetest.Keep(t, s, 0)
		j := started(t, s, 1_500)
		for _, gate := range []struct{ first, batches int64 }{{1, 1}, {2, 1}, {11, 1}, {101, 9}, {1_001, 5}} {
			reading := claim(t, s, tim.GetTags, 50)
			require.Equal(t, gate.first, reading[0].First)
			require.Len(t, reading, int(gate.batches))
			for _, c := range reading {
				settle(t, s, toChange(c))
			}
			require.Empty(t, claimNow(t, s, tim.GetTags, 50))
			for _, c := range claim(t, s, tim.RemoveAllTags, 50) {
				settle(t, s, cleared(c))
			}
		}
		require.Equal(t, jobs.Finished, jobNow(t, s, j.ID).State)
		requireSums(t, s)
	})
}

// Those that are not known to the service fail when they are read, those that
// are fine take a call more: a few failures among many that are fine stop no job,
// however far ahead of its changes it reads. Those of a bad list do.
func TestFailuresAreJudgedByWholeBatches(t *testing.T) {
	for _, bad := range []int{4, 25} {
		t.Run(fmt.Sprint(bad, " bad"), func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				fast(t, s)
				storetest.Keep(t, s, 0)
				require.NoError(t, s.ChangeSending(ctx, operator, storetest.App.ID, store.SendingSettings{FailureLimit: 20, KeepDays: 30, Snapshot: true}))
				j := started(t, s, 6_000)
				read := func(again bool) {
					var read []jobs.Settlement
					for _, c := range claim(t, s, tim.GetTags, 60) {
						st := toChange(c)
						for i, p := range c.Accounts {
							switch {
							case again:
							case i < bad:
								st.Own = append(st.Own, jobs.Own{Seq: p.Seq, Outcome: jobs.Failed, Code: 70107})
								delete(st.Found, p.Seq)
							case i < bad+4:
								st.Own = append(st.Own, jobs.Own{Seq: p.Seq, Outcome: jobs.Untagged})
								st.Found[p.Seq] = nil
							}
						}
						read = append(read, st)
					}
					settle(t, s, read...)
				}
				read(false)
				now := jobNow(t, s, j.ID)
				require.Equal(t, []any{jobs.Running, int64(60 * bad), int64(240)}, []any{now.State, now.Counts[jobs.Failed], now.Counts[jobs.Untagged]})
				s.Jump(2 * time.Minute)
				_, err := s.Expire(ctx, storetest.App.ID, false, time.Second)
				require.NoError(t, err)
				read(true)
				require.Equal(t, jobs.Running, jobNow(t, s, j.ID).State, "read again, since it was long ago")

				for _, c := range inOrder(claim(t, s, tim.RemoveAllTags, 60)) {
					if jobNow(t, s, j.ID).State == jobs.Running {
						settle(t, s, cleared(c))
					}
				}
				now = jobNow(t, s, j.ID)
				if bad == 4 {
					require.Equal(t, []any{jobs.Finished, int64(0)}, []any{now.State, now.Counts[jobs.Waiting]})
				} else {
					require.Equal(t, []any{jobs.Halted, jobs.CodeFailures, "225/900"}, []any{now.State, now.HaltCode, now.HaltInfo})
				}
				requireSums(t, s)
			})
		})
	}
}

func TestAnInspectionHasNoGates(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		fast(t, s)
		j, err := storetest.Draft(s, operator, store.NewJob{Kind: jobs.Inspect}, "account\nann\nbob\n")
		require.NoError(t, err)
		j = start(t, s, j)
		require.Equal(t, []any{int64(0), true}, []any{j.Gate, j.Snapshot})
		c := claim(t, s, tim.GetTags, 9)
		require.Len(t, c[0].Accounts, 2)
		st := toChange(c[0])
		st.Rest, st.Next, st.Own = jobs.Inspected, "", []jobs.Own{{Seq: 2, Outcome: jobs.Untagged}}
		settle(t, s, st)
		j = jobNow(t, s, j.ID)
		require.Equal(t, []any{jobs.Finished, int64(1), int64(1)}, []any{j.State, j.Counts[jobs.Inspected], j.Counts[jobs.Untagged]})
		requireSums(t, s)
	})
}
