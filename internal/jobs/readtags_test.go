package jobs_test

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// reads starts a runner without jobs, which ends with the test.
func reads(t *testing.T, s *store.Store) (*jobs.Runner, *timtest.Service) {
	t.Helper()
	r, service := idle(t, s)
	running, ended := make(chan struct{}), make(chan error, 1)
	go func() { close(running); ended <- r.Run(t.Context()) }() // which ends before the clean-up
	<-running
	t.Cleanup(func() { require.NoError(t, <-ended) })
	until(t, "it runs", func() bool { _, err := r.ReadTags(t.Context(), "member1"); return err == nil })
	return r, service
}

func idle(t *testing.T, s *store.Store) (*jobs.Runner, *timtest.Service) {
	t.Helper()
	const key = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
	app := storetest.App
	service, err := timtest.New(timtest.Config{SDKAppID: app.SDKAppID, SecretKey: key, Identifier: app.Identifier, Seed: 1})
	require.NoError(t, err)
	base, err := service.Start("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	client, err := tim.New(tim.Config{SDKAppID: app.SDKAppID, SecretKey: key, Identifier: app.Identifier, Domain: base, Family: tim.AllMemberPush})
	require.NoError(t, err)
	return &jobs.Runner{App: app, Client: client, Store: s, Log: slog.New(slog.DiscardHandler)}, service
}

func TestReadTagsForAPerson(t *testing.T) {
	t.Parallel()
	r, service := reads(t, storetest.Open(t, storetest.SQLiteFile(t)))
	service.SetTags("member1", "vip", "会员")
	service.SetTags("member2")
	tags, err := r.ReadTags(t.Context(), "member1")
	require.NoError(t, err)
	require.Equal(t, []string{"vip", "会员"}, tags)
	tags, err = r.ReadTags(t.Context(), "member2")
	require.NoError(t, err)
	require.Empty(t, tags)

	for name, test := range map[string]struct {
		account string
		faults  timtest.Faults
		want    *fault.Sentence
	}{
		"named in ErrorList":     {"unknown1", timtest.Faults{}, jobs.FaultNoAccountThere},
		"the call is refused":    {"unknown1", timtest.Faults{Unknown: timtest.FailedBatch}, jobs.FaultNoAccountThere},
		"left out":               {"unknown1", timtest.Faults{Unknown: timtest.Omitted}, jobs.FaultNoAccountThere},
		"server error":           {"member1", timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ServerError: 1}}, jobs.FaultNotRead},
		"the answer is lost":     {"member1", timtest.Faults{Shares: map[timtest.Fault]float64{timtest.ResetAfter: 1}}, jobs.FaultNoAnswer},
		"an error page":          {"member1", timtest.Faults{Shares: map[timtest.Fault]float64{timtest.BadGateway: 1}}, jobs.FaultNoAnswer},
		"reading is not allowed": {"member1", timtest.Faults{Code: 60027}, jobs.FaultMayNotRead},
		"arrears":                {"member1", timtest.Faults{Code: 60020}, jobs.FaultNotRead},
	} {
		require.NoError(t, service.SetFaults(test.faults))
		_, err := r.ReadTags(t.Context(), test.account)
		require.True(t, test.want.Is(err), "%s: %v", name, err)
	}
}

func TestReadTagsObeysTheKillSwitch(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLiteFile(t))
	r, service := reads(t, s)
	require.NoError(t, s.ThrowKillSwitch(t.Context(), someone, "test"))
	before := len(service.Ledger())
	_, err := r.ReadTags(t.Context(), "member1")
	require.Equal(t, fault.Conflict, fault.KindOf(err), "%v", err)
	require.Len(t, service.Ledger(), before)
	require.NoError(t, s.LiftKillSwitch(t.Context(), someone))
	_, err = r.ReadTags(t.Context(), "member1")
	require.NoError(t, err)
}

func TestReadingForPeopleKeepsToTheBudget(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLiteFile(t))
	r, service := reads(t, s)
	before, began := len(service.Ledger()), time.Now()
	var people sync.WaitGroup
	for range 20 {
		people.Go(func() {
			_, err := r.ReadTags(t.Context(), "member1")
			require.NoError(t, err)
		})
	}
	people.Wait()
	require.Len(t, service.Ledger(), before+20)
	least := 19 * time.Second / time.Duration(storetest.App.Rate)
	require.Greater(t, time.Since(began), least)
}

func TestReadTagsNeedsARunner(t *testing.T) {
	t.Parallel()
	r, service := idle(t, storetest.Open(t, storetest.SQLiteFile(t)))
	_, err := r.ReadTags(t.Context(), "member1")
	require.True(t, jobs.FaultNoSlot.Is(err))
	require.Empty(t, service.Ledger())
}
