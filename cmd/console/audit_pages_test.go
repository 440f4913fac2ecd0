package main

import (
	"net/url"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs/jobstest"
)

// audit are the pages of the log, once there is something in it.
func (s *pageTest) audit() []pageState {
	out, err := s.command(jobstest.Password+"\n", "user", "add", "eve", "--role", "admin")
	require.NoError(s.t, err, out)
	s.signIn("eve").must("/audit/erase/ask", url.Values{"kind": {"user"}, "value": {"aida"}, "reason": {"request 13"}})
	return []pageState{
		{"audit-filtered", "aida", "/audit?result=failed&from=2026-01-01T00:00&q=trial", nil},
		{"audit-wrong", "aida", "/audit?from=yesterday&actor=olga", nil},
		{"audit-entry", "aida", "/audit/5", nil},
		{"audit-missing", "aida", "/audit/999999", nil},
		{"audit-review", "aida", "/audit/review", nil},
		{"audit-review-wrong", "aida", "/audit/review", func(w *tab) {
			require.Equal(s.t, 422, w.follow(fill("#up-to", "999999"), fill("#note", "All in order."), click("form#review button")))
		}},
		{"audit-proof", "aida", "/audit/proof", nil},
		{"audit-proof-admin", "adam", "/audit/proof", nil},
		{"audit-erase", "adam", "/audit/erase?kind=user&value=olga", nil},
		{"audit-erase-ask-wrong", "adam", "/audit/erase?kind=user&value=olga", func(w *tab) {
			require.Equal(s.t, 422, w.follow(fill("#reason", "olga asked"), click("form.stack button")))
		}},
		{"audit-erase-confirm", "adam", "/audit/erase?kind=user&value=aida", nil},
		{"audit-erase-wrong", "adam", "/audit/erase?kind=user&value=aida", func(w *tab) {
			require.Equal(s.t, 409, w.follow(fill("#confirm", "1"), click("form.stack button.danger")))
		}},
	}
}
