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

func TestCheckpointFileSkipsCutOffLine(t *testing.T) {
	first, _ := signed(t, 1)
	second, _ := signed(t, 2)
	for cut := range second {
		want := []string{first, first, second}
		if cut == len(second)-1 { // whole, except for the line feed
			want = []string{first, second, first, second}
		}
		notes := read(t, "\n"+first+"\n"+second[:cut]+"\n"+first+"\n"+second)
		require.Equal(t, want, notes, "%d", cut)
		require.Equal(t, want[:len(want)-2], read(t, "\n"+first+"\n"+second[:cut]), "%d", cut)
	}
}

func read(t testing.TB, published string) (notes []string) {
	t.Helper()
	for note, err := range Checkpoints(strings.NewReader(published)) {
		require.NoError(t, err)
		notes = append(notes, note)
	}
	return notes
}

func FuzzOpenCheckpoint(f *testing.F) {
	note, public := signed(f, 7)
	f.Add(note)
	f.Fuzz(func(t *testing.T, text string) {
		OpenCheckpoint(text, "")
		if c, err := OpenCheckpoint(text, public); err == nil {
			require.Equal(t, int64(7), c.Size, "only what was signed")
		}
		for note, err := range Checkpoints(strings.NewReader(text)) {
			if err == nil {
				OpenCheckpoint(note, "")
			}
		}
	})
}

func TestSampleIsReproducibleAndDistinct(t *testing.T) {
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
