package main

import (
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// verificationJSON is what a job's JSON says of the inspection after it.
type verificationJSON struct {
	Share        int64
	Seed         string
	Job          *string // the inspection
	Read, Differ int64
}

// snapshotInfoJSON is what it says of the tags it keeps.
type snapshotInfoJSON struct {
	Batches, Bytes int64
	Digest         string
	EraseAt        *string `json:"erase_at"`
	ErasedAt       *string `json:"erased_at"`
}

type checkedJSON struct {
	Verification *verificationJSON
	SnapshotInfo *snapshotInfoJSON `json:"snapshot_info"`
}

func (u *undoTest) checked(id string) (j checkedJSON) {
	u.olga.json("/jobs/"+id, &j)
	return j
}

// clearIgnored clears accounts while the service acknowledges some removals
// without doing them, and waits until its sample is inspected; it returns who was
// ignored, sorted, and the inspection.
func (u *undoTest) clearIgnored(names []string, share float64) (id string, ignored []string, inspection string) {
	require.NoError(u.t, u.simulator.SetFaults(timtest.Faults{Ignored: share, Commands: []tim.Command{tim.RemoveAllTags}}))
	id = u.cleared(names...)
	for _, call := range u.calls(tim.RemoveAllTags) {
		ignored = append(ignored, call.Ignored...)
	}
	slices.Sort(ignored)
	require.NotEmpty(u.t, ignored)
	return id, ignored, *u.checked(id).Verification.Job
}

// endedAs are the accounts of a job with an outcome, sorted.
func (u *undoTest) endedAs(id, outcome string) (names []string) {
	for name, was := range u.outcomes(id) {
		if was == outcome {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// A service that says done and has not done it is found out when everything is
// inspected: exactly those accounts are offered, and cleared when a person says so.
func TestVerificationFindsFalseSuccess(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		_, tags := tagged(4_000)
		u := newUndoTest(t, database, tags, nil)
		u.verify("100")
		names := u.withTags()
		id, ignored, inspection := u.clearIgnored(names, 0.02)
		require.Equal(t, ignored, u.endedAs(inspection, "inspected"))
		v := u.checked(id).Verification
		require.EqualValues(t, snapshot.All, v.Share)
		require.EqualValues(t, []int{len(names), len(ignored)}, []int{int(v.Read), int(v.Differ)})

		require.NoError(t, u.simulator.SetFaults(timtest.Faults{}))
		again := u.startDerived(u.olga.must("/jobs/"+inspection+"/retry", url.Values{"kind": {"clear"}, "outcome": {"inspected"}}))
		u.run(again)
		require.Equal(t, ignored, u.endedAs(again, "cleared"))
		for _, name := range names {
			require.Empty(t, u.simulator.Tags(name))
		}
		found, err := timtest.Compare(t.Context(), reopen(t, database), timtest.NewControl(u.base), id, inspection, again)
		require.NoError(t, err)
		require.EqualValues(t, len(ignored), found.Mismatched, "the books of the first job hold what the service said")
	})
}

// A share is inspected, drawn with a seed that is in the log: whoever has it
// draws the same batches, and no other account is read.
func TestVerificationSampleIsReproducible(t *testing.T) {
	t.Parallel()
	_, tags := tagged(12_000)
	u := newUndoTest(t, databaseOf(t, "sqlite"), tags, nil)
	u.verify("30")
	names := u.withTags()
	id, ignored, inspection := u.clearIgnored(names, 0.01)
	v := u.checked(id).Verification
	require.EqualValues(t, 300_000, v.Share)
	_, log := u.signIn("aida").get("/audit?code=job.started&job=" + id)
	require.Contains(t, log, v.Seed, "the seed is in the log")

	_, results := u.olga.get("/jobs/" + id + "/results.csv")
	batches := column(t, results, "batch")
	var drawn, wrong []string
	for i, name := range column(t, results, "account") {
		if snapshot.Sample(v.Seed, number(t, batches[i]), snapshot.Share(v.Share)) {
			drawn = append(drawn, name)
			if slices.Contains(ignored, name) {
				wrong = append(wrong, name)
			}
		}
	}
	slices.Sort(wrong)
	require.NotEmpty(t, wrong)
	require.Less(t, len(wrong), len(ignored), "and not all of them")
	require.Equal(t, wrong, u.endedAs(inspection, "inspected"))
	require.EqualValues(t, []int{len(drawn), len(wrong)}, []int{int(v.Read), int(v.Differ)})
	var read []string
	last := u.calls(tim.RemoveAllTags)
	for _, call := range u.calls(tim.GetTags) {
		if call.Number > last[len(last)-1].Number {
			read = append(read, call.Accounts...)
		}
	}
	require.ElementsMatch(t, drawn, read, "nobody else was read")
}

// Tags that were kept are erased when somebody says so: they cannot be restored
// any more, and the page says why. Counts and digests stay.
func TestUndoImpossibleAfterErasure(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		file, tags := tagged(1_000)
		u := newUndoTest(t, database, tags, nil)
		clearing := u.upload("clear", file)
		u.run(clearing)
		before, reported := u.checked(clearing).SnapshotInfo, u.reported(clearing)
		require.NotNil(t, before)
		require.EqualValues(t, 10, before.Batches)
		require.Positive(t, before.Bytes)
		require.NotEmpty(t, before.Digest)
		require.NotNil(t, before.EraseAt)
		require.Nil(t, before.ErasedAt)

		answer, _ := u.olga.post("/jobs/"+clearing+"/erase", nil)
		require.Equal(t, 403, answer.StatusCode, "an operator may not")
		u.adam.must("/jobs/"+clearing+"/erase", nil)
		after := u.checked(clearing).SnapshotInfo
		require.NotNil(t, after.ErasedAt)
		require.Equal(t, before.Digest, after.Digest)
		require.Equal(t, reported, u.reported(clearing))
		answer, body := u.olga.postForm("/jobs/"+clearing+"/undo", url.Values{"policy": {"merge"}}, nil)
		require.Equal(t, 409, answer.StatusCode)
		require.Contains(t, body, "was erased, so it cannot be shown or restored")
		_, log := u.signIn("aida").get("/audit?code=snapshot.erased")
		require.Contains(t, log, clearing)
		for name := range tags {
			require.Empty(t, u.simulator.Tags(name))
		}
	})
}
