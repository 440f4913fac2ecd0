package tim_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

var families = []tim.Family{tim.AllMemberPush, tim.TIMPush}

// edits are the two calls that name tags.
var edits = map[tim.Command]func(*tim.Client, *testing.T, []tim.AccountTags) tim.Answer{
	tim.AddTags: func(c *tim.Client, t *testing.T, tags []tim.AccountTags) tim.Answer {
		return c.AddTags(t.Context(), 7, tags)
	},
	tim.RemoveTags: func(c *tim.Client, t *testing.T, tags []tim.AccountTags) tim.Answer {
		return c.RemoveTags(t.Context(), 7, tags)
	},
}

func TestBothFamiliesRemoveAndAddNamedTags(t *testing.T) {
	for _, family := range families {
		service, base := simulator(t, timtest.Config{})
		c := client(t, base, func(config *tim.Config) { config.Family = family })
		service.SetTags("amy", "黄金", "<vip> & co", `"quoted"\`, "stays")
		service.SetTags("a b&<c>", "黄金")
		named := []tim.AccountTags{{Account: "amy", Tags: []string{"黄金", "<vip> & co", `"quoted"\`}},
			{Account: "a b&<c>", Tags: []string{"黄金"}}}

		answer := c.RemoveTags(t.Context(), 7, named)
		require.True(t, answer.OK(), "%+v", answer)
		require.Equal(t, []string{"stays"}, service.Tags("amy"))
		require.Empty(t, service.Tags("a b&<c>"))
		require.True(t, c.RemoveTags(t.Context(), 8, named).OK(), "what is gone can be removed again")
		require.True(t, c.AddTags(t.Context(), 9, named).OK())
		require.ElementsMatch(t, []string{"黄金", "<vip> & co", `"quoted"\`, "stays"}, service.Tags("amy"))

		first := service.Ledger()[0]
		require.Equal(t, []any{family, tim.RemoveTags, uint32(7)}, []any{first.Family, first.Command, first.Random})
		require.Equal(t, []string{"amy", "a b&<c>"}, first.Accounts)
	}
}

func TestTagCallsNameAccountsThatFailed(t *testing.T) {
	for _, family := range families {
		for command, call := range edits {
			service, base := simulator(t, timtest.Config{})
			c := client(t, base, func(config *tim.Config) { config.Family = family })
			service.SetTags("amy", "vip", "gold")
			answer := call(c, t, []tim.AccountTags{{Account: "unknown1", Tags: []string{"vip"}}, {Account: "amy", Tags: []string{"vip", "beta"}}})
			require.True(t, answer.OK())
			require.Equal(t, []tim.AccountError{{Account: "unknown1", Code: 70107, Info: "may be absent"}}, answer.AccountErrors, command)
			require.NotEqual(t, []string{"vip", "gold"}, service.Tags("amy"))
		}
	}
}

func TestTagCallsBeyondALimitAreClassed(t *testing.T) {
	var crowd []tim.AccountTags
	for i := range tim.MaxAccounts + 1 {
		crowd = append(crowd, tim.AccountTags{Account: fmt.Sprint("user", i), Tags: []string{"vip"}})
	}
	tags := make([]string, tim.MaxTags+1)
	for i := range tags {
		tags[i] = fmt.Sprint("tag", i)
	}
	one := func(tags ...string) []tim.AccountTags { return []tim.AccountTags{{Account: "amy", Tags: tags}} }
	long := strings.Repeat("x", tim.MaxTagBytes+1)
	for _, c := range []struct {
		commands []tim.Command
		tags     []tim.AccountTags
		code     int
		class    tim.Class
	}{
		{[]tim.Command{tim.AddTags, tim.RemoveTags}, crowd, 90018, tim.Split},
		{[]tim.Command{tim.AddTags, tim.RemoveTags}, crowd[1:], 0, tim.OK},
		{[]tim.Command{tim.AddTags}, one(tags...), 90032, tim.Account},
		{[]tim.Command{tim.AddTags, tim.RemoveTags}, one(tags[1:]...), 0, tim.OK},
		{[]tim.Command{tim.AddTags, tim.RemoveTags}, one(long), 90034, tim.Account},
		{[]tim.Command{tim.AddTags, tim.RemoveTags}, one(long[1:]), 0, tim.OK},
		{[]tim.Command{tim.AddTags, tim.RemoveTags}, one(""), 90020, tim.Account},
	} {
		for _, command := range c.commands {
			service, base := simulator(t, timtest.Config{})
			answer := edits[command](client(t, base), t, c.tags)
			require.Equal(t, tim.Answered, answer.Delivery)
			require.Equal(t, c.code, answer.Code, command)
			require.Equal(t, c.class, answer.Rule().Class, command)
			require.Equal(t, c.code == 0, service.Ledger()[0].Applied)
		}
	}
}

func TestAccountKeepsAtMostSoManyTags(t *testing.T) {
	service, base := simulator(t, timtest.Config{})
	c := client(t, base)
	service.SetTags("amy")
	for i := range tim.MaxStored / tim.MaxTags {
		tags := make([]string, tim.MaxTags)
		for j := range tags {
			tags[j] = fmt.Sprint(i, "-", j)
		}
		require.True(t, c.AddTags(t.Context(), uint32(i), []tim.AccountTags{{Account: "amy", Tags: tags}}).OK())
	}
	answer := c.AddTags(t.Context(), 99, []tim.AccountTags{{Account: "amy", Tags: []string{"one more"}}})
	require.True(t, answer.Rule().IsAccountError(), "code %d", answer.Code)
	require.Len(t, service.Tags("amy"), tim.MaxStored)
}

func TestTagCallsLostAreInDoubt(t *testing.T) {
	for command, call := range edits {
		s := raw(t, func(s *rawService, _ *net.TCPConn, in *bufio.Reader, _ int) { s.request(in) })
		answer := call(client(t, s.base), t, []tim.AccountTags{{Account: "amy", Tags: []string{"vip"}}})
		require.Equal(t, tim.Lost, answer.Delivery, command)
		require.Equal(t, 1, s.arrivals(), command)
		requireNoSecrets(t, s, answer)
	}
}

func TestAnswerForAnotherAccountIsInDoubt(t *testing.T) {
	const body = `{"ActionStatus":"OK","ErrorCode":0,"ErrorList":[{"To_Account":"AMY","ErrorCode":70107}]}`
	for command, call := range edits {
		s := raw(t, func(s *rawService, conn *net.TCPConn, in *bufio.Reader, _ int) {
			if s.request(in) {
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			}
		})
		answer := call(client(t, s.base), t, []tim.AccountTags{{Account: "amy", Tags: []string{"vip"}}})
		require.Equal(t, tim.InDoubt, answer.Rule().Class, command)
	}
}
