package audit_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs/jobstest"
)

func TestOnlyWholeValuesAreErased(t *testing.T) {
	actor := func(name, ip string) audit.Entry {
		return audit.Entry{Code: audit.LogRead, Actor: audit.Actor{ID: "u-" + name, Name: name, Role: "auditor", Address: ip}}
	}
	about := func(code audit.Code, target string, details map[string]any) audit.Entry {
		return audit.Entry{Code: code, Actor: audit.Actor{ID: "u9", Name: "zoe", Address: "198.51.100.1"}, Target: target, Details: details}
	}
	for name, c := range map[string]struct {
		of         audit.Subject
		goes, stay []audit.Entry
	}{
		"a name within another name": {user("ann"),
			[]audit.Entry{actor("ann", "::1"), about(audit.UserDisabled, "ann", nil)},
			[]audit.Entry{actor("ann.lee", "::1"), about(audit.UserDisabled, "ann-marie", nil), about(audit.UserDisabled, "ann@x", nil)}},
		"a name within a text": {user("ann"),
			[]audit.Entry{about(audit.UserCreated, "ann", nil)},
			[]audit.Entry{about(audit.AccountUnprotected, "x", map[string]any{"note": "ann asked"}), about(audit.JobUploadRefused, "ann.csv", nil),
				about(audit.KillSwitchThrown, "", map[string]any{"reason": "ann"})}},
		"a user is no account": {user("ann"),
			[]audit.Entry{actor("ann", "::1")},
			[]audit.Entry{about(audit.TagsRead, "ann", nil), about(audit.AccountsProtected, "ann", map[string]any{"accounts": []any{"ann"}})}},
		"an account is no user": {account("ann"),
			[]audit.Entry{about(audit.TagsRead, "ann", nil)},
			[]audit.Entry{actor("ann", "::1"), about(audit.SignInFailed, "ann", nil)}},
		"a name in other letters": {user("Ann"),
			[]audit.Entry{actor("ann", "::1"), actor("ANN", "::1"), about(audit.SignInFailed, "aNN", nil), about(audit.UserRoleSet, "ann", nil)},
			nil},
		"an account in other letters": {account("Ann"),
			[]audit.Entry{about(audit.TagsRead, "Ann", nil)}, []audit.Entry{about(audit.TagsRead, "ann", nil), about(audit.TagsRead, "Ann ", nil)}},
		"an account without letters": {account("-_-"),
			[]audit.Entry{about(audit.TagsRead, "-_-", nil)}, []audit.Entry{about(audit.TagsRead, "_-_", nil)}},
		"a name of full width": {user("Ａｎｎ"),
			[]audit.Entry{actor("ann", "::1"), about(audit.SignInFailed, "ＡＮＮ", nil), about(audit.SignInFailed, " ann ", nil)},
			[]audit.Entry{actor("ann1", "::1"), about(audit.SignInFailed, "ＡＮＮ１", nil)}},
		"a name with an accent": {user("jos\u00e9"),
			[]audit.Entry{about(audit.SignInFailed, "Jose\u0301", nil), about(audit.SignInFailed, "JOS\u00c9", nil)},
			[]audit.Entry{about(audit.SignInFailed, "jose", nil), about(audit.SignInFailed, "jos", nil)}},
		"a name in Chinese": {user("王芳"),
			[]audit.Entry{about(audit.SignInFailed, "王芳", nil)},
			[]audit.Entry{about(audit.SignInFailed, "王芳芳", nil), about(audit.SignInFailed, "小王芳", nil),
				about(audit.TagsRead, "王芳", nil)}},
		"an account of another width": {account("ann"),
			[]audit.Entry{about(audit.TagsRead, "ann", nil)}, []audit.Entry{about(audit.TagsRead, "ａｎｎ", nil)}},
		"a pattern": {account("m_%"),
			[]audit.Entry{about(audit.TagsRead, "m_%", nil)}, []audit.Entry{about(audit.TagsRead, "m-1", nil), about(audit.TagsRead, "m__", nil)}},
		"a space": {account("a b"),
			[]audit.Entry{about(audit.TagsRead, "a b", nil)},
			[]audit.Entry{about(audit.TagsRead, "a", nil), about(audit.TagsRead, "b", nil), about(audit.TagsRead, "a  b", nil)}},
		"an account among four hundred others": {account("m-0399"),
			[]audit.Entry{about(audit.AccountsProtected, "m-0000", map[string]any{"accounts": members(400), "note": longNote()})},
			[]audit.Entry{about(audit.AccountsProtected, "m-03", map[string]any{"accounts": []any{"m-03", "m-03999"}})}},
		"a name in a sum of refusals": {user("ann"),
			[]audit.Entry{about(audit.SignInFailed, "", byName("bob", "Ann"))},
			[]audit.Entry{about(audit.SignInFailed, "", byName("annie", "ann b")),
				about(audit.AccessDenied, "/ann", nil)}},
		"a name that was searched for": {user("ann"),
			[]audit.Entry{about(audit.LogSearched, "", map[string]any{"filter": map[string]any{"actor": "ANN"}}),
				about(audit.LogExported, "", map[string]any{"filter": map[string]any{"q": "ann"}})},
			[]audit.Entry{about(audit.LogSearched, "", map[string]any{"filter": map[string]any{"account": "ann", "q": "ann smith"}})}},
		"an address within another": {address("192.0.2.1"),
			[]audit.Entry{actor("bob", "192.0.2.1"), about(audit.SignInFailed, "", map[string]any{"addresses": []any{"192.0.2.7", "192.0.2.1"}})},
			[]audit.Entry{actor("bob", "192.0.2.10"), actor("bob", "192.0.2.11"), about(audit.TagsRead, "192.0.2.1", nil)}},
		"an address in a sum of refusals": {address("192.0.2.1"),
			[]audit.Entry{about(audit.SignInFailed, "", byName("ann")),
				about(audit.SignInFailed, "", map[string]any{"by_address": []any{map[string]any{"address": "192.0.2.1", "count": 2}}})},
			[]audit.Entry{about(audit.SignInFailed, "", map[string]any{"by_address": []any{map[string]any{"address": "192.0.2.11", "count": 2}}})}},
		"an address written otherwise": {address("2001:DB8:0:0::1"),
			[]audit.Entry{actor("bob", "2001:db8::1"), actor("bob", "2001:0DB8::0001")}, []audit.Entry{actor("bob", "2001:db8::11")}},
		"an IPv4 address within IPv6": {address("::ffff:192.0.2.1"),
			[]audit.Entry{actor("bob", "192.0.2.1"), actor("bob", "::FFFF:192.0.2.1")}, []audit.Entry{actor("bob", "::192.0.2.1")}},
	} {
		t.Run(name, func(t *testing.T) {
			jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
				var want []int64
				for _, e := range c.stay {
					require.NoError(t, s.Audit.Record(ctx, e))
				}
				for _, e := range c.goes {
					require.NoError(t, s.Audit.Record(ctx, e))
					size, err := s.Audit.Size(ctx)
					require.NoError(t, err)
					want = append(want, size)
				}
				require.Equal(t, want, erased(t, s, c.of))
				_, err := erase(s, c.of, "request 13", audit.Confirmed{Entries: 1, Last: 1})
				require.True(t, audit.FaultNothingErased.Is(err), "%v", err)
				verifies(t, s)
			})
		})
	}
}

func members(n int) (list []any) {
	for i := range n {
		list = append(list, fmt.Sprintf("m-%04d", i))
	}
	return list
}

func longNote() string {
	return strings.Repeat("Why, and since when, and for whom. ", 50)
}

// byName is a sum of failed sign-ins from 192.0.2.1.
func byName(names ...string) map[string]any {
	var sums []any
	for _, name := range names {
		sums = append(sums, map[string]any{"name": name, "count": 2, "addresses": []any{"192.0.2.1"}})
	}
	return map[string]any{"by_name": sums}
}
