package evidence_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
)

// A witness that is put back together with its database knows no more than that: the
// published file does.
func TestPublishedFileIsComparedAtStart(t *testing.T) {
	for name, attack := range map[string]func(t *testing.T, l *sealedLog){
		"cut off":            func(t *testing.T, l *sealedLog) { l.truncate(t, 3); l.exec(t, onlyFitting) },
		"cut off and longer": func(t *testing.T, l *sealedLog) { l.truncate(t, 3); l.exec(t, onlyFitting); l.grow(t, 9) },
		"a checkpoint taken out": func(t *testing.T, l *sealedLog) {
			l.exec(t, `DELETE FROM checkpoints WHERE size = (SELECT MAX(size) FROM checkpoints)`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachSealedLog(t, func(t *testing.T, l *sealedLog) {
				earlier, err := os.ReadFile(l.witness)
				require.NoError(t, err)
				l.grow(t, 4)
				require.NoError(t, l.Audit.Checkpoint(ctx))
				l.publish(t)
				attack(t, l)
				require.NoError(t, os.WriteFile(l.witness, earlier, 0o600))
				l.start(t)
				require.NotNil(t, l.Audit.Alarm())
				require.NotEmpty(t, l.allWrong(t), "the automatic verification reads the file too")
				require.NoError(t, l.Audit.ResumeSigning(ctx, adam, "seen"))
				l.start(t)
				require.Nil(t, l.Audit.Alarm())
			})
		})
	}
}

// Each checkpoint names the one before it: none can be taken out, here or where they are published.
func TestMissingCheckpointIsFound(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		for range 3 {
			l.record(t)
			require.NoError(t, l.Audit.Checkpoint(ctx))
		}
		l.publish(t)
		found := func() string {
			v, err := l.Evidence.Verify(ctx, audit.Proofs{})
			require.NoError(t, err)
			return strings.Join(v.Wrong, "\n")
		}
		require.Empty(t, found())
		content, err := os.ReadFile(l.file)
		require.NoError(t, err)
		all, err := l.Audit.CheckpointsAfter(ctx, 0, 100)
		require.NoError(t, err)
		middle := all[len(all)-2]
		require.NoError(t, os.WriteFile(l.file, []byte(strings.Replace(string(content), "\n"+middle.Note, "", 1)), 0o600))
		require.Contains(t, found(), fmt.Sprintf("it follows one of %d entries, which is missing there", middle.Size))
		first := all[0]
		require.NoError(t, os.WriteFile(l.file, []byte(strings.Replace(string(content), "\n"+first.Note, "", 1)), 0o600))
		require.Empty(t, found(), "the beginning may be kept elsewhere")
		require.NoError(t, os.WriteFile(l.file, content, 0o600))

		l.exec(t, `DELETE FROM checkpoints WHERE size = $1`, middle.Size)
		require.Contains(t, found(), fmt.Sprintf("it follows one of %d entries, but the one before it has", middle.Size))
		require.Contains(t, found(), fmt.Sprintf("published checkpoint of %d entries: it is missing from the database", middle.Size))
		l.start(t)
		require.Nil(t, l.Audit.Alarm(), "the last one is there, which the witness knows")
	})
}

// What is in a checkpoint file without a signature counts for nothing, however large it
// says the log was; what an admin accepted as lost is excused, and nothing beside it.
func TestOnlyLostSignedStatesAreExcused(t *testing.T) {
	eachSealedLog(t, func(t *testing.T, l *sealedLog) {
		l.publish(t)
		known := l.count(t, `SELECT seq FROM audit_head`)
		origin, _, _ := strings.Cut(l.key, "+")
		for range 4 {
			l.record(t)
			require.NoError(t, l.Audit.Checkpoint(ctx))
		}
		l.publish(t)
		content, err := os.ReadFile(l.file)
		require.NoError(t, err)
		stranger, err := audit.NewSigner(origin, [32]byte{9})
		require.NoError(t, err)
		last, err := audit.OpenCheckpoint(l.published, l.key)
		require.NoError(t, err)
		last.Size = 1_000_000
		forged, err := last.Sign(stranger)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(l.file, append(content, "\n"+forged...), 0o600))
		l.start(t)
		require.Nil(t, l.Audit.Alarm(), "an unsigned line makes no copy older")
		seen, err := l.Evidence.Verify(ctx, audit.Proofs{})
		require.NoError(t, err)
		require.Empty(t, seen.Wrong)
		require.Contains(t, strings.Join(seen.Notes, "\n"), "not signed with the key of the log: 1.", "but it is said")
		upTo, _, err := l.Audit.PublishedIn(ctx, l.file)
		require.NoError(t, err)
		require.Equal(t, known+4, upTo)
		require.NoError(t, os.WriteFile(l.file, content, 0o600))

		// The database is an older copy, and the witness was put back with it.
		l.truncate(t, 4)
		l.exec(t, onlyFitting)
		require.NoError(t, os.Remove(l.witness))
		l.start(t)
		require.Equal(t, audit.NoWitness, l.Audit.Alarm().Why)
		require.NoError(t, l.Audit.ResumeSigning(ctx, adam, "a backup"))
		l.start(t)
		require.Nil(t, l.Audit.Alarm(), "those of the file are named as lost")
		found, err := l.Evidence.Verify(ctx, audit.Proofs{})
		require.NoError(t, err)
		require.Empty(t, found.Wrong)
		require.Contains(t, strings.Join(found.Notes, "\n"), "Signed states that are lost: 4.")

		signer, err := audit.NewSigner(origin, auditKey)
		require.NoError(t, err)
		for _, size := range []int64{known, known + 2, known + 100} {
			other, err := audit.Checkpoint{Origin: origin, Size: size, Root: last.Root, At: last.At}.Sign(signer)
			if size == known { // its root is not the one of the log
				other, err = audit.Checkpoint{Origin: origin, Size: size, At: last.At}.Sign(signer)
			}
			require.NoError(t, err)
			found, err := l.Evidence.Verify(ctx, audit.Proofs{Checkpoints: published(other)})
			require.NoError(t, err)
			require.Len(t, found.Wrong, 1, "of %d entries", size)
		}
	})
}
