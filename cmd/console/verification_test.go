package main

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// verificationJSON is what a job's JSON says of the reading again after it.
type verificationJSON struct {
	Share          int64
	Seed           string
	Left           int64
	Read, Reopened int64
}

// keptJSON is what it says of the tags it keeps.
type keptJSON struct {
	Batches, Bytes int64
	Digest         string
	EraseAt        *string `json:"erase_at"`
	ErasedAt       *string `json:"erased_at"`
}

type checkedJSON struct {
	Verification *verificationJSON
	Kept         *keptJSON
}

func (u *undoing) checked(id string) (j checkedJSON) {
	u.olga.json("/jobs/"+id, &j)
	return j
}

// clearIgnored clears accounts while the service acknowledges some removals
// without doing them, and waits until a person is asked; it returns who they are.
func (u *undoing) clearIgnored(names []string, share float64) (id string, ignored []string) {
	require.NoError(u.t, u.simulator.SetFaults(timtest.Faults{Ignored: share, Commands: []tim.Command{tim.RemoveAllTags}}))
	id = u.upload("clear", []byte(strings.Join(names, "\n")+"\n"))
	before := len(u.calls(tim.RemoveAllTags))
	u.olga.start(id)
	until(u.t, "all that is to be read again was read", func() bool {
		o, v := u.olga.job(id), u.checked(id).Verification
		return o.Outcomes["waiting"]+o.Outcomes["sending"] == 0 && v != nil && v.Left == 0
	})
	for _, call := range u.calls(tim.RemoveAllTags)[before:] {
		ignored = append(ignored, call.Ignored...)
	}
	require.NotEmpty(u.t, ignored)
	return id, ignored
}

// inDoubt are the accounts of a job that wait for a person, sorted.
func (u *undoing) inDoubt(id string) (names []string) {
	for name, outcome := range u.outcomes(id) {
		if outcome == "in_doubt" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// A service that says done and has not done it is found out when everything is
// read again: exactly those accounts wait for a person, and are cleared when the
// person says so.
func TestVerificationReopensFalseSuccess(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, database string) {
		_, tags := tagged(4_000)
		u := beginUndoing(t, database, tags, nil)
		u.verify("100")
		names := u.withTags()
		id, ignored := u.clearIgnored(names, 0.02)
		slices.Sort(ignored)
		require.Equal(t, ignored, u.inDoubt(id))
		v := u.checked(id).Verification
		require.EqualValues(t, snapshot.All, v.Share)
		require.EqualValues(t, []int{len(names), len(ignored)}, []int{int(v.Read), int(v.Reopened)})
		require.Equal(t, "running", u.olga.job(id).State)

		require.NoError(t, u.simulator.SetFaults(timtest.Faults{}))
		u.olga.must("/jobs/"+id+"/decide", url.Values{"decision": {"again"}})
		j := u.finished(id)
		require.EqualValues(t, len(names), j.Outcomes["cleared"])
		u.requireTruth()
		u.run(u.undo(id, url.Values{"policy": {"stop"}}, nil))
		u.requireTags(tags)
	})
}

// A share is read again, drawn with a seed that stands in the log: whoever has
// it draws the same batches, and no other account is read or reopened.
func TestVerificationSampleIsReproducible(t *testing.T) {
	t.Parallel()
	_, tags := tagged(12_000)
	u := beginUndoing(t, databaseOf(t, "sqlite"), tags, nil)
	u.verify("30")
	names := u.withTags()
	id, ignored := u.clearIgnored(names, 0.01)
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
	require.Equal(t, wrong, u.inDoubt(id))
	require.EqualValues(t, []int{len(drawn), len(wrong)}, []int{int(v.Read), int(v.Reopened)})
	var read []string
	last := u.calls(tim.RemoveAllTags)
	for _, call := range u.calls(tim.GetTags) {
		if call.Number > last[len(last)-1].Number {
			read = append(read, call.Accounts...)
		}
	}
	require.ElementsMatch(t, drawn, read, "nobody else was read again")
}

// Tags that were kept are erased when somebody says so: they cannot be put back
// any more, and the page says why. Counts and digests stay.
func TestUndoImpossibleAfterErasure(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, database string) {
		file, tags := tagged(1_000)
		u := beginUndoing(t, database, tags, nil)
		clearing := u.upload("clear", file)
		u.run(clearing)
		before, reported := u.checked(clearing).Kept, u.reported(clearing)
		require.NotNil(t, before)
		require.EqualValues(t, 10, before.Batches)
		require.Positive(t, before.Bytes)
		require.NotEmpty(t, before.Digest)
		require.NotNil(t, before.EraseAt)
		require.Nil(t, before.ErasedAt)

		answer, _ := u.olga.post("/jobs/"+clearing+"/erase", nil)
		require.Equal(t, 403, answer.StatusCode, "an operator may not")
		u.adam.must("/jobs/"+clearing+"/erase", nil)
		after := u.checked(clearing).Kept
		require.NotNil(t, after.ErasedAt)
		require.Equal(t, before.Digest, after.Digest)
		require.Equal(t, reported, u.reported(clearing))
		answer, body := u.olga.postForm("/jobs/"+clearing+"/undo", url.Values{"policy": {"merge"}}, nil)
		require.Equal(t, 409, answer.StatusCode)
		require.Contains(t, body, "have been erased, so they can neither be shown nor put back")
		_, log := u.signIn("aida").get("/audit?code=snapshot.erased")
		require.Contains(t, log, clearing)
		for name := range tags {
			require.Empty(t, u.simulator.Tags(name))
		}
	})
}
