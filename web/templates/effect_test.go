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

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/web/templates/messages"
)

// everybody is each role in each language.
func everybody() (views []View) {
	for _, text := range messages.Languages {
		for _, role := range auth.Roles {
			v := View{Text: text, App: jobs.App{Name: "Shop", Environment: "test"}, User: User{Name: "olga", Role: role},
				Asset: func(name string) string { return "/static/" + name }}
			v.Sending.Settings = jobs.Settings{Snapshot: true, KeepDays: 30, VerifyShare: 10_000}
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

// ended is a job of a kind that has ended, with tags that are saved.
func ended(k jobs.Kind) JobView {
	at := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	j := jobs.Job{ID: "job1", Kind: k, State: jobs.Finished, FileName: "users.csv", Accounts: 10, Rows: 10, Snapshot: true,
		CreatedAt: at, StartedAt: at, FinishedAt: at.Add(time.Hour), CreatedBy: "olga", StartedBy: "olga",
		Counts: jobs.Counts{k.Done(): 7, k.Nothing(): 2, jobs.Failed: 1}}
	return JobView{Job: j, SnapshotInfo: snapshot.Info{Batches: 1, Bytes: 900, Digest: "ab12", EraseAt: at.AddDate(0, 0, 30)}}
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
						j.NeedsReview = jobs.NeedsReview{Tagged: 1, Unreadable: 1, Lost: 1, Code: 60010}
						j.Waits = &jobs.Overlap{Job: jobs.Job{ID: "job0", FileName: "users.csv"}, Accounts: 3}
					}
					j.Job.Careful, j.Job.Verify = true, jobs.Verification{Share: 500, Seed: "seed"}
					page := rendered(t, Job(v, j))
					for _, found := range keyShown.FindAllStringSubmatch(page, -1) {
						require.Equal(t, "users.csv", found[1], "%s %s in %s shows the key of a text", k, state, v.Lang)
					}
					require.NotContains(t, page, "%!")
					require.Equal(t, v.May(auth.RunJobs) && state == jobs.Halted && code == jobs.CodeGained,
						strings.Contains(page, `id="policy-skip"`) && !strings.Contains(page, `id="policy-stop"`))
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
		{jobs.Job{Kind: jobs.Inspect, Checks: jobs.Clear}, []jobs.Outcome{jobs.Waiting, jobs.Inspected, jobs.Untagged, jobs.Failed, jobs.Unsent}},
		{jobs.Job{Kind: jobs.Inspect, Checks: jobs.AddTags},
			[]jobs.Outcome{jobs.Waiting, jobs.Inspected, jobs.Unchanged, jobs.Failed, jobs.Unsent}},
		{jobs.Job{Kind: jobs.Restore}, append(usual, jobs.Restored, jobs.Unchanged, jobs.Skipped, jobs.Failed, jobs.Unsent)},
		{jobs.Job{Kind: jobs.AddTags}, append(usual, jobs.Changed, jobs.Unchanged, jobs.Failed, jobs.Unsent)},
		{jobs.Job{Kind: jobs.RemoveTags, Counts: jobs.Counts{jobs.Skipped: 1}},
			append(usual, jobs.Changed, jobs.Unchanged, jobs.Skipped, jobs.Failed, jobs.Unsent)},
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
	for _, want := range []string{"Tags that would be removed", "34 accounts were read",
		`<dt>Tags to remove</dt><dd class="number">465</dd>`, `<dt>Accounts with tags</dt><dd class="number">30</dd>`,
		`<dt>Accounts not found</dt><dd class="number">3</dd>`, "The report contains 10 more tags", `width="1000"`,
		`width="966"`, `name="kind" value="clear"`, `value="inspected" checked`} {
		require.Contains(t, page, want)
	}
	require.Equal(t, 20, strings.Count(page, `<td class="part"`))
	require.Less(t, strings.Index(page, "everybody"), strings.Index(page, "tag-00"), "the most common first")
	require.NotContains(t, page, "style=")
	require.NotContains(t, page, "<script>")
	j.Job.Counts[jobs.Inspected] = 0
	require.NotContains(t, rendered(t, Job(everybody()[0], j)), `name="kind" value="clear"`, "there is nothing to clear")
}

// inspected is a job with the inspection of a sample of it.
func inspected(k jobs.Kind, state jobs.State, differ, well, failed int64) JobView {
	j := ended(k)
	j.Job.Verify = jobs.Verification{Share: 10_000, Seed: "5eed"}
	j.Inspection = &jobs.Job{ID: "job2", Kind: jobs.Inspect, Checks: k, Source: "job1", FileName: "verify-of-users.csv", State: state,
		Accounts: differ + well + failed, Counts: jobs.Counts{jobs.Inspected: differ, k.Nothing(): well, jobs.Failed: failed}}
	return j
}

func TestVerificationShowsItsSample(t *testing.T) {
	v, j := everybody()[0], ended(jobs.Clear)
	for _, c := range []struct {
		state   jobs.State
		share   snapshot.Share
		due     bool
		changed int64
		says    string
	}{
		{jobs.Running, 10_000, false, 3, "A sample is inspected after the job finishes."},
		{jobs.Paused, snapshot.All, false, 0, "A sample is inspected after the job finishes."},
		{jobs.Finished, 500, true, 7, "Inspection of a sample starts soon."},
		{jobs.Finished, 500, false, 7, "Inspection of a sample starts soon."}, // it is being made
		{jobs.Finished, 500, false, 0, "The job changed no accounts, so there is nothing to inspect."},
		{jobs.Cancelled, 500, false, 7, "The job was cancelled, so no sample is inspected."},
	} {
		j.Job.State, j.Job.Verify = c.state, jobs.Verification{Share: c.share, Seed: "5eed", Due: c.due}
		j.Job.Counts = jobs.Counts{jobs.Cleared: c.changed, jobs.Untagged: 10 - c.changed}
		page := rendered(t, Job(v, j))
		require.Contains(t, page, c.says)
		require.Contains(t, page, "5eed")
		require.Contains(t, page, "less than "+v.Int(int64(c.share))+".")
		require.NotContains(t, page, "Accounts inspected")
	}
	j.Job.Verify.Share = 500
	require.Contains(t, rendered(t, jobVerification(v, j)), "0.05% of batches, chosen at random")
	j.Job.Verify.Share = 0
	require.NotContains(t, rendered(t, Job(v, j)), "5eed")
}

func TestVerificationShowsWhatWasFound(t *testing.T) {
	v := everybody()[0]
	for _, c := range []struct {
		j        JobView
		says     []string
		saysNot  []string
		again    bool
		whenGone bool // also once the tags it was told are erased
	}{
		{inspected(jobs.Clear, jobs.Running, 2, 40, 0),
			[]string{"Inspecting a sample.", `<a href="/jobs/job2">`, `data-state="running"`, "<dd>42</dd>"}, nil, false, false},
		{inspected(jobs.Clear, jobs.Finished, 0, 1_200, 3),
			[]string{"None of the inspected accounts has tags.", "3 accounts were not inspected.", "<dd>1,200</dd>"}, nil,
			false, false},
		{inspected(jobs.AddTags, jobs.Finished, 0, 9, 0), []string{"All inspected accounts are as expected."},
			[]string{"not inspected"}, false, false},
		{inspected(jobs.Clear, jobs.Finished, 0, 0, 5),
			[]string{"No accounts were inspected.", "5 accounts were not inspected."}, nil, false, false},
		{inspected(jobs.Clear, jobs.Finished, 2, 10, 0),
			[]string{"The service confirmed the removal, but 2 accounts have tags.", "<dd>12</dd>", "<dd>2</dd>",
				"to redo 2 accounts"}, nil, true, true},
		{inspected(jobs.Restore, jobs.Cancelled, 1, 10, 0), []string{"but 1 account is not as expected", "to redo 1 account"}, nil, true, false},
	} {
		card := rendered(t, jobVerification(v, c.j))
		for _, said := range c.says {
			require.Contains(t, card, said)
		}
		for _, said := range c.saysNot {
			require.NotContains(t, card, said)
		}
		form := `action="/jobs/job2/retry"><input type="hidden" name="kind" value="` + string(c.j.Job.Kind) +
			`"> <button class="btn" type="submit" name="outcome" value="inspected">`
		require.Equal(t, c.again, strings.Contains(card, form), card)
		c.j.TagsErased = true
		require.Equal(t, c.whenGone, strings.Contains(rendered(t, jobVerification(v, c.j)), form))
	}
	auditor := v
	auditor.User.Role = auth.Auditor
	require.NotContains(t, rendered(t, jobVerification(auditor, inspected(jobs.Clear, jobs.Finished, 2, 10, 0))), "<form")
}

// The inspection of a sample says what it is of, and offers what it found.
func TestAnInspectionOfASampleLeadsToItsJob(t *testing.T) {
	for _, v := range everybody() {
		for _, k := range []jobs.Kind{jobs.Clear, jobs.Restore, jobs.AddTags, jobs.RemoveTags} {
			of := inspected(k, jobs.Finished, 2, 10, 1)
			i := JobView{Job: *of.Inspection, Origin: of.Job, Report: &snapshot.Report{Accounts: 12, Tagged: 12, Assignments: 30}}
			i.Job.Snapshot, i.Job.StartedAt, i.Job.CreatedBy, i.Job.StartedBy = true, of.Job.FinishedAt, audit.System.Name, audit.System.Name
			page := rendered(t, Job(v, i))
			for _, said := range []string{v.T("verify.checks") + ` <a href="/jobs/job1">users.csv</a>`,
				"<dt>" + v.T("origin.verify") + "</dt>", v.For("verify.differ", k, int64(2)),
				v.T("audit.system"), v.T("impact.title.sample")} {
				require.Contains(t, page, said)
			}
			require.Equal(t, v.May(auth.RunJobs), strings.Contains(page, `name="kind" value="`+string(k)+`"`))
			require.NotContains(t, page, `id="skip-untagged"`)
			require.NotContains(t, page, v.T("impact.title.inspect"))
			for _, found := range keyShown.FindAllStringSubmatch(page, -1) {
				require.Contains(t, []string{"users.csv", "verify-of-users.csv"}, found[1])
			}
			said := "Has tags"
			if k != jobs.Clear {
				said = "Mismatch"
				require.Contains(t, page, v.T("outcome.unchanged.why.told"))
				require.NotContains(t, page, v.T("outcome.inspected.why"))
			}
			if v.Lang == "en" {
				require.Contains(t, page, said)
				require.Equal(t, k != jobs.Clear, strings.Contains(page, "2 mismatch"), "the bar")
			}
			require.Contains(t, rendered(t, Job(v, JobView{Job: of.Job, Derived: []jobs.Job{i.Job}})), v.T("made.verify"))
		}
	}
}

func TestAJobSaysWhatItWaitsFor(t *testing.T) {
	v, j := everybody()[0], ended(jobs.Clear)
	j.Job.State, j.Job.FinishedAt, j.Job.Careful, j.Job.Counts = jobs.Queued, time.Time{}, true, jobs.Counts{jobs.Waiting: 10}
	page := rendered(t, Job(v, j))
	require.Contains(t, page, "Careful start: checking the first batch.")
	require.NotContains(t, page, "Waiting for")
	j.Waits = &jobs.Overlap{Job: jobs.Job{ID: "job0", FileName: "vips.csv"}, Accounts: 1_234}
	page = rendered(t, Job(v, j))
	require.Contains(t, page, `Waiting for <a href="/jobs/job0">vips.csv</a>, which shares 1,234 accounts with this job.`)
	require.Contains(t, page, "Waiting for another job with the same accounts.")
	require.NotContains(t, page, v.T("job.queued.why"))
	j.Job.Careful, j.Waits.Accounts = false, 1
	page = rendered(t, Job(v, j))
	require.NotContains(t, page, "Careful start")
	require.Contains(t, page, ", which shares 1 account with this job.")
}

func TestDerivedJobsAreNamedByRelation(t *testing.T) {
	for _, c := range []struct {
		made, of jobs.Kind
		want     string
	}{
		{jobs.Clear, jobs.Clear, "retry"}, {jobs.Restore, jobs.Restore, "retry"}, {jobs.Inspect, jobs.Inspect, "retry"},
		{jobs.Restore, jobs.Clear, "undo"}, {jobs.RemoveTags, jobs.Restore, "undo"}, {jobs.RemoveTags, jobs.AddTags, "undo"},
		{jobs.Restore, jobs.RemoveTags, "undo"},
		{jobs.Inspect, jobs.Clear, "inspect"}, {jobs.Clear, jobs.Inspect, "clear"},
	} {
		require.Equal(t, c.want, relation(jobs.Job{Kind: c.made}, jobs.Job{Kind: c.of}))
	}
	for _, k := range []jobs.Kind{jobs.Clear, jobs.Restore, jobs.AddTags, jobs.RemoveTags} {
		of, inspection := jobs.Job{Kind: k}, jobs.Job{Kind: jobs.Inspect, Checks: k}
		require.Equal(t, "verify", relation(inspection, of))
		require.Equal(t, "again", relation(of, inspection))
		require.Equal(t, "retry", relation(jobs.Job{Kind: jobs.Inspect}, inspection))
	}
}

func TestAnUndoOfAddedTagsAsksNoPolicy(t *testing.T) {
	v := everybody()[0]
	require.Contains(t, rendered(t, Job(v, ended(jobs.Clear))), `name="policy"`)
	for _, k := range []jobs.Kind{jobs.AddTags, jobs.Restore} {
		page := rendered(t, Job(v, ended(k)))
		require.Contains(t, page, "You can remove the tags that this job added to 7 accounts")
		require.NotContains(t, page, `name="policy"`)
	}
	require.NotContains(t, rendered(t, Job(v, ended(jobs.Inspect))), "/undo", "it changed nothing")
	j := ended(jobs.Clear)
	j.Job.Counts = jobs.Counts{jobs.Failed: 10}
	require.NotContains(t, rendered(t, Job(v, j)), "/undo", "it changed nothing")
	j.Reasons = []jobs.Reason{{Code: jobs.CodeLeft, Accounts: 4}}
	require.Contains(t, rendered(t, Job(v, j)), "You can restore the tags that this job removed from 4 accounts", "they may have been changed")
}

func TestHistoryShowsTagsAndCalls(t *testing.T) {
	at := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	e := jobs.Event{Placed: jobs.Placed{Account: jobs.Account{Account: "ann", Row: 7, Batch: 1, Outcome: jobs.Restored,
		At: at}, Job: ended(jobs.Restore).Job},
		Before: []string{"gold"}, Wanted: []string{"vip", "a b"}, Known: true,
		Calls: []jobs.Call{{Command: "get_tags", Random: 4294967295, At: at, Duration: 1234 * time.Millisecond,
			Delivery: "answered", Code: 60007, Message: "too fast", Accounts: 100},
			{Command: "add_tags", Delivery: "lost", At: at}}}
	v := everybody()[0]
	page := rendered(t, Accounts(v, Found{Query: "ann", Limit: 100, Events: []jobs.Event{e}}))
	for _, want := range []string{"row 7, batch 1", "Restore tags", `<code class="spaced">gold</code>`, "Tags to restore",
		`<code class="spaced">a b</code>`,
		"4294967295", "1,234 ms", "60007", "too fast", "no answer", "2 calls", "Read tags", `action="/accounts/read"`} {
		require.Contains(t, page, want)
	}
	e.Erased, e.Known, e.Before, e.Wanted, e.Calls = true, false, nil, nil, nil
	page = rendered(t, Accounts(v, Found{Query: "ann", Limit: 100, Events: []jobs.Event{e}}))
	require.Contains(t, page, "Erased. Counts and digests remain.")
	require.Contains(t, page, "No calls were sent for this account.")
	require.NotContains(t, page, "Tags to restore")
}
