package audit_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs/jobstest"
)

func TestAMarkIsSignedAndNoCheckpoint(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		note, err := s.Audit.Mark(t.Context(), 7)
		require.NoError(t, err)
		require.Empty(t, note, "without a key there is none")
		jobstest.Sign(t, s, [32]byte{7})
		note, err = s.Audit.Mark(t.Context(), 7)
		require.NoError(t, err)
		key, err := s.Audit.Key(t.Context())
		require.NoError(t, err)
		m, err := audit.OpenMark(note, key)
		require.NoError(t, err)
		require.Equal(t, int64(7), m.Sends)
		_, err = audit.OpenMark(strings.Replace(note, "sends 7", "sends 6", 1), key)
		require.ErrorIs(t, err, audit.ErrCheckpoint)
		_, err = audit.OpenCheckpoint(note, key)
		require.ErrorIs(t, err, audit.ErrCheckpoint)
		require.NoError(t, s.Audit.Record(t.Context(), audit.Entry{Code: audit.ServiceWell, Actor: audit.System}))
		require.NoError(t, s.Audit.Checkpoint(t.Context()))
		c, err := s.Audit.LastCheckpoint(t.Context(), 0)
		require.NoError(t, err)
		_, err = audit.OpenMark(c.Note, key)
		require.ErrorIs(t, err, audit.ErrCheckpoint)
		notes := 0
		for read, err := range audit.Checkpoints(strings.NewReader("\n" + note + "\n" + c.Note)) {
			require.NoError(t, err)
			require.Equal(t, []string{note, c.Note}[notes], read)
			notes++
		}
		require.Equal(t, 2, notes)
	})
}
