package store

import (
	"context"
	"database/sql"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// Slot implements jobs.Store.
func (s *Store) Slot(ctx context.Context, appID string, command tim.Command) (slot time.Time, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		now, err := s.sendingNow(ctx, tx, appID, command)
		if err != nil {
			return err
		}
		if now.thrown {
			return jobs.FaultStopped.With()
		}
		one := make([]jobs.Claim, 1)
		err = s.reserve(ctx, tx, appID, command, now, one)
		slot = one[0].Slot
		return err
	})
	return slot, err
}
