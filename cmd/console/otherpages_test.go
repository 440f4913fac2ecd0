package main

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs/jobstest"
)

// others are the pages that no job is the subject of.
func (s *pageTest) others() []pageState {
	answer, body := s.signIn("adam").post("/protected",
		url.Values{"accounts": {"vip_01\nvip_02\nceo\npress_office"}, "note": {"Board and press accounts"}})
	require.Equal(s.t, http.StatusSeeOther, answer.StatusCode, body)
	newUser := func(name, password string, status int) func(w *tab) {
		return func(w *tab) {
			require.Equal(s.t, status, w.follow(fill("#name", name), fill("#new-password", password),
				chromedp.Evaluate[chromedp.Void](`document.querySelector("form[action='/users']").submit()`)))
		}
	}
	return []pageState{
		{"accounts", "olga", "/accounts", nil},
		{"accounts-found", "olga", "/accounts?q=member_0000001", nil},
		{"accounts-none", "olga", "/accounts?q=nobody", nil},
		{"audit", "aida", "/audit", func(w *tab) { w.do(click("details.entry summary")) }},
		{"audit-none", "adam", "/audit?actor=nobody", nil},
		{"jobs-search", "aida", "/jobs?q=users&kind=clear&from=2026-01-01", nil},
		{"users", "adam", "/users", func(w *tab) { w.do(click("details.entry summary")) }},
		{"users-sessions", "adam", "/users", func(w *tab) { w.do(click("tbody tr:nth-child(3) details.entry summary")) }},
		{"account-none-failed", "adam", "/account", nil},
		{"failed-sign-ins", "olga", "/jobs", func(w *tab) {
			w.follow(click("form[action='/logout'] button"))
			require.Equal(s.t, 422, w.submitSignIn("olga", "wrong"))
			w.signIn("olga")
		}},
		{"account", "olga", "/account", func(w *tab) {
			s.signIn("olga")
			w.open("/account")
		}},
		{"account-wrong", "aida", "/account", func(w *tab) {
			require.Equal(s.t, 422, w.follow(fill("#current-password", "wrong"), fill("#new-password", "purple rivers under snow"), click("form[action$=password] button")))
		}},
		{"users-name", "adam", "/users", newUser("no spaces", jobstest.Password, 422)},
		{"users-taken", "adam", "/users", newUser("olga", jobstest.Password, 409)},
		{"users-done", "adam", "/users", func(w *tab) { newUser("otto-"+s.language(w), jobstest.Password, 200)(w) }},
		{"ask-again", "adam", "/users", func(w *tab) {
			s.typedPassword(time.Hour)
			newUser("grace", jobstest.Password, 403)(w)
		}},
		{"ask-again-wrong", "adam", "/sending", func(w *tab) {
			s.typedPassword(time.Hour)
			post("/sending/lift", 403)(w)
			require.Equal(s.t, 422, w.follow(fill("#current-password", "wrong"), click(".card.narrow button")))
		}},
		{"protected-none", "adam", "/protected?q=nobody", nil},
		{"protected", "adam", "/protected", func(w *tab) { w.do(click("details.entry summary")) }},
		{"protected-wrong", "adam", "/protected", func(w *tab) {
			require.Equal(s.t, 422, w.follow(fill("#accounts", "not an account;or two"), fill("#note", "VIP"), click("form#protect button")))
		}},
		{"protected-operator", "olga", "/protected", nil},
		{"forbidden", "aida", "/users", nil},
		{"missing", "olga", "/nowhere", nil},
		{"missing-job", "aida", "/jobs/nosuchjob", nil},
		{"method", "olga", "/logout", nil},
	}
}

// typedPassword lets everybody have typed their password so long ago.
func (s *pageTest) typedPassword(ago time.Duration) {
	s.typed = time.Now().Add(-ago)
	tamper(s.t, s.database, fmt.Sprintf(`UPDATE sessions SET authenticated_at = %d`, time.Now().Add(-ago).UnixMilli()))
}
