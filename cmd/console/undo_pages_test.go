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
	s := newPageTest(t)
	olga, adam := s.signIn("olga"), s.signIn("adam")
	u := &undoTest{program: s.program, t: t, simulator: s.simulator, olga: olga, adam: adam}
	open := func(selector string) func(w *tab) { return func(w *tab) { w.do(click(selector)) } }
	submitted := func(form string, status int) func(w *tab) {
		return func(w *tab) {
			require.Equal(t, status, w.follow(chromedp.Evaluate[chromedp.Void](`document.querySelector("`+form+`").submit()`)))
		}
	}
	members := accountFile(1_200)

	inspection := u.upload("inspect", members)
	s.check(pageState{"review-inspect", "olga", "/jobs/" + inspection, nil})
	u.run(inspection)
	clearing := u.upload("clear", members)
	s.check(pageState{"review-kept", "olga", "/jobs/" + clearing, nil})
	adam.changeSettings(url.Values{"snapshot": {""}, "verify_share": {"0"}})
	s.check(
		pageState{"review-not-kept", "olga", "/jobs/" + clearing, nil},
		pageState{"sending-not-kept", "aida", "/sending", nil},
		pageState{"sending-wrong-days", "adam", "/sending", func(w *tab) {
			w.do(fill("#keep_days", "0"))
			submitted("form[action='/sending']", 422)(w)
		}},
		pageState{"sending-wrong-share", "adam", "/sending", func(w *tab) {
			w.do(fill("#verify_share", "a lot"))
			submitted("form[action='/sending']", 422)(w)
		}},
	)
	unkept := u.upload("clear", accountsFrom(5_000, 200))
	u.run(unkept)
	adam.changeSettings(url.Values{"verify_share": {"100"}})
	u.run(clearing)
	s.check(pageState{"inspected", "olga", "/jobs/" + inspection, nil},
		pageState{"inspected-auditor", "aida", "/jobs/" + inspection, nil},
		pageState{"unkept", "olga", "/jobs/" + unkept, nil}, pageState{"undo", "olga", "/jobs/" + clearing, nil},
		pageState{"undo-part", "olga", "/jobs/" + clearing, open("#undo-form details summary")},
		pageState{"undo-no-policy", "olga", "/jobs/" + clearing, submitted("#undo-form", 422)},
		pageState{"undo-auditor", "aida", "/jobs/" + clearing, nil},
		pageState{"erase", "adam", "/jobs/" + clearing, open("#job-snapshot .ask summary")},
		pageState{"accounts-history", "olga", "/accounts?q=member_0000002", nil},
		pageState{"accounts-like", "olga", "/accounts?q=member_00000", nil},
		pageState{"accounts-now", "aida", "/accounts?q=member_0000002", submitted("#tags-now form", 200)})

	// Somebody has given one of the accounts other tags.
	has := s.simulator.Ledger()
	name := has[len(has)-1].Accounts[0]
	s.simulator.SetTags(name, "spring", "own")
	undo := u.undo(clearing, url.Values{"policy": {"stop"}}, nil)
	s.check(pageState{"review-undo", "olga", "/jobs/" + undo, nil})
	olga.start(undo)
	until(t, "the job stops", func() bool { return olga.job(undo).State == "halted" })
	s.check(pageState{"gained", "olga", "/jobs/" + undo, nil},
		pageState{"gained-no-choice", "olga", "/jobs/" + undo, submitted("form[action$=resume]", 422)},
		pageState{"gained-auditor", "aida", "/jobs/" + undo, nil})
	olga.must("/jobs/"+undo+"/resume", url.Values{"policy": {"skip"}})
	u.finished(undo)
	s.check(pageState{"restored", "olga", "/jobs/" + undo, nil}, pageState{"undone", "olga", "/jobs/" + clearing, nil},
		pageState{"accounts-undone", "olga", "/accounts?q=" + name, nil})

	tags := u.upload("add_tags", []byte("account,tags\nmember_0000001,\"spring;summer\"\nmember_0000002,\nmember_0000003,vip\n"))
	s.check(pageState{"review-tags", "olga", "/jobs/" + tags, nil},
		pageState{"new-tags", "olga", "/jobs/new", func(w *tab) { w.do(click("input[name=kind][value=add_tags]")) }})
	u.run(tags)
	s.check(pageState{"added", "olga", "/jobs/" + tags, nil})

	// A service that has not done what it said.
	require.NoError(t, s.simulator.SetFaults(timtest.Faults{Ignored: 0.05, Commands: []tim.Command{tim.RemoveAllTags}}))
	ignored := u.upload("clear", accountsFrom(10_000, 400))
	u.run(ignored)
	verification := olga.job(ignored).Verification
	require.Positive(t, verification.Differ)
	s.check(pageState{"verified", "olga", "/jobs/" + ignored, nil},
		pageState{"verifies", "olga", "/jobs/" + *verification.Job, nil},
		pageState{"verifies-auditor", "aida", "/jobs/" + *verification.Job, nil})
	require.NoError(t, s.simulator.SetFaults(timtest.Faults{}))
	again := u.startDerived(olga.must("/jobs/"+*verification.Job+"/retry", url.Values{"kind": {"clear"}, "outcome": {"inspected"}}))
	s.check(pageState{"review-again", "olga", "/jobs/" + again, nil})
	u.run(again)

	adam.must("/jobs/"+clearing+"/erase", nil)
	s.check(pageState{"erased", "olga", "/jobs/" + clearing, nil},
		pageState{"accounts-erased", "aida", "/accounts?q=member_0000002", nil},
		pageState{"audit-tags", "aida", "/audit", func(w *tab) { w.do(click("details.entry summary")) }})
}
