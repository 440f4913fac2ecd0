package audit

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
)

func signed(t testing.TB, size int64) (note, public string) {
	signer, err := NewSigner("tagsweep/abc", [32]byte{3})
	require.NoError(t, err)
	c := Checkpoint{Origin: "tagsweep/abc", Size: size, Root: tlog.RecordHash([]byte("x")), At: time.UnixMilli(1_800_000_000_123).UTC()}
	note, err = c.Sign(signer)
	require.NoError(t, err)
	read, err := OpenCheckpoint(note, signer.Public)
	require.NoError(t, err)
	require.Equal(t, c, read)
	return note, signer.Public
}

func TestEveryBitOfACheckpointIsSigned(t *testing.T) {
	note, public := signed(t, 12)
	want, err := OpenCheckpoint(note, public)
	require.NoError(t, err)
	same := 0
	for i := range note {
		for bit := range 8 {
			changed := []byte(note)
			changed[i] ^= 1 << bit
			// The last character of base64 has bits that stand for nothing.
			if c, err := OpenCheckpoint(string(changed), public); err == nil {
				require.Equal(t, want, c, "%q", changed)
				same++
			}
		}
	}
	require.LessOrEqual(t, same, 4)
	other, err := NewSigner("tagsweep/abc", [32]byte{4})
	require.NoError(t, err)
	_, err = OpenCheckpoint(note, other.Public)
	require.ErrorIs(t, err, ErrCheckpoint)
}

func TestPublishedCheckpointsAreReadBackButForOneThatWasCutOff(t *testing.T) {
	first, _ := signed(t, 1)
	second, _ := signed(t, 2)
	for cut := range second {
		notes, err := Checkpoints(strings.NewReader(first + "\n" + second[:cut] + first + "\n" + second + "\n"))
		require.NoError(t, err)
		require.Subset(t, notes, []string{first, second})
		require.GreaterOrEqual(t, len(notes), 3, cut)
	}
}

func FuzzOpenCheckpoint(f *testing.F) {
	note, public := signed(f, 7)
	f.Add(note)
	f.Fuzz(func(t *testing.T, text string) {
		OpenCheckpoint(text, "")
		if c, err := OpenCheckpoint(text, public); err == nil {
			require.Equal(t, int64(7), c.Size, "only what was signed")
		}
		Checkpoints(strings.NewReader(text))
	})
}

func TestASampleCanBeDrawnAgainAndHoldsNoNumberTwice(t *testing.T) {
	drawn := Sample("seed", 50, 1_000)
	require.Equal(t, drawn, Sample("seed", 50, 1_000))
	require.NotEqual(t, drawn, Sample("other", 50, 1_000))
	seen := map[int64]bool{}
	for _, n := range drawn {
		require.False(t, seen[n])
		require.True(t, n >= 1 && n <= 1_000)
		seen[n] = true
	}
	require.ElementsMatch(t, []int64{1, 2, 3}, Sample("seed", 10, 3))
	require.Empty(t, Sample("seed", 3, 0))
}
