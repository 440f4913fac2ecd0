package timtest

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"tagsweep/internal/tim"
)

const secretKey = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"

func simulator(t *testing.T, config Config) *Service {
	config.SDKAppID, config.SecretKey, config.Identifier = 1400000000, secretKey, "administrator"
	s, err := New(config)
	require.NoError(t, err)
	return s
}

// What the service would refuse must not look as if it had been done. Package
// tim's tests break more of the limits, and the signature.
func TestOnlyACallInOrderIsCarriedOut(t *testing.T) {
	sign := func(seconds int) string {
		userSig, err := tencentyun.GenUserSig(1400000000, secretKey, "administrator", seconds)
		require.NoError(t, err)
		return userSig
	}
	s := simulator(t, Config{RateLimit: -1})
	s.SetTags("full", make([]string, 91)...)
	tags := s.Tags("amy")
	call := func(target, body string, query url.Values) string {
		values := url.Values{"sdkappid": {"1400000000"}, "identifier": {"administrator"},
			"usersig": {sign(86400)}, "random": {"7"}, "contenttype": {"json"}}
		maps.Copy(values, query)
		method, path, _ := strings.Cut(target, " ")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(method, "/v4/"+path+"?"+values.Encode(), strings.NewReader(body)))
		return w.Body.String()
	}
	const clear, read = "POST all_member_push/im_remove_all_tags", "POST timpush/get_tag"
	const add, remove = "POST timpush/add_tag", "POST timpush/remove_tag"
	amy := `{"To_Account":["amy"]}`
	named := func(account string, tags ...string) string {
		return `{"UserTags":[{"To_Account":"` + account + `","Tags":["` + strings.Join(tags, `","`) + `"]}]}`
	}
	ten := strings.Split("abcdefghij", "")
	for name, c := range map[string]struct {
		code         int
		target, body string
		query        url.Values
	}{
		"wrong path":              {60009, "POST all_member_push/im_remove_all_tag", amy, nil},
		"families mixed":          {60009, "POST timpush/im_remove_all_tags", amy, nil},
		"wrong method":            {60002, "PUT all_member_push/im_remove_all_tags", amy, nil},
		"no app":                  {60025, clear, amy, url.Values{"sdkappid": nil}},
		"another app":             {70020, clear, amy, url.Values{"sdkappid": {"1400000001"}}},
		"identifier twice":        {60025, clear, amy, url.Values{"identifier": {"administrator", "administrator"}}},
		"another's signature":     {70013, clear, amy, url.Values{"identifier": {"amy"}}},
		"illegal signature":       {70003, clear, amy, url.Values{"usersig": {"abc"}}},
		"expired signature":       {70001, clear, amy, url.Values{"usersig": {sign(-10)}}},
		"random of 33 bits":       {60025, clear, amy, url.Values{"random": {"4294967296"}}},
		"content type XML":        {60025, clear, amy, url.Values{"contenttype": {"xml"}}},
		"field in other letters":  {90001, clear, `{"to_account":["amy"]}`, nil},
		"no accounts":             {90001, clear, `{"To_Account":[]}`, nil},
		"account of 33 bytes":     {70402, clear, `{"To_Account":["amy","` + strings.Repeat("x", 33) + `"]}`, nil},
		"RegistrationID too long": {70402, read, `{"To_Account":["amy","` + strings.Repeat("x", 65) + `"]}`, nil},
		"account of other script": {70402, clear, `{"To_Account":["amy","会"]}`, nil},
		"body of another command": {90001, add, amy, nil},
		"no tags":                 {90001, add, `{"UserTags":[{"To_Account":"amy","Tags":[]}]}`, nil},
		"11 tags of one in two":   {90032, add, strings.Replace(named("amy", ten...), "[", `[{"To_Account":"amy","Tags":["k"]},`, 1), nil},
		"51 bytes of 17 letters":  {90034, remove, named("amy", strings.Repeat("会", 17)), nil},
		"101 stored tags":         {90032, add, named("full", ten...), nil},
	} {
		require.Contains(t, call(c.target, c.body, c.query), fmt.Sprintf(`"FAIL","ErrorInfo":"simulated error %d"`, c.code))
		require.Equal(t, tags, s.Tags("amy"), name)
		require.Len(t, s.Tags("full"), 91, name)
		calls := s.Ledger()
		require.False(t, calls[len(calls)-1].Applied || calls[len(calls)-1].Acknowledged(), name)
	}
	require.Contains(t, call(clear, amy, nil), `"ErrorCode":0`)
	require.Empty(t, s.Tags("amy"))
}

func TestUnknownAccountAnswers(t *testing.T) {
	for how, want := range map[Unknown]struct{ code, listed, told int }{
		ErrorList: {0, 1, 1}, FailedBatch: {70107, 0, 0}, Silent: {0, 0, 2}, Omitted: {0, 0, 1},
	} {
		for _, command := range []tim.Command{tim.GetTags, tim.RemoveAllTags, tim.AddTags, tim.RemoveTags} {
			s := simulator(t, Config{Faults: Faults{Unknown: how}})
			s.SetTags("amy", "vip", "gold")
			s.SetTags("unknown1", "vip", "gold")
			of := []string{"vip", "new"}
			call, reply := s.arrive(request{command: command, accounts: []string{"amy", "unknown1"}, tags: [][]string{of, of}})
			tags := map[tim.Command]string{tim.AddTags: "vip gold new", tim.RemoveTags: "gold", tim.RemoveAllTags: ""}
			if want.code != 0 || command == tim.GetTags {
				tags[command] = "vip gold"
			}
			require.Equal(t, tags[command], strings.Join(s.Tags("amy"), " "), "%s, %s", how, command)
			require.Equal(t, []string{"vip", "gold"}, s.Tags("unknown1"))
			require.Equal(t, want.code, call.Code)
			require.Equal(t, want.code == 0, call.Order > 0)
			require.Equal(t, want.code == 0 && command != tim.GetTags, call.Applied)
			require.Len(t, call.ErrorAccounts, want.listed)
			if command == tim.GetTags {
				require.Len(t, reply.result.userTags, want.told)
			}
		}
	}
}

func TestSharesOfAccountsAreKept(t *testing.T) {
	s := simulator(t, Config{Seed: 1, UnknownShare: 0.1, UntaggedShare: 0.2})
	unknown, untagged := 0, 0
	for i := range 10_000 {
		name := fmt.Sprint("user", i)
		if !s.Known(name) {
			unknown++
		} else if len(s.Tags(name)) == 0 {
			untagged++
		}
	}
	require.InDelta(t, 1000, unknown, 150)
	require.InDelta(t, 1800, untagged, 200)
}

// What goes through the control routes must arrive whole: the comparison sees no more.
func TestControlTellsWhatTheServiceTells(t *testing.T) {
	withFixture(t, "", func(s *fixture) {
		s.sim.config.RateLimit = 1000
		shares := map[Fault]float64{LateApply: 0.5, TooOften: 0.5}
		require.NoError(s, s.sim.SetFaults(Faults{Ignored: 0.5, Most: 100, Shares: shares}))
		for i := range uint32(1200) {
			call, _ := s.sim.arrive(request{family: tim.TIMPush, command: tim.AddTags, random: i,
				accounts: []string{"amy", "unknown"}, tags: [][]string{{"a", fmt.Sprint(i % 50)}, {"b"}}})
			time.Sleep(time.Microsecond)
			s.sim.end(call, 200*int(i%2))
		}
		s.sim.SetTags("amy", "vip", "会员")
		control := s.control(s.sim.Handler())
		require.NoError(s, control.Settled(s.Context()))
		var calls []Call
		for call, err := range control.Ledger(s.Context(), 0) {
			require.NoError(s, err)
			calls = append(calls, call)
		}
		require.Equal(s, s.sim.Ledger(), calls)
		require.Len(s, calls, 1200)
		stats, err := control.Stats(s.Context())
		require.NoError(s, err)
		require.Equal(s, s.sim.Stats(), stats)
		states, err := control.Accounts(s.Context(), []string{"amy", "unknown"})
		require.NoError(s, err)
		require.Equal(s, []AccountState{
			{"amy", true, []string{"vip", "会员"}, []string{"vip", "gold"}}, {"unknown", false, []string{}, []string{}}}, states)
		edits, err := control.Edits(s.Context())
		require.NoError(s, err)
		require.Equal(s, s.sim.Edits(), edits)
		require.Len(s, edits, 1)
	})
}
