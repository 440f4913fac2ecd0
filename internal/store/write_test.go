package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/store"
	"tagsweep/internal/store/storetest"
)

func TestWriteSharesCommitsAndFailsAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.DB) {
		require.NoError(t, s.Exec(ctx, `CREATE TABLE written (n BIGINT PRIMARY KEY)`))
		odd := errors.New("odd")
		var all sync.WaitGroup
		errs := make([]error, 200)
		for n := range errs {
			all.Go(func() {
				errs[n] = s.Write(ctx, "", func(ctx context.Context, tx *store.Tx) error {
					if _, err := tx.ExecContext(ctx, `INSERT INTO written (n) VALUES ($1)`, n); err != nil {
						return err
					}
					if n%2 == 1 {
						return odd
					}
					return nil
				})
			})
		}
		all.Wait()
		for n, err := range errs {
			if n%2 == 1 {
				require.ErrorIs(t, err, odd)
			} else {
				require.NoError(t, err)
			}
		}
		var even, written int
		require.NoError(t, s.Reader().QueryRowContext(ctx,
			`SELECT COUNT(*), COUNT(CASE WHEN n % 2 = 0 THEN 1 END) FROM written`).Scan(&written, &even))
		require.Equal(t, 100, even)
		require.Equal(t, 100, written, "those that failed have written nothing")
	})
}
