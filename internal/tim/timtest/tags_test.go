package timtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// editing makes a call of a path with the body of one that adds or removes tags.
func editing(path string, users ...string) func(*sent) {
	return func(s *sent) { s.path, s.body = path, `{"UserTags":[`+strings.Join(users, ",")+`]}` }
}

func user(account string, tags ...string) string {
	return fmt.Sprintf(`{"To_Account":%q,"Tags":["%s"]}`, account, strings.Join(tags, `","`))
}

func numbered(n int) []string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = fmt.Sprint("t", i)
	}
	return tags
}

var (
	adds    = map[tim.Family]string{tim.AllMemberPush: "/v4/all_member_push/im_add_tag", tim.TIMPush: "/v4/timpush/add_tag"}
	removes = map[tim.Family]string{tim.AllMemberPush: "/v4/all_member_push/im_remove_tag", tim.TIMPush: "/v4/timpush/remove_tag"}
)

func TestOnlyNamedTagsAreRemoved(t *testing.T) {
	for family, path := range removes {
		service, base := start(t, timtest.Config{})
		service.SetTags("amy", "vip", "gold", "会员")
		service.SetTags("bob", "vip")
		answer, _ := post(t, base, editing(path, user("amy", "会员", "vip", "never had"), user("bob", "vip")))
		require.Equal(t, said{ActionStatus: "OK"}, answer)
		require.Equal(t, []string{"gold"}, service.Tags("amy"))
		require.Empty(t, service.Tags("bob"))
		call := service.Ledger()[0]
		require.Equal(t, []any{family, tim.RemoveTags, true}, []any{call.Family, call.Command, call.Applied})
		require.Equal(t, []string{"amy", "bob"}, call.Accounts)
	}
}

func TestAnAccountWithoutTagsStaysSoWhenTheyWereOfTheSeed(t *testing.T) {
	service, base := start(t, timtest.Config{Seed: 3})
	tags := service.Tags("amy")
	require.NotEmpty(t, tags)
	post(t, base, editing(removes[tim.TIMPush], user("amy", tags...)))
	require.Empty(t, service.Tags("amy"))
	answer, _ := post(t, base, editing(adds[tim.TIMPush], user("amy", tags...)))
	require.Zero(t, answer.ErrorCode)
	require.Equal(t, tags, service.Tags("amy"))
}

func TestTagCallsBeyondALimitChangeNothing(t *testing.T) {
	crowd := make([]string, 101)
	for i := range crowd {
		crowd[i] = user(fmt.Sprint("user", i), "vip")
	}
	long := strings.Repeat("x", 51)
	for name, c := range map[string]struct {
		users       []string
		add, remove int
	}{
		"101 accounts":                  {crowd, 90018, 90018},
		"100 accounts":                  {crowd[:100], 0, 0},
		"11 tags":                       {[]string{user("amy", numbered(11)...)}, 90032, 0},
		"10 tags":                       {[]string{user("amy", numbered(10)...)}, 0, 0},
		"11 tags, the account twice":    {[]string{user("amy", numbered(6)...), user("amy", numbered(5)...)}, 90032, 0},
		"10 tags for each of two":       {[]string{user("amy", numbered(10)...), user("bob", numbered(10)...)}, 0, 0},
		"51 bytes":                      {[]string{user("amy", "vip"), user("bob", long)}, 90034, 90034},
		"51 bytes of few characters":    {[]string{user("amy", strings.Repeat("会", 17))}, 90034, 90034},
		"50 bytes":                      {[]string{user("amy", long[:50])}, 0, 0},
		"empty tag":                     {[]string{user("amy", "")}, 90020, 90020},
		"no tags":                       {[]string{`{"To_Account":"amy","Tags":[]}`}, 90001, 90001},
		"tags null":                     {[]string{`{"To_Account":"amy","Tags":null}`}, 90001, 90001},
		"a tag that is null":            {[]string{`{"To_Account":"amy","Tags":[null]}`}, 90001, 90001},
		"tags as a string":              {[]string{`{"To_Account":"amy","Tags":"vip"}`}, 90001, 90001},
		"accounts as an array":          {[]string{`{"To_Account":["amy"],"Tags":["vip"]}`}, 90001, 90001},
		"nobody":                        {nil, 90001, 90001},
		"an account that cannot be one": {[]string{user("会", "vip")}, 70402, 70402},
	} {
		for _, family := range []tim.Family{tim.AllMemberPush, tim.TIMPush} {
			for path, code := range map[string]int{adds[family]: c.add, removes[family]: c.remove} {
				service, base := start(t, timtest.Config{})
				service.SetTags("amy", "vip", "t0")
				answer, _ := post(t, base, editing(path, c.users...))
				require.Equal(t, code, answer.ErrorCode, "%s: %s", path, name)
				require.Equal(t, code == 0, service.Ledger()[0].Applied, name)
				if code != 0 {
					require.Equal(t, []string{"vip", "t0"}, service.Tags("amy"), name)
				}
			}
		}
	}
}

func TestHundredTagsAreTheMostHoweverTheyAreAdded(t *testing.T) {
	service, base := start(t, timtest.Config{})
	full := numbered(95)
	service.SetTags("amy", full...)
	service.SetTags("bob")
	answer, _ := post(t, base, editing(adds[tim.AllMemberPush], user("bob", "vip"), user("amy", "a", "b", "c"), user("amy", "d", "e", "f")))
	require.Equal(t, 90032, answer.ErrorCode)
	require.Equal(t, full, service.Tags("amy"))
	require.Empty(t, service.Tags("bob"), "a refused call changes nobody")
	answer, _ = post(t, base, editing(adds[tim.AllMemberPush], user("amy", "a", "b", "c"), user("amy", "c", "d", "e", "t0")))
	require.Zero(t, answer.ErrorCode, "tags it has already take no room")
	require.Len(t, service.Tags("amy"), 100)
}

func TestUnknownAccountsKeepNoOneFromTheirTags(t *testing.T) {
	for _, paths := range []map[tim.Family]string{adds, removes} {
		for _, path := range paths {
			for how, want := range map[timtest.Unknown]struct{ code, listed int }{
				"": {0, 1}, timtest.FailedBatch: {70107, 0}, timtest.Silent: {0, 0}, timtest.Omitted: {0, 0},
			} {
				service, base := start(t, timtest.Config{Faults: timtest.Faults{Unknown: how}})
				service.SetTags("amy", "vip", "gold")
				service.SetTags("unknown1", "vip")
				answer, _ := post(t, base, editing(path, user("unknown1", "vip", "beta"), user("amy", "vip", "beta")))
				require.Equal(t, want.code, answer.ErrorCode)
				require.Len(t, answer.ErrorList, want.listed)
				if want.listed > 0 {
					require.Equal(t, "unknown1", answer.ErrorList[0].Account)
					require.Equal(t, 70107, answer.ErrorList[0].ErrorCode)
				}
				require.Equal(t, []string{"vip"}, service.Tags("unknown1"))
				changed := strings.Join(service.Tags("amy"), " ") != "vip gold"
				require.Equal(t, want.code == 0, changed, "%s, %s", path, how)
			}
		}
	}
}

func TestAddingAndRemovingHaveBudgetsOfTheirOwn(t *testing.T) {
	_, base := start(t, timtest.Config{RateLimit: 1})
	for _, path := range []string{adds[tim.AllMemberPush], removes[tim.AllMemberPush]} {
		answer, _ := post(t, base, editing(path, user("amy", "vip")))
		require.Zero(t, answer.ErrorCode)
	}
}
