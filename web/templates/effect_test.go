package templates

import (
	"context"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/web/templates/messages"
)

// everybody is each role in each language.
func everybody() (views []View) {
	for _, text := range messages.Languages {
		for _, role := range auth.Roles {
			v := View{Text: text, App: jobs.App{Name: "Shop", Environment: "test"}, User: User{Name: "olga", Role: role}, Asset: func(name string) string { return "/static/" + name }}
			v.Sending.SendingSettings = store.SendingSettings{Snapshot: true, KeepDays: 30, VerifyShare: 10_000}
			views = append(views, v)
		}
	}
	return views
}

func rendered(t *testing.T, c templ.Component) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, c.Render(context.Background(), &out))
	return html.UnescapeString(out.String())
}

// ended is a job of a kind that has ended, with tags that are kept.
func ended(k jobs.Kind) JobView {
	at := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	j := jobs.Job{ID: "job1", Kind: k, State: jobs.Finished, FileName: "users.csv", Accounts: 10, Rows: 10, Snapshot: true,
		CreatedAt: at, StartedAt: at, FinishedAt: at.Add(time.Hour), CreatedBy: "olga", StartedBy: "olga",
		Counts: jobs.Counts{k.Done(): 7, k.Nothing(): 2, jobs.Failed: 1}}
	return JobView{Job: j, Kept: store.Kept{Batches: 1, Bytes: 900, Digest: "ab12", EraseAt: at.AddDate(0, 0, 30)}}
}

var keyShown = regexp.MustCompile(`>\s*([a-z_]+(?:\.[a-z0-9_-]+)+)`)

// Every state of every kind, for every role and in every language: nothing shows
// a key of a text, an outcome that cannot be, or a way that the role does not have.
func TestEveryKindHasWordsForEveryState(t *testing.T) {
	for _, v := range everybody() {
		for _, k := range jobs.Kinds {
			for _, state := range []jobs.State{jobs.Queued, jobs.Running, jobs.Paused, jobs.Halted, jobs.Cancelled, jobs.Finished} {
				for _, code := range []int{60010, jobs.CodeGained, jobs.CodeDown, jobs.CodeFailures} {
					j := ended(k)
					j.Job.State, j.Job.HaltCode, j.Job.Policy = state, code, snapshot.Stop
					if state != jobs.Finished {
						j.Job.FinishedAt, j.Job.Counts[jobs.InDoubt], j.Job.Counts[jobs.Waiting] = time.Time{}, 4, 2
						j.Asked = store.Asked{Tagged: 1, Unreadable: 1, Reopened: 1, Code: 60010}
					}
					j.Job.Verify = jobs.Verification{Share: 500, Seed: "seed", Left: 1}
					page := rendered(t, Job(v, j))
					for _, found := range keyShown.FindAllStringSubmatch(page, -1) {
						require.Equal(t, "users.csv", found[1], "%s %s in %s shows the key of a text", k, state, v.Lang)
					}
					require.NotContains(t, page, "%!")
					require.Equal(t, v.May(auth.RunJobs) && state == jobs.Halted && code == jobs.CodeGained, strings.Contains(page, `id="policy-skip"`) && !strings.Contains(page, `id="policy-stop"`))
				}
			}
		}
	}
}

func TestOutcomesFitTheJobKind(t *testing.T) {
	usual := []jobs.Outcome{jobs.Waiting, jobs.Sending, jobs.InDoubt}
	for _, c := range []struct {
		job  jobs.Job
		want []jobs.Outcome
	}{
		{jobs.Job{Kind: jobs.Clear}, append(usual, jobs.Cleared, jobs.Failed, jobs.Unsent)},
		{jobs.Job{Kind: jobs.Clear, Snapshot: true}, append(usual, jobs.Cleared, jobs.Untagged, jobs.Failed, jobs.Unsent)},
		{jobs.Job{Kind: jobs.Inspect}, []jobs.Outcome{jobs.Waiting, jobs.Inspected, jobs.Untagged, jobs.Failed, jobs.Unsent}},
		{jobs.Job{Kind: jobs.Restore}, append(usual, jobs.Restored, jobs.Unchanged, jobs.Skipped, jobs.Failed, jobs.Unsent)},
		{jobs.Job{Kind: jobs.AddTags}, append(usual, jobs.Changed, jobs.Unchanged, jobs.Failed, jobs.Unsent)},
		{jobs.Job{Kind: jobs.RemoveTags, Counts: jobs.Counts{jobs.Skipped: 1}}, append(usual, jobs.Changed, jobs.Unchanged, jobs.Skipped, jobs.Failed, jobs.Unsent)},
	} {
		require.Equal(t, c.want, fitting(c.job), "%+v", c.job)
	}
}

func TestReportShowsMostCommonTags(t *testing.T) {
	j := ended(jobs.Inspect)
	j.Report = &snapshot.Report{}
	for i := range 30 {
		account := snapshot.Account{Seq: int64(i), Tags: []string{"everybody"}}
		for tag := range i {
			account.Tags = append(account.Tags, fmt.Sprintf("tag-%02d", tag))
		}
		j.Report.Add([]snapshot.Account{account}, 0)
	}
	j.Report.Add([]snapshot.Account{{Seq: 99}}, 3)
	page := rendered(t, Job(everybody()[0], j))
	for _, want := range []string{"What clearing would remove", "34 accounts were looked at", `<dt>Tags that would go</dt><dd class="number">465</dd>`, `<dt>Accounts with tags</dt><dd class="number">30</dd>`,
		`<dt>Not known</dt><dd class="number">3</dd>`, "10 more tags are in the report", `width="1000"`, `width="966"`, `name="kind" value="clear"`, `value="inspected" checked`} {
		require.Contains(t, page, want)
	}
	require.Equal(t, 20, strings.Count(page, `<td class="part"`))
	require.Less(t, strings.Index(page, "everybody"), strings.Index(page, "tag-00"), "the most common first")
	require.NotContains(t, page, "style=")
	require.NotContains(t, page, "<script>")
	j.Job.Counts[jobs.Inspected] = 0
	require.NotContains(t, rendered(t, Job(everybody()[0], j)), `name="kind" value="clear"`, "there is nothing to clear")
}

func TestVerificationShowsItsSample(t *testing.T) {
	v, j := everybody()[0], ended(jobs.Clear)
	for _, c := range []struct {
		state  jobs.State
		verify jobs.Verification
		says   string
		shown  jobs.State
	}{
		{jobs.Running, jobs.Verification{Share: 10_000, Left: 3}, "3 batches are still to be read again.", "verifying"},
		{jobs.Paused, jobs.Verification{Share: 10_000, Left: 3}, "3 batches will be read again", jobs.Paused},
		{jobs.Finished, jobs.Verification{Share: 500, Read: 1_200}, "No account that was read again has tags.", jobs.Finished},
		{jobs.Running, jobs.Verification{Share: snapshot.All, Read: 1_200, Reopened: 2}, "2 accounts still had tags although", jobs.Running},
		{jobs.Finished, jobs.Verification{Share: 500}, "Nothing was read again", jobs.Finished},
	} {
		c.verify.Seed = "5eed"
		j.Job.State, j.Job.Verify = c.state, c.verify
		require.Equal(t, c.shown, j.Job.Shown())
		page := rendered(t, Job(v, j))
		require.Contains(t, page, c.says)
		require.Contains(t, page, "5eed")
		require.Contains(t, page, "less than "+v.Int(int64(c.verify.Share))+".")
		require.Contains(t, page, `data-state="`+string(c.shown)+`"`)
	}
	require.Contains(t, rendered(t, jobVerification(v, j.Job)), "0.05% of the batches, at random")
	j.Job.Verify.Share = 0
	require.NotContains(t, rendered(t, Job(v, j)), "5eed")
}

func TestDerivedJobsAreNamedByRelation(t *testing.T) {
	for _, c := range []struct {
		made, of jobs.Kind
		want     string
	}{
		{jobs.Clear, jobs.Clear, "retry"}, {jobs.Restore, jobs.Restore, "retry"}, {jobs.Inspect, jobs.Inspect, "retry"},
		{jobs.Restore, jobs.Clear, "undo"}, {jobs.RemoveTags, jobs.Restore, "undo"}, {jobs.RemoveTags, jobs.AddTags, "undo"}, {jobs.Restore, jobs.RemoveTags, "undo"},
		{jobs.Inspect, jobs.Clear, "inspect"}, {jobs.Clear, jobs.Inspect, "clear"},
	} {
		require.Equal(t, c.want, relation(jobs.Job{Kind: c.made}, jobs.Job{Kind: c.of}))
	}
}

func TestAnUndoOfAddedTagsAsksNoPolicy(t *testing.T) {
	v := everybody()[0]
	require.Contains(t, rendered(t, Job(v, ended(jobs.Clear))), `name="policy"`)
	for _, k := range []jobs.Kind{jobs.AddTags, jobs.Restore} {
		page := rendered(t, Job(v, ended(k)))
		require.Contains(t, page, "can be taken away again: 7 accounts")
		require.NotContains(t, page, `name="policy"`)
	}
	require.NotContains(t, rendered(t, Job(v, ended(jobs.Inspect))), "/undo", "it changed nothing")
	j := ended(jobs.Clear)
	j.Job.Counts = jobs.Counts{jobs.Failed: 10}
	require.NotContains(t, rendered(t, Job(v, j)), "/undo", "it changed nothing")
	j.Reasons = []jobs.Reason{{Code: jobs.CodeLeft, Accounts: 4}}
	require.Contains(t, rendered(t, Job(v, j)), "can be put back: 4 accounts", "they may have been changed")
}

func TestHistoryShowsTagsAndCalls(t *testing.T) {
	at := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	e := store.Event{Placed: jobs.Placed{Account: jobs.Account{Account: "ann", Row: 7, Batch: 1, Outcome: jobs.Restored, At: at}, Job: ended(jobs.Restore).Job},
		Before: []string{"gold"}, Wanted: []string{"vip", "a b"}, Known: true,
		Calls: []jobs.Call{{Command: "get_tags", Random: 4294967295, At: at, Duration: 1234 * time.Millisecond, Delivery: "answered", Code: 60007, Message: "too fast", Accounts: 100},
			{Command: "add_tags", Delivery: "lost", At: at}}}
	v := everybody()[0]
	page := rendered(t, Accounts(v, Found{Query: "ann", Limit: 100, Events: []store.Event{e}}))
	for _, want := range []string{"row 7, batch 1", "Put tags back", `<code class="spaced">gold</code>`, "Tags to put back", `<code class="spaced">a b</code>`,
		"4294967295", "1,234 ms", "60007", "too fast", "no answer", "2 calls", "Read tags", `action="/accounts/read"`} {
		require.Contains(t, page, want)
	}
	e.Erased, e.Known, e.Before, e.Wanted, e.Calls = true, false, nil, nil, nil
	page = rendered(t, Accounts(v, Found{Query: "ann", Limit: 100, Events: []store.Event{e}}))
	require.Contains(t, page, "Erased. Counts and digests stay.")
	require.Contains(t, page, "No call was made for it.")
	require.NotContains(t, page, "Tags to put back")
}
