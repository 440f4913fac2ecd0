package workbook

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTextsComeBackInAnyOrder(t *testing.T) {
	folder := t.TempDir()
	texts, err := newTextList(folder)
	require.NoError(t, err)
	dice := rand.New(rand.NewPCG(1, 2))
	var all []Cell
	for range 1_000 {
		c := Cell{strings.Repeat(string(rune('a'+dice.IntN(26))), []int{0, 1, 20, 300, windowBytes, 100_000}[dice.IntN(6)]), Kind(dice.IntN(5))}
		all = append(all, c)
		require.NoError(t, texts.add(c))
	}
	require.NoError(t, texts.done())
	for i := range all {
		for _, i := range []int{i, dice.IntN(len(all))} {
			got, is, err := texts.at(i)
			require.NoError(t, err)
			require.True(t, is)
			require.Equal(t, all[i], got)
		}
	}
	for _, none := range []int{-1, len(all)} {
		_, is, err := texts.at(none)
		require.NoError(t, err)
		require.False(t, is)
	}
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Empty(t, left, "nobody else sees the file")
	require.NoError(t, texts.close())
	texts.window = nil
	_, _, err = texts.at(0)
	require.ErrorIs(t, err, os.ErrClosed)
}

// Whatever cells share, an open workbook takes little memory.
func TestSharedTextsAreNotInMemory(t *testing.T) {
	var shared strings.Builder
	dice := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		shared.WriteString("<si><t>" + strings.Repeat(string(rune('a'+dice.IntN(26))), 100+dice.IntN(100)) + "</t></si>")
	}
	file := sharing(t, oneRow, shared.String())
	shared.Reset()
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	w, err := open(t, file, 2<<30)
	require.NoError(t, err)
	require.Less(t, heap()-before, int64(2<<20), "of 30 MB of texts")
	require.NoError(t, w.Close())
}
