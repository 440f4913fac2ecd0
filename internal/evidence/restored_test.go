package evidence_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// An older copy of the whole database verifies by itself; checkpoints that were
// published since do not let it pass, and sending is held back until an admin
// has seen it, once. Then those of what was lost are excused, and no others.
func TestRestoredCopyIsFoundAndHeldBack(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		var notes []string
		grow := func(n int) {
			for range n {
				require.NoError(t, l.Audit.Record(ctx, audit.Entry{Code: audit.SignedOut, Actor: jobstest.Operator}))
				require.NoError(t, l.Audit.Checkpoint(ctx))
				c, err := l.Audit.LastCheckpoint(ctx, 0)
				require.NoError(t, err)
				notes = append(notes, c.Note)
			}
		}
		notes = append(notes, l.published)
		known := l.count(t, `SELECT seq FROM audit_head`)
		grow(6)
		last, err := audit.OpenCheckpoint(notes[len(notes)-1], l.key)
		require.NoError(t, err)
		has, err := l.Audit.Includes(ctx, last)
		require.NoError(t, err)
		require.True(t, has)
		for i, note := range notes {
			knows, err := l.Audit.Knows(ctx, known+int64(i), note)
			require.NoError(t, err)
			require.True(t, knows)
		}

		l.truncate(t, 6)
		l.exec(t, `DELETE FROM checkpoints WHERE size > (SELECT seq FROM audit_head)`)
		require.NoError(t, l.Audit.Record(ctx,
			audit.Entry{Code: audit.AccessDenied, Actor: jobstest.Operator, Target: "/users"})) // before the console runs
		require.NoError(t, l.ThrowKillSwitch(ctx, jobstest.Operator, "Friday"))
		verify := func() audit.Verified {
			found, err := l.Evidence.Verify(ctx, audit.Proofs{Checkpoints: published(notes...), Key: l.key})
			require.NoError(t, err)
			return found
		}
		require.NotEmpty(t, verify().Wrong)
		has, err = l.Audit.Includes(ctx, last)
		require.NoError(t, err)
		require.False(t, has)
		lost := audit.Lost{After: known, UpTo: last.Size}
		held, err := l.Audit.HoldRestored(ctx, last, lost, l.hold)
		require.NoError(t, err)
		require.True(t, held)
		k, err := l.KillSwitch(ctx)
		require.NoError(t, err)
		require.Equal(t, []any{true, jobs.RestoredReason, "system"}, []any{k.Thrown(), k.Reason, k.ThrownBy}, "whatever it was thrown for before")

		require.NoError(t, l.LiftRestored(ctx, jobstest.Operator, 0))
		held, err = l.Audit.HoldRestored(ctx, last, lost, l.hold)
		require.NoError(t, err)
		require.False(t, held, "an admin has seen it")
		grow(2) // not yet as far as what was lost
		require.Empty(t, verify().Wrong)
		require.Len(t, verify().Notes, 1)
		grow(6) // beyond
		found := verify()
		require.Empty(t, found.Wrong)
		require.Len(t, found.Notes, 1, "what is missing stays visible")
		require.Contains(t, found.Notes[0], "restored from an older copy")

		signer, err := audit.NewSigner(last.Origin, auditKey)
		require.NoError(t, err)
		for size, at := range map[int64]time.Time{known: last.At, known + 2: time.Now().Add(time.Second)} {
			foreign, err := audit.Checkpoint{Origin: last.Origin, Size: size, Root: last.Root, At: at}.Sign(signer)
			require.NoError(t, err)
			found, err := l.Evidence.Verify(ctx, audit.Proofs{Checkpoints: published(append(notes, foreign)...), Key: l.key})
			require.NoError(t, err)
			require.Len(t, found.Wrong, 1, "neither what was before the copy is excused, nor what was signed since it was put back")
			require.Contains(t, found.Wrong[0], fmt.Sprintf("published checkpoint of %d entries", size))
		}
	})
}

// Whoever has the database and not the key says in the log that it was restored,
// as if what was cut off had been lost with a copy.
func TestRestoredLogMustBeSignedAgain(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		last, err := audit.OpenCheckpoint(l.published, l.key)
		require.NoError(t, err)
		l.truncate(t, 3)
		l.exec(t, `DELETE FROM checkpoints WHERE size > (SELECT seq FROM audit_head)`)
		l.Audit.SignWith([32]byte{8})
		held, err := l.Audit.HoldRestored(ctx, last, audit.Lost{After: 1, UpTo: 1_000_000}, l.hold)
		require.NoError(t, err)
		require.True(t, held)
		l.exec(t, `DELETE FROM checkpoints WHERE size = (SELECT MAX(size) FROM checkpoints)`)
		require.NotEmpty(t, l.wrong(t))
	})
}

func (l *sealedLog) hold(ctx context.Context) error {
	_, err := l.HoldSending(ctx, jobs.Sends{})
	return err
}
