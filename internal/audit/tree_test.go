package audit

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
)

func TestTheTreeIsThatOfRFC6962(t *testing.T) {
	var tree Tree
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(numbers []int64) (found []tlog.Hash, err error) {
		for _, n := range numbers {
			found = append(found, stored[n])
		}
		return found, nil
	})
	for n := int64(0); n < 300; n++ {
		require.Equal(t, tlog.StoredHashCount(n), int64(len(stored)))
		root, err := tlog.TreeHash(n, reader)
		require.NoError(t, err)
		require.Equal(t, root, tree.Root(), n)
		data := []byte(fmt.Sprint("line ", n))
		want, err := tlog.StoredHashes(n, data, reader)
		require.NoError(t, err)
		require.Equal(t, want, tree.Grow(tlog.RecordHash(data)), n)
		stored = append(stored, want...)
		again, err := TreeAt(tree.Size, tree.Edge())
		require.NoError(t, err)
		require.Equal(t, tree.Root(), again.Root())
	}
	_, err := TreeAt(3, tree.Edge()[:tlog.HashSize])
	require.Error(t, err)
}
