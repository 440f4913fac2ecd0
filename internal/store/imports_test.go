package store_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
)

// hooked is a file that does something when it is to be read for the last time,
// which is when it has been kept and its rows come next.
type hooked struct {
	io.ReadSeeker
	seeks int
	last  func()
}

const seeksOfAnImport = 3

func (h *hooked) Seek(offset int64, whence int) (int64, error) {
	if h.seeks++; h.seeks == seeksOfAnImport {
		h.last()
	}
	return h.ReadSeeker.Seek(offset, whence)
}

func importFile(c context.Context, s *store.Store, file io.ReadSeeker) (jobs.Job, error) {
	return s.ImportJob(c, operator, store.NewJob{AppID: storetest.App.ID, Kind: jobs.Clear, FileName: "users.csv", AccountBytes: 32, File: file})
}

func TestAnUploadGivenUpLeavesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		given, giveUp := context.WithCancel(ctx)
		file := &hooked{ReadSeeker: strings.NewReader("account\nann\n"), last: giveUp}
		_, err := importFile(given, s, file)
		require.ErrorIs(t, err, context.Canceled)
		left, err := s.DiscardUnread(ctx, time.Now().Add(time.Hour))
		require.NoError(t, err)
		require.Zero(t, left)
		_, err = s.FileHeader(ctx, "any")
		require.Error(t, err)
		requireSums(t, s)
	})
}

func TestAFileGivenUpByOneIsKeptForAnother(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const content = "account\nann\nbob\n"
		given, giveUp := context.WithCancel(ctx)
		// While the first upload is about to be read, the second begins; then the first is given up.
		second := &hooked{ReadSeeker: strings.NewReader(content)}
		var kept jobs.Job
		var keptErr error
		first := &hooked{ReadSeeker: strings.NewReader(content), last: func() {
			second.last = giveUp
			kept, keptErr = importFile(ctx, s, second)
		}}
		_, err := importFile(given, s, first)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, keptErr)
		requireSums(t, s)
		var accounts []string
		for r, err := range s.Results(ctx, kept.ID, "") {
			require.NoError(t, err)
			accounts = append(accounts, r.Fields[0])
		}
		require.Equal(t, []string{"ann", "bob"}, accounts)
	})
}

func TestAnUploadCutOffByTheEndOfItsProcessIsDiscarded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		file := &hooked{ReadSeeker: strings.NewReader("account\nann\n")}
		file.last = func() {
			left, err := s.DiscardUnread(ctx, time.Now().Add(time.Hour)) // what the next start does
			require.NoError(t, err)
			require.Equal(t, 1, left)
		}
		_, err := importFile(ctx, s, file)
		require.Error(t, err)
		all, err := s.Jobs(ctx, store.JobFilter{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, all)
	})
}

func TestTextThatNoDatabaseTakesIsFoundNowhere(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		for _, text := range []string{"\x00", "\xff", "a\x00b"} {
			_, err := s.AuditEntries(ctx, store.AuditFilter{Actor: text, JobID: text, Limit: 1})
			require.NoError(t, err)
			_, err = s.Jobs(ctx, store.JobFilter{Before: text, Limit: 1})
			require.NoError(t, err)
			_, err = s.FindAccounts(ctx, text, 1)
			require.NoError(t, err)
			_, err = s.Job(ctx, text)
			require.True(t, jobs.FaultNoJob.Is(err), "%v", err)
		}
	})
}
