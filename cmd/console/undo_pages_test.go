package main

import (
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// Those on what tags there are, what is kept of them and how it is
// put back.
func TestPagesOfTags(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	olga, adam := s.signIn("olga"), s.signIn("adam")
	u := &undoing{program: s.program, t: t, simulator: s.simulator, olga: olga, adam: adam}
	open := func(selector string) func(w *tab) { return func(w *tab) { w.do(click(selector)) } }
	submitted := func(form string, status int) func(w *tab) {
		return func(w *tab) {
			require.Equal(t, status, w.follow(chromedp.Evaluate[chromedp.Void](`document.querySelector("`+form+`").submit()`)))
		}
	}
	members := accountFile(1_200)

	inspection := u.upload("inspect", members)
	s.visit(scene{"review-inspect", "olga", "/jobs/" + inspection, nil})
	u.run(inspection)
	clearing := u.upload("clear", members)
	s.visit(scene{"review-kept", "olga", "/jobs/" + clearing, nil})
	adam.sets(url.Values{"snapshot": {""}, "verify_share": {"0"}})
	s.visit(
		scene{"review-not-kept", "olga", "/jobs/" + clearing, nil},
		scene{"sending-not-kept", "aida", "/sending", nil},
		scene{"sending-wrong-days", "adam", "/sending", func(w *tab) {
			w.do(fill("#keep_days", "0"))
			submitted("form[action='/sending']", 422)(w)
		}},
		scene{"sending-wrong-share", "adam", "/sending", func(w *tab) {
			w.do(fill("#verify_share", "a lot"))
			submitted("form[action='/sending']", 422)(w)
		}},
	)
	unkept := u.upload("clear", accountsFrom(5_000, 200))
	u.run(unkept)
	adam.sets(url.Values{"verify_share": {"100"}})
	u.run(clearing)
	s.visit(
		scene{"inspected", "olga", "/jobs/" + inspection, nil},
		scene{"inspected-auditor", "aida", "/jobs/" + inspection, nil},
		scene{"unkept", "olga", "/jobs/" + unkept, nil},
		scene{"undo", "olga", "/jobs/" + clearing, nil},
		scene{"undo-part", "olga", "/jobs/" + clearing, open("#undo-form details summary")},
		scene{"undo-no-policy", "olga", "/jobs/" + clearing, submitted("#undo-form", 422)},
		scene{"undo-auditor", "aida", "/jobs/" + clearing, nil},
		scene{"erase", "adam", "/jobs/" + clearing, open("#job-kept .ask summary")},
		scene{"accounts-history", "olga", "/accounts?q=member_0000002", nil},
		scene{"accounts-like", "olga", "/accounts?q=member_00000", nil},
		scene{"accounts-now", "aida", "/accounts?q=member_0000002", submitted("#tags-now form", 200)},
	)

	// Somebody has given one of the accounts other tags.
	has := s.simulator.Ledger()
	name := has[len(has)-1].Accounts[0]
	s.simulator.SetTags(name, "spring", "own")
	undo := u.undo(clearing, url.Values{"policy": {"stop"}}, nil)
	s.visit(scene{"review-undo", "olga", "/jobs/" + undo, nil})
	olga.start(undo)
	until(t, "the job stops", func() bool { return olga.job(undo).State == "halted" })
	s.visit(
		scene{"gained", "olga", "/jobs/" + undo, nil},
		scene{"gained-no-choice", "olga", "/jobs/" + undo, submitted("form[action$=resume]", 422)},
		scene{"gained-auditor", "aida", "/jobs/" + undo, nil},
	)
	olga.must("/jobs/"+undo+"/resume", url.Values{"policy": {"skip"}})
	u.finished(undo)
	s.visit(
		scene{"restored", "olga", "/jobs/" + undo, nil},
		scene{"undone", "olga", "/jobs/" + clearing, nil},
		scene{"accounts-undone", "olga", "/accounts?q=" + name, nil},
	)

	tags := u.upload("add_tags", []byte("account,tags\nmember_0000001,\"spring;summer\"\nmember_0000002,\nmember_0000003,vip\n"))
	s.visit(
		scene{"review-tags", "olga", "/jobs/" + tags, nil},
		scene{"new-tags", "olga", "/jobs/new", func(w *tab) { w.do(click("input[name=kind][value=add_tags]")) }},
	)
	u.run(tags)
	s.visit(scene{"added", "olga", "/jobs/" + tags, nil})

	// A service that has not done what it said.
	require.NoError(t, s.simulator.SetFaults(timtest.Faults{Ignored: 0.05, Commands: []tim.Command{tim.RemoveAllTags}}))
	ignored := u.upload("clear", accountsFrom(10_000, 400))
	u.run(ignored)
	verification := olga.job(ignored).Verification
	require.Positive(t, verification.Differ)
	s.visit(
		scene{"verified", "olga", "/jobs/" + ignored, nil},
		scene{"verifies", "olga", "/jobs/" + *verification.Job, nil},
		scene{"verifies-auditor", "aida", "/jobs/" + *verification.Job, nil},
	)
	require.NoError(t, s.simulator.SetFaults(timtest.Faults{}))
	again := u.made(olga.must("/jobs/"+*verification.Job+"/retry", url.Values{"kind": {"clear"}, "outcome": {"inspected"}}))
	s.visit(scene{"review-again", "olga", "/jobs/" + again, nil})
	u.run(again)

	adam.must("/jobs/"+clearing+"/erase", nil)
	s.visit(
		scene{"erased", "olga", "/jobs/" + clearing, nil},
		scene{"accounts-erased", "aida", "/accounts?q=member_0000002", nil},
		scene{"audit-tags", "aida", "/audit", func(w *tab) { w.do(click("details.entry summary")) }},
	)
}
