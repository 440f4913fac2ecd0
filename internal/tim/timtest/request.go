package timtest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"tagsweep/internal/tim"
)

const bodyLimit = 1 << 20

// request is a call as understood. A code in denied means that nobody may call
// like this, and does not count against the rate; one in refused does.
type request struct {
	family   tim.Family
	command  tim.Command
	random   uint32
	accounts []string
	tags     [][]string // to add or remove: one list for each account
	denied   int
	refused  int
}

var routes = map[string]struct {
	family  tim.Family
	command tim.Command
}{
	"/v4/all_member_push/im_remove_all_tags": {tim.AllMemberPush, tim.RemoveAllTags},
	"/v4/all_member_push/im_get_tag":         {tim.AllMemberPush, tim.GetTags},
	"/v4/all_member_push/im_add_tag":         {tim.AllMemberPush, tim.AddTags},
	"/v4/all_member_push/im_remove_tag":      {tim.AllMemberPush, tim.RemoveTags},
	"/v4/timpush/clear_all_tags":             {tim.TIMPush, tim.RemoveAllTags},
	"/v4/timpush/get_tag":                    {tim.TIMPush, tim.GetTags},
	"/v4/timpush/add_tag":                    {tim.TIMPush, tim.AddTags},
	"/v4/timpush/remove_tag":                 {tim.TIMPush, tim.RemoveTags},
}

// read returns an error only when the request did not arrive whole.
func (s *Service) read(w http.ResponseWriter, r *http.Request) (request, error) {
	deadlines := http.NewResponseController(w)
	deadlines.SetReadDeadline(time.Now().Add(10 * time.Second))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	deadlines.SetReadDeadline(time.Time{})
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); err != nil && !tooLong {
		return request{}, err
	}

	route := routes[r.URL.Path]
	q := request{family: route.family, command: route.command}
	query, queryErr := url.ParseQuery(r.URL.RawQuery)
	switch {
	case route.command == "":
		q.denied = 60009
	case r.Method != http.MethodPost || queryErr != nil:
		q.denied = 60002
	default:
		q.random, q.denied = s.checkQuery(query)
	}
	if err != nil {
		q.refused = 60003
		return q, nil
	}
	switch route.command {
	case tim.AddTags, tim.RemoveTags:
		q.accounts, q.tags, q.refused = readUserTags(body)
	default:
		q.accounts, q.refused = readAccounts(body)
	}
	if q.refused == 0 {
		q.refused = q.checkLimits()
	}
	return q, nil
}

// checkQuery checks the URL parameters; each must be there exactly once.
func (s *Service) checkQuery(query url.Values) (random uint32, code int) {
	for _, name := range []string{"sdkappid", "identifier", "usersig", "random", "contenttype"} {
		if len(query[name]) != 1 {
			return 0, 60025
		}
	}
	number, err := strconv.ParseUint(query.Get("random"), 10, 32)
	if err != nil || query.Get("contenttype") != "json" {
		return 0, 60025
	}
	app, err := strconv.ParseUint(query.Get("sdkappid"), 10, 32)
	switch {
	case err != nil:
		return uint32(number), 60025
	case uint32(app) != s.config.SDKAppID:
		return uint32(number), 70020
	}
	return uint32(number), s.keys.check(query.Get("identifier"), query.Get("usersig"))
}

// readAccounts reads {"To_Account":["a","b"]}. Names are case-sensitive.
func readAccounts(body []byte) ([]string, int) {
	var object struct {
		Accounts []*string `json:"To_Account"`
	}
	if jsonv2.Unmarshal(body, &object, jsontext.AllowInvalidUTF8(true)) != nil {
		return nil, 90001
	}
	return whole(object.Accounts)
}

// readUserTags reads {"UserTags":[{"To_Account":"a","Tags":["x"]}]}.
func readUserTags(body []byte) (accounts []string, tags [][]string, code int) {
	var object map[string]json.RawMessage
	var users []map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil || json.Unmarshal(object["UserTags"], &users) != nil {
		return nil, nil, 90001
	}
	for _, user := range users {
		var account *string
		var list []*string
		if json.Unmarshal(user["To_Account"], &account) != nil || account == nil ||
			json.Unmarshal(user["Tags"], &list) != nil {
			return nil, nil, 90001
		}
		texts, code := whole(list)
		if code != 0 {
			return nil, nil, code
		}
		accounts, tags = append(accounts, *account), append(tags, texts)
	}
	return accounts, tags, 0
}

// whole refuses null, as a list or within it.
func whole(texts []*string) ([]string, int) {
	if texts == nil {
		return nil, 90001
	}
	out := make([]string, len(texts))
	for i, text := range texts {
		if text == nil {
			return nil, 90001
		}
		out[i] = *text
	}
	return out, 0
}

func (q request) checkLimits() int {
	longest := 32
	if q.family == tim.TIMPush {
		longest = 64 // a RegistrationID
	}
	switch {
	case len(q.accounts) == 0:
		return 90001 // undocumented
	case len(q.accounts) > 100:
		return 90018
	}
	for _, account := range q.accounts {
		if account == "" || len(account) > longest || !printable(account) {
			return 70402
		}
	}
	return q.checkTags()
}

// checkTags: only an add has a limit on the number of tags.
func (q request) checkTags() int {
	adds := map[string]int{} // an account may be named more than once
	for i, tags := range q.tags {
		if len(tags) == 0 {
			return 90001 // undocumented
		}
		if adds[q.accounts[i]] += len(tags); q.command == tim.AddTags && adds[q.accounts[i]] > 10 {
			return 90032
		}
		for _, tag := range tags {
			if tag == "" || !utf8.ValidString(tag) {
				return 90020 // undocumented
			}
			if len(tag) > 50 {
				return 90034
			}
		}
	}
	return 0
}

func printable(account string) bool {
	for _, b := range []byte(account) {
		if b < 0x20 || b > 0x7E {
			return false
		}
	}
	return true
}

// verifier checks UserSigs with Tencent's library. Unpacking one takes longer
// than all the rest of a call, so the last good one is believed for a second.
type verifier struct {
	config Config

	mu   sync.Mutex
	good string
	at   time.Time
}

func (v *verifier) check(identifier, userSig string) int {
	if userSig == "" {
		return 70002
	}
	if len(userSig) > 4096 {
		return 70003
	}
	now := v.config.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	pair := identifier + "\n" + userSig
	if age := now.Sub(v.at); pair == v.good && age >= 0 && age < time.Second {
		return 0
	}
	err := tencentyun.VerifyUserSig(uint64(v.config.SDKAppID), v.config.SecretKey, identifier, userSig, now)
	switch {
	case err == nil && identifier != v.config.Identifier:
		return 60010
	case err == nil:
		v.good, v.at = pair, now
		return 0
	case errors.Is(err, tencentyun.ErrExpired):
		return 70001
	case errors.Is(err, tencentyun.ErrIdentifierNotMatch):
		return 70013
	case errors.Is(err, tencentyun.ErrSdkAppIDNotMatch):
		return 70014
	case errors.Is(err, tencentyun.ErrSigNotMatch):
		return 70009
	}
	return 70003
}
