package tim_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

const secretKey = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"

func simulator(t *testing.T, config timtest.Config) (*timtest.Service, string) {
	t.Helper()
	config.SDKAppID, config.SecretKey, config.Identifier = 1400000000, secretKey, "administrator"
	service, err := timtest.New(config)
	require.NoError(t, err)
	base, err := service.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	return service, base
}

func client(t *testing.T, base string, change ...func(*tim.Config)) *tim.Client {
	t.Helper()
	config := tim.Config{
		SDKAppID: 1400000000, SecretKey: secretKey, Identifier: "administrator", Domain: base, Family: tim.AllMemberPush,
	}
	for _, c := range change {
		c(&config)
	}
	client, err := tim.New(config)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func TestBothFamiliesReadRemoveAndAddTags(t *testing.T) {
	for _, family := range []tim.Family{tim.AllMemberPush, tim.TIMPush} {
		t.Run(string(family), func(t *testing.T) {
			service, base := simulator(t, timtest.Config{})
			c := client(t, base, func(config *tim.Config) { config.Family = family })
			accounts := []string{"amy", "Amy", "a b&<c>", "~!@#$%^*()"}

			before, answer := c.GetTags(t.Context(), 4294967295, accounts)
			require.NoError(t, answer.Err)
			require.Equal(t, tim.Answered, answer.Delivery)
			require.Equal(t, 200, answer.HTTPStatus)
			require.NotZero(t, answer.Duration)
			require.Len(t, before, 4)
			require.Equal(t, service.Tags("Amy"), before["Amy"])
			require.NotEmpty(t, before["Amy"])

			require.True(t, c.RemoveAllTags(t.Context(), 2, accounts).OK())
			none, answer := c.GetTags(t.Context(), 3, accounts)
			require.True(t, answer.OK())
			require.Equal(t, map[string][]string{"amy": {}, "Amy": {}, "a b&<c>": {}, "~!@#$%^*()": {}}, none)

			require.True(t, c.AddTags(t.Context(), 4, []tim.AccountTags{{Account: "amy", Tags: []string{"黄金", "<vip>"}}}).OK())
			require.Equal(t, []string{"黄金", "<vip>"}, service.Tags("amy"))

			ledger := service.Ledger()
			require.Len(t, ledger, 4)
			require.Equal(t, family, ledger[0].Family)
			require.EqualValues(t, 4294967295, ledger[0].Random)
			require.Equal(t, []tim.Command{tim.GetTags, tim.RemoveAllTags, tim.GetTags, tim.AddTags},
				[]tim.Command{ledger[0].Command, ledger[1].Command, ledger[2].Command, ledger[3].Command})
			require.Equal(t, accounts, ledger[1].Accounts)
			for _, call := range ledger {
				require.True(t, call.Acknowledged())
			}
		})
	}
}

func TestErrorListIsReadInBothFamilies(t *testing.T) {
	for _, family := range []tim.Family{tim.AllMemberPush, tim.TIMPush} {
		_, base := simulator(t, timtest.Config{})
		c := client(t, base, func(config *tim.Config) { config.Family = family })
		answer := c.RemoveAllTags(t.Context(), 1, []string{"amy", "unknown1", "bob"})
		require.True(t, answer.OK())
		require.Equal(t, tim.OK, answer.Rule().Class)
		require.Equal(t, []tim.AccountError{{Account: "unknown1", Code: 70107, Info: "may be absent"}}, answer.AccountErrors)

		tags, answer := c.GetTags(t.Context(), 2, []string{"amy", "unknown1"})
		require.True(t, answer.OK())
		require.Len(t, answer.AccountErrors, 1)
		require.Equal(t, map[string][]string{"amy": {}}, tags, "an account that was not answered is missing")
	}
}

func TestRefusalsCarryTheirCode(t *testing.T) {
	service, base := simulator(t, timtest.Config{})
	c := client(t, base)
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint("user", i)
	}
	answer := c.RemoveAllTags(t.Context(), 1, many)
	require.Equal(t, tim.Answered, answer.Delivery)
	require.Equal(t, 90018, answer.Code)
	require.Equal(t, tim.Split, answer.Rule().Class)
	require.NotEmpty(t, answer.Info)
	require.True(t, c.RemoveAllTags(t.Context(), 1, many[:100]).OK())

	for code, class := range map[int]tim.Class{70009: tim.Halt, 60020: tim.Halt, 70050: tim.WaitMinute, 90045: tim.Halt, 91000: tim.Retry} {
		require.NoError(t, service.SetFaults(timtest.Faults{Code: code}))
		tags, answer := c.GetTags(t.Context(), 1, []string{"amy"})
		require.Nil(t, tags)
		require.Equal(t, code, answer.Code)
		require.Equal(t, class, answer.Rule().Class)
		require.False(t, answer.OK())
	}
}

func TestWrongKeyIsRefusedAndNotShown(t *testing.T) {
	_, base := simulator(t, timtest.Config{})
	for code, change := range map[int]func(*tim.Config){
		70009: func(config *tim.Config) { config.SecretKey = "another-key" },
		60010: func(config *tim.Config) { config.Identifier = "amy" },
		70020: func(config *tim.Config) { config.SDKAppID = 1 },
	} {
		answer := client(t, base, change).RemoveAllTags(t.Context(), 1, []string{"amy"})
		require.Equal(t, code, answer.Code)
		require.Equal(t, tim.Halt, answer.Rule().Class)
	}
}

func TestResignMakesOneNewSignature(t *testing.T) {
	_, base := simulator(t, timtest.Config{})
	c := client(t, base)
	first := c.RemoveAllTags(t.Context(), 1, []string{"amy"})
	c.RenewSignature(first.UserSigID)
	c.RenewSignature(first.UserSigID)
	second := c.RemoveAllTags(t.Context(), 2, []string{"amy"})
	require.True(t, second.OK())
	require.NotEqual(t, first.UserSigID, second.UserSigID)
	c.RenewSignature(first.UserSigID)
	require.Equal(t, second.UserSigID, c.RemoveAllTags(t.Context(), 3, []string{"amy"}).UserSigID)
}

func TestManyCallsAtOnceKeepToThePool(t *testing.T) {
	service, base := simulator(t, timtest.Config{RateLimit: -1})
	c := client(t, base, func(config *tim.Config) { config.MaxConns = 8 })
	var callers sync.WaitGroup
	for i := range 64 {
		callers.Go(func() {
			for j := range 5 {
				if answer := c.RemoveAllTags(t.Context(), uint32(i*5+j), []string{fmt.Sprint("user", i, "-", j)}); !answer.OK() {
					t.Errorf("call failed: %+v", answer)
				}
			}
		})
	}
	callers.Wait()
	seen := map[uint32]bool{}
	for _, call := range service.Ledger() {
		require.False(t, seen[call.Random], "call %d arrived twice", call.Random)
		seen[call.Random] = true
	}
	require.Len(t, seen, 320)
}

func TestWaitingForAConnectionIsNotSent(t *testing.T) {
	service, base := simulator(t, timtest.Config{Faults: timtest.Faults{Shares: map[timtest.Fault]float64{timtest.SilentBefore: 1}}})
	c := client(t, base, func(config *tim.Config) { config.MaxConns = 1 })
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan tim.Answer)
	go func() { first <- c.RemoveAllTags(ctx, 1, []string{"amy"}) }()
	require.Eventually(t, func() bool { return len(service.Ledger()) == 1 }, 5*time.Second, time.Millisecond)

	second, give := context.WithTimeout(t.Context(), time.Millisecond)
	defer give()
	answer := c.RemoveAllTags(second, 2, []string{"bob"})
	require.Equal(t, tim.NotSent, answer.Delivery)
	require.ErrorIs(t, answer.Err, context.DeadlineExceeded)
	cancel()
	require.Equal(t, tim.Lost, (<-first).Delivery)
	require.Len(t, service.Ledger(), 1)
}

func TestSecretsNeverShow(t *testing.T) {
	config := tim.Config{SDKAppID: 1, SecretKey: secretKey, Identifier: "administrator", Domain: "http://127.0.0.1:1", Family: tim.TIMPush}
	c, err := tim.New(config)
	require.NoError(t, err)
	for _, shown := range []string{
		fmt.Sprintf("%v %+v %#v %s", config, config, config, config), fmt.Sprintf("%v %+v %#v %s", c, c, c, c),
	} {
		require.NotContains(t, shown, secretKey)
	}
}

func TestConfigErrorsAreAllNamed(t *testing.T) {
	_, err := tim.New(tim.Config{Domain: "nowhere", Family: "push"})
	for _, name := range []string{"region", "SDKAppID", "secret key", "identifier", `"push"`} {
		require.True(t, strings.Contains(err.Error(), name), name)
	}
}
