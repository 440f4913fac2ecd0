package main

import (
	"context"
	"fmt"

	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

var faultVerify = fault.Declare(fault.Conflict, "verify.failed", "The database does not add up in %d places, listed above. Nothing was changed; keep a copy of it and tell an admin.")

type verifyCommand struct {
	database
}

func (c *verifyCommand) Run(ctx context.Context, s *streams) error {
	return withStore(ctx, c.Database, func(st *store.Store) error {
		wrong, err := st.Verify(ctx)
		if err != nil {
			return err
		}
		for _, place := range wrong {
			fmt.Fprintln(s.out, place)
		}
		if len(wrong) > 0 {
			return faultVerify.With(len(wrong))
		}
		fmt.Fprintln(s.out, "The rows of every job add up, and the log has no gap.")
		return nil
	})
}
