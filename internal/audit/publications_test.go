package audit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs/jobstest"
)

func TestPublishedIsRememberedPerDestination(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		size, err := s.Audit.PublishedUpTo(ctx, "file")
		require.NoError(t, err)
		require.Zero(t, size)
		for range 7 {
			require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.ServiceWell, Actor: audit.System}))
		}
		require.NoError(t, s.Audit.Published(ctx, "file", 7))
		require.NoError(t, s.Audit.Published(ctx, "file", 3))
		require.NoError(t, s.Audit.NotPublished(ctx, "webhook", "refused"))
		require.NoError(t, s.Audit.Published(ctx, "webhook", 2))
		require.NoError(t, s.Audit.NotPublished(ctx, "webhook", "gone"))
		size, err = s.Audit.PublishedUpTo(ctx, "file")
		require.NoError(t, err)
		require.Equal(t, int64(7), size, "what was sent stays sent")
		all, err := s.Audit.Publications(ctx)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, []any{"file", int64(7), ""}, []any{all[0].Destination, all[0].Size, all[0].Trouble})
		require.Equal(t, []any{"webhook", int64(2), "gone"}, []any{all[1].Destination, all[1].Size, all[1].Trouble})
		after, err := s.Audit.CheckpointsAfter(ctx, 0, 10)
		require.NoError(t, err)
		require.Empty(t, after)
	})
}
