package timtest_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

func TestControlTellsWhatTheServiceTells(t *testing.T) {
	service, base := start(t, timtest.Config{RateLimit: -1, Seed: 5, UnknownShare: 0.2})
	control := timtest.NewControl(base + "/")
	c := client(t, base, 0)
	for i := range 1200 {
		require.True(t, c.RemoveAllTags(t.Context(), uint32(i), []string{fmt.Sprint("user", i), "unknown"}).OK())
	}
	require.NoError(t, control.Settled(t.Context()))

	want := service.Ledger()
	var got []timtest.Call
	for call, err := range control.Ledger(t.Context(), 0) {
		require.NoError(t, err)
		got = append(got, call)
	}
	require.Equal(t, want, got)
	first := map[string][]string{}
	states, err := control.Accounts(t.Context(), []string{"amy", "user1"})
	require.NoError(t, err)
	for _, state := range states {
		first[state.Account] = state.First
	}
	for call, err := range control.Ledger(t.Context(), 1199) {
		require.NoError(t, err)
		require.EqualValues(t, 1200, call.Number)
	}

	stats, err := control.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, service.Stats(), stats)
	require.EqualValues(t, 1200, stats.Commands[tim.RemoveAllTags].Applied)
	require.EqualValues(t, 2400, stats.Commands[tim.RemoveAllTags].Accounts)
	require.Equal(t, 2, stats.Largest)

	require.NoError(t, control.SetTags(t.Context(), map[string][]string{"amy": {"vip", "会员"}, "user1": nil}))
	states, err = control.Accounts(t.Context(), []string{"amy", "unknown", "user1"})
	require.NoError(t, err)
	require.Equal(t, []timtest.AccountState{
		{Account: "amy", Known: service.Known("amy"), Tags: []string{"vip", "会员"}, First: first["amy"]},
		{Account: "unknown", Tags: []string{}, First: []string{}},
		{Account: "user1", Known: service.Known("user1"), Tags: []string{}, First: first["user1"]},
	}, states)
}

func TestControlSetsFaults(t *testing.T) {
	_, base := start(t, timtest.Config{})
	control := timtest.NewControl(base)
	faults := timtest.Faults{
		Latency: time.Millisecond, Spread: time.Millisecond, Shares: map[timtest.Fault]float64{timtest.ResetAfter: 0.5},
		Most: 3, Commands: []tim.Command{tim.GetTags}, LateWithin: time.Second, Unknown: timtest.Silent, Code: 60020,
	}
	require.NoError(t, control.SetFaults(t.Context(), faults))
	got, err := control.Faults(t.Context())
	require.NoError(t, err)
	require.Equal(t, faults, got)
	require.ErrorContains(t, control.SetFaults(t.Context(), always("reset")), `no fault "reset"`)

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, base+"/_simulator/faults", strings.NewReader(`{"share":{}}`))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusBadRequest, response.StatusCode, "a mistyped fault must not pass for none")
}

func TestLedgerIsJSONLines(t *testing.T) {
	_, base := start(t, timtest.Config{})
	c := client(t, base, 0)
	for i := range 3 {
		c.RemoveAllTags(t.Context(), uint32(i), []string{"amy"})
	}
	response, err := http.Get(base + "/_simulator/ledger?after=1")
	require.NoError(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for _, number := range []string{`{"number":2,`, `{"number":3,`} {
		require.True(t, lines.Scan())
		require.True(t, strings.HasPrefix(lines.Text(), number), lines.Text())
	}
	require.False(t, lines.Scan())
}

func TestControlOfNoSimulatorFails(t *testing.T) {
	control := timtest.NewControl("http://127.0.0.1:1")
	_, err := control.Stats(t.Context())
	require.Error(t, err)
	for _, err := range control.Ledger(t.Context(), 0) {
		require.Error(t, err)
	}
}

func BenchmarkRemoveAllTags(b *testing.B) {
	service, err := timtest.New(timtest.Config{SDKAppID: 1400000000, SecretKey: secretKey, Identifier: "administrator", RateLimit: -1})
	require.NoError(b, err)
	base, err := service.Start("127.0.0.1:0")
	require.NoError(b, err)
	defer service.Close()
	c, err := tim.New(tim.Config{SDKAppID: 1400000000, SecretKey: secretKey, Identifier: "administrator", Domain: base, Family: tim.TIMPush})
	require.NoError(b, err)
	defer c.Close()
	accounts := make([]string, 100)
	n := 0
	for b.Loop() {
		for i := range accounts {
			accounts[i] = fmt.Sprint("user", n)
			n++
		}
		if answer := c.RemoveAllTags(b.Context(), uint32(n), accounts); !answer.OK() {
			b.Fatal(answer.Err)
		}
	}
}
