package audit

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func openWitness(t testing.TB, path string, seed byte) *Witness {
	t.Helper()
	w, err := OpenWitness(path, [32]byte{seed})
	require.NoError(t, err)
	t.Cleanup(func() { w.Close() })
	return w
}

func progress(origin string, sends int64) Progress {
	at := time.UnixMilli(1_800_000_000_123).UTC()
	return Progress{Origin: origin, Sends: sends, Started: at, At: at.Add(time.Minute)}
}

func TestWitnessRemembersEachLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "witness")
	w := openWitness(t, path, 3)
	_, found := w.Progress("tagsweep/a")
	require.False(t, found)
	require.Error(t, w.SaveProgress(progress("", 1)))
	require.NoError(t, w.SaveProgress(progress("tagsweep/a", 1)))
	require.NoError(t, w.SaveProgress(progress("tagsweep/b", 2)))
	require.NoError(t, w.SaveProgress(progress("tagsweep/a", 3)))
	_, err := OpenWitness(path, [32]byte{3})
	require.True(t, FaultWitnessInUse.Is(err), "%v", err)
	require.NoError(t, w.Close())

	w = openWitness(t, path, 3)
	require.NoError(t, w.Damaged())
	p, found := w.Progress("tagsweep/a")
	require.True(t, found)
	require.Equal(t, progress("tagsweep/a", 3), p)
	p, found = w.Progress("tagsweep/b")
	require.True(t, found)
	require.Equal(t, progress("tagsweep/b", 2), p)
	require.Len(t, w.logs, 2)
	about, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), about.Mode().Perm())
}

// Not one bit of the file can be changed, nothing can be left out of a note or put
// beside one, and no other key writes it. What does not verify stays as it is.
func TestWitnessEveryByteIsSigned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "witness")
	w := openWitness(t, path, 3)
	note, _ := signed(t, 12)
	require.NoError(t, w.save("tagsweep/abc", func(r *remembered) { r.checkpoint = note }))
	require.NoError(t, w.SaveProgress(progress("tagsweep/abc", 7)))
	require.NoError(t, w.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	damaged := func(content []byte, seed byte, why ...any) {
		t.Helper()
		require.NoError(t, os.WriteFile(path, content, 0o600))
		w, err := OpenWitness(path, [32]byte{seed})
		require.NoError(t, err)
		defer w.Close()
		require.ErrorIs(t, w.Damaged(), ErrWitness, why...)
		_, found := w.Progress("tagsweep/abc")
		require.False(t, found)
		require.ErrorIs(t, w.SaveProgress(progress("tagsweep/abc", 8)), ErrWitness)
		left, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, content, left)
	}
	for i := range content {
		for bit := range 8 {
			changed := append([]byte{}, content...)
			changed[i] ^= 1 << bit
			damaged(changed, 3, "byte %d, bit %d", i, bit)
		}
		if i > 0 && i != len(note)+1 { // there the record begins: a file without one is whole
			damaged(content[:i], 3, "cut off after %d bytes", i)
		}
	}
	damaged(append([]byte("\n"), content...), 3)
	damaged(append(append([]byte{}, content...), content...), 3)
	damaged(content, 4)
}
