package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

const (
	// reserveAhead is how far ahead of the clock slots are given away.
	reserveAhead = 100 * time.Millisecond
	// farAhead is later than any hold or wait lasts: a time beyond it means that the clock was set back.
	farAhead = 90 * time.Second
)

// budgetFree returns when the budget can be reserved from, or zero for now.
func (s *Store) budgetFree(ctx context.Context, tx *sql.Tx, appID string, command tim.Command, now time.Time) (time.Time, error) {
	var slot int64
	err := tx.QueryRowContext(ctx, `SELECT next_slot FROM budgets WHERE app_id = $1 AND command = $2`, appID, command).Scan(&slot)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	free := time.UnixMicro(slot).Add(-reserveAhead)
	if err != nil || !free.After(now) || free.After(now.Add(farAhead)) {
		return time.Time{}, err
	}
	return free, nil
}

// reserve gives each claim the next free slot: evenly spaced, never in the past,
// one budget for all jobs, processes and restarts.
func (s *Store) reserve(ctx context.Context, tx *sql.Tx, appID string, command tim.Command, now time.Time, claims []jobs.Claim) error {
	if len(claims) == 0 {
		return nil
	}
	var rate int64
	if err := tx.QueryRowContext(ctx, `SELECT rate FROM apps WHERE id = $1`, appID).Scan(&rate); err != nil {
		return err
	}
	interval := int64(time.Second/time.Microsecond)/rate + 1
	if s.postgres {
		interval += interval / 32 // consoles do not see each other's calls arrive: head-room for how much their ways differ
	}
	block := interval * int64(len(claims))
	var after int64
	err := tx.QueryRowContext(ctx, `
		INSERT INTO budgets (app_id, command, next_slot) VALUES ($1, $2, CAST($3 AS BIGINT) + CAST($4 AS BIGINT))
		ON CONFLICT (app_id, command) DO UPDATE SET next_slot = CAST($4 AS BIGINT) +
			CASE WHEN budgets.next_slot BETWEEN $3 AND $5 THEN budgets.next_slot ELSE CAST($3 AS BIGINT) END
		RETURNING next_slot`,
		appID, command, now.UnixMicro(), block, now.Add(farAhead).UnixMicro()).Scan(&after)
	for i := range claims {
		claims[i].Slot = time.UnixMicro(after - block + interval*int64(i))
	}
	return err
}

// hold lets no call of the app leave before a time: of one command, or of all.
func hold(ctx context.Context, tx *sql.Tx, appID string, st jobs.Settlement) error {
	commands := []tim.Command{st.Command}
	if st.HoldAll {
		commands = []tim.Command{tim.GetTags, tim.RemoveAllTags}
	}
	for _, command := range commands {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO budgets (app_id, command, next_slot) VALUES ($1, $2, $3)
			ON CONFLICT (app_id, command) DO UPDATE SET next_slot = CASE WHEN budgets.next_slot < $3 THEN excluded.next_slot ELSE budgets.next_slot END`,
			appID, command, st.Hold.UnixMicro())
		if err != nil {
			return err
		}
	}
	return nil
}
