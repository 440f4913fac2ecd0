package timtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

const secretKey = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"

func start(t *testing.T, config timtest.Config) (*timtest.Service, string) {
	t.Helper()
	config.SDKAppID, config.SecretKey, config.Identifier = 1400000000, secretKey, "administrator"
	service, err := timtest.New(config)
	require.NoError(t, err)
	base, err := service.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	return service, base
}

func sign(t *testing.T, identifier string) string {
	t.Helper()
	userSig, err := tencentyun.GenUserSig(1400000000, secretKey, identifier, 86400)
	require.NoError(t, err)
	return userSig
}

type said struct {
	ActionStatus string
	ErrorCode    int
	ErrorInfo    string
	ErrorList    []struct {
		Account   string `json:"To_Account"`
		ErrorCode int
	}
	UserTags []tim.AccountTags
}

type sent struct {
	method, path, body string
	query              url.Values
}

// in order unless change makes it otherwise
func post(t *testing.T, base string, change func(*sent)) (said, *http.Response) {
	t.Helper()
	s := sent{
		method: http.MethodPost, path: "/v4/all_member_push/im_remove_all_tags", body: `{"To_Account":["amy","bob"]}`,
		query: url.Values{
			"sdkappid": {"1400000000"}, "identifier": {"administrator"}, "usersig": {sign(t, "administrator")},
			"random": {"7"}, "contenttype": {"json"},
		},
	}
	if change != nil {
		change(&s)
	}
	request, err := http.NewRequestWithContext(t.Context(), s.method, base+s.path+"?"+s.query.Encode(), strings.NewReader(s.body))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var answer said
	if response.StatusCode == http.StatusOK {
		require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	}
	return answer, response
}

func set(name string, values ...string) func(*sent) { return func(s *sent) { s.query[name] = values } }

func body(text string) func(*sent) { return func(s *sent) { s.body = text } }

func adding(text string) func(*sent) {
	return func(s *sent) { s.path, s.body = "/v4/timpush/add_tag", text }
}

func list(n int, each string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(each, i)
	}
	return strings.Join(items, ",")
}

func TestOnlyACallInOrderIsCarriedOut(t *testing.T) {
	service, base := start(t, timtest.Config{})
	amy := service.Tags("amy")
	for name, c := range map[string]struct {
		code   int
		change func(*sent)
	}{
		"wrong path":              {60009, func(s *sent) { s.path = "/v4/all_member_push/im_remove_all_tag" }},
		"path in capitals":        {60009, func(s *sent) { s.path = "/v4/timpush/Clear_all_tags" }},
		"families mixed":          {60009, func(s *sent) { s.path = "/v4/timpush/im_remove_all_tags" }},
		"wrong method":            {60002, func(s *sent) { s.method = http.MethodPut }},
		"no app":                  {60025, set("sdkappid")},
		"app that is no number":   {60025, set("sdkappid", "x")},
		"another app":             {70020, set("sdkappid", "1400000001")},
		"no identifier":           {60025, set("identifier")},
		"identifier twice":        {60025, set("identifier", "administrator", "administrator")},
		"another's signature":     {70013, set("identifier", "amy")},
		"no admin":                {60010, func(s *sent) { s.query.Set("identifier", "amy"); s.query.Set("usersig", sign(t, "amy")) }},
		"empty signature":         {70002, set("usersig", "")},
		"illegal signature":       {70003, set("usersig", "abc")},
		"signature of other key":  {70009, set("usersig", otherKey(t))},
		"expired signature":       {70001, set("usersig", expired(t))},
		"no random":               {60025, set("random")},
		"random of 33 bits":       {60025, set("random", "4294967296")},
		"negative random":         {60025, set("random", "-1")},
		"content type XML":        {60025, set("contenttype", "xml")},
		"parameter in capitals":   {60025, func(s *sent) { s.query["Random"] = s.query["random"]; delete(s.query, "random") }},
		"empty body":              {90001, body("")},
		"body that is no JSON":    {90001, body("{")},
		"no accounts field":       {90001, body("{}")},
		"field in other letters":  {90001, body(`{"to_account":["amy"]}`)},
		"accounts as a string":    {90001, body(`{"To_Account":"amy"}`)},
		"accounts null":           {90001, body(`{"To_Account":null}`)},
		"null among accounts":     {90001, body(`{"To_Account":["amy",null]}`)},
		"no accounts":             {90001, body(`{"To_Account":[]}`)},
		"101 accounts":            {90018, body(`{"To_Account":["amy",` + list(100, `"u%d"`) + `]}`)},
		"empty account":           {70402, body(`{"To_Account":["amy",""]}`)},
		"account of 33 bytes":     {70402, body(`{"To_Account":["amy","` + strings.Repeat("x", 33) + `"]}`)},
		"account of other script": {70402, body(`{"To_Account":["amy","会"]}`)},
		"11 tags":                 {90032, adding(`{"UserTags":[{"To_Account":"amy","Tags":[` + list(11, `"t%d"`) + `]}]}`)},
		"tag of 51 bytes":         {90034, adding(`{"UserTags":[{"To_Account":"amy","Tags":["` + strings.Repeat("会", 17) + `"]}]}`)},
		"no tags":                 {90001, adding(`{"UserTags":[{"To_Account":"amy","Tags":[]}]}`)},
		"tags without account":    {90001, adding(`{"UserTags":[{"Tags":["x"]}]}`)},
		"removal's body for add":  {90001, adding(`{"To_Account":["amy"]}`)},
	} {
		answer, response := post(t, base, c.change)
		require.Equal(t, http.StatusOK, response.StatusCode, name)
		require.Equal(t, c.code, answer.ErrorCode, name)
		require.Equal(t, "FAIL", answer.ActionStatus, name)
		require.NotEmpty(t, answer.ErrorInfo, name)
	}
	require.Equal(t, amy, service.Tags("amy"), "a refused call changes nothing")
	for _, call := range service.Ledger() {
		require.False(t, call.Applied)
	}

	answer, _ := post(t, base, nil)
	require.Equal(t, said{ActionStatus: "OK"}, answer)
	require.Empty(t, service.Tags("amy"))
}

func otherKey(t *testing.T) string {
	userSig, err := tencentyun.GenUserSig(1400000000, "another key", "administrator", 86400)
	require.NoError(t, err)
	return userSig
}

func expired(t *testing.T) string {
	userSig, err := tencentyun.GenUserSig(1400000000, secretKey, "administrator", -10)
	require.NoError(t, err)
	return userSig
}

func TestRegistrationIDsFitTheNewerFamilyAlone(t *testing.T) {
	_, base := start(t, timtest.Config{})
	id := strings.Repeat("r", 36)
	answer, _ := post(t, base, body(`{"To_Account":["`+id+`"]}`))
	require.Equal(t, 70402, answer.ErrorCode)
	answer, _ = post(t, base, func(s *sent) { s.path, s.body = "/v4/timpush/clear_all_tags", `{"To_Account":["`+id+`"]}` })
	require.Zero(t, answer.ErrorCode)
}

func TestAnAccountHoldsAHundredTags(t *testing.T) {
	service, base := start(t, timtest.Config{})
	service.SetTags("amy")
	for i := range 10 {
		answer, _ := post(t, base, adding(`{"UserTags":[{"To_Account":"amy","Tags":[`+list(10, fmt.Sprintf(`"%d-%%d"`, i))+`]}]}`))
		require.Zero(t, answer.ErrorCode)
	}
	answer, _ := post(t, base, adding(`{"UserTags":[{"To_Account":"amy","Tags":["one more"]}]}`))
	require.NotZero(t, answer.ErrorCode)
	answer, _ = post(t, base, adding(`{"UserTags":[{"To_Account":"amy","Tags":["0-0"]}]}`))
	require.Zero(t, answer.ErrorCode, "a tag it has already takes no room")
	require.Len(t, service.Tags("amy"), 100)
}

func TestTagsComeFromTheSeed(t *testing.T) {
	one, _ := start(t, timtest.Config{Seed: 1, UnknownShare: 0.1, UntaggedShare: 0.2})
	same, _ := start(t, timtest.Config{Seed: 1, UnknownShare: 0.1, UntaggedShare: 0.2})
	other, _ := start(t, timtest.Config{Seed: 2, UnknownShare: 0.1, UntaggedShare: 0.2})
	var unknown, untagged, differ int
	for i := range 10000 {
		account := fmt.Sprint("user", i)
		tags := one.Tags(account)
		require.Equal(t, tags, same.Tags(account))
		switch {
		case !one.Known(account):
			unknown++
			require.Empty(t, tags)
		case len(tags) == 0:
			untagged++
		}
		if !equal(tags, other.Tags(account)) {
			differ++
		}
	}
	require.InDelta(t, 1000, unknown, 150)
	require.InDelta(t, 1800, untagged, 200)
	require.Greater(t, differ, 8000)
	require.False(t, one.Known("unknown-anyone"))
}

func equal(a, b []string) bool { return strings.Join(a, "\n") == strings.Join(b, "\n") }

func TestOneSecondHoldsNoMoreCallsThanTheLimit(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	service, base := start(t, timtest.Config{RateLimit: 3, Now: clock})
	get := func(s *sent) { s.path = "/v4/timpush/get_tag" }
	code := func(change func(*sent)) int { answer, _ := post(t, base, change); return answer.ErrorCode }

	require.Equal(t, 0, code(nil))
	pass(600 * time.Millisecond)
	require.Equal(t, 0, code(nil))
	require.Equal(t, 0, code(nil))
	require.Equal(t, 60007, code(nil), "the fourth in a second")
	require.Equal(t, 0, code(get), "another command has a budget of its own")
	pass(400 * time.Millisecond)
	require.Equal(t, 0, code(nil), "a second after the first")
	require.Equal(t, 60007, code(nil), "the window slides: two of 0.6 s and this one")
	pass(600 * time.Millisecond)
	require.Equal(t, 0, code(nil), "refused calls did not use the budget up")
	require.Equal(t, 0, code(set("random", "8")))
	require.Equal(t, 60007, code(nil))
	require.Equal(t, 60025, code(set("random", "x")), "who may not call is told so")

	require.Equal(t, 6, service.MaxCallsInAnySecond(tim.RemoveAllTags), "refused ones included, from 1.0 s on")
	require.Equal(t, 1, service.MaxCallsInAnySecond(tim.GetTags))
	stats := service.Stats()
	require.EqualValues(t, 3, stats.Commands[tim.RemoveAllTags].Throttled)
	require.EqualValues(t, 3, stats.Codes[60007])
}

func TestUnknownAccountsAreAnsweredAsAsked(t *testing.T) {
	get := func(s *sent) { s.path, s.body = "/v4/timpush/get_tag", `{"To_Account":["amy","unknown1"]}` }
	remove := body(`{"To_Account":["amy","unknown1"]}`)
	for _, c := range []struct {
		how             timtest.Unknown
		code, listed    int
		answered, after int // accounts get answers; whether amy's tags are gone
	}{
		{"", 0, 1, 1, 0},
		{timtest.ErrorList, 0, 1, 1, 0},
		{timtest.FailedBatch, 70107, 0, 0, 1},
		{timtest.Silent, 0, 0, 2, 0},
		{timtest.Omitted, 0, 0, 1, 0},
	} {
		service, base := start(t, timtest.Config{Faults: timtest.Faults{Unknown: c.how}})
		service.SetTags("amy", "vip")
		answer, _ := post(t, base, get)
		require.Equal(t, c.code, answer.ErrorCode, c.how)
		require.Len(t, answer.ErrorList, c.listed, c.how)
		require.Len(t, answer.UserTags, c.answered, c.how)
		answer, _ = post(t, base, remove)
		require.Equal(t, c.code, answer.ErrorCode, c.how)
		require.Len(t, answer.ErrorList, c.listed, c.how)
		require.Len(t, service.Tags("amy"), c.after, c.how)
		last := service.Ledger()[1]
		require.Equal(t, c.code == 0, last.Applied)
		require.Len(t, last.ErrorAccounts, c.listed)
	}
}

func TestSimulatorNeedsAnApp(t *testing.T) {
	_, err := timtest.New(timtest.Config{})
	require.Error(t, err)
}

func TestLargeBodyIsRefused(t *testing.T) {
	_, base := start(t, timtest.Config{})
	answer, _ := post(t, base, body(string(bytes.Repeat([]byte("x"), 2<<20))))
	require.Equal(t, 60003, answer.ErrorCode)
}
