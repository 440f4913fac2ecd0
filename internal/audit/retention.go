package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// MinKeepMonths is how long entries are kept at least.
const MinKeepMonths = 12

// FaultKeepMonths is for a retention period that is too short or too long.
var FaultKeepMonths = fault.Declare(fault.Invalid, "audit.keep_months",
	"Nothing was changed: the retention period must be %d to 1,200 months. Leave it empty to keep entries "+
		"forever.")

// maxKeepMonths is a hundred years.
const maxKeepMonths = 1_200

// NeverRemoved are the events whose entries are never removed: they prove other entries,
// or say what governs.
var NeverRemoved = []Code{JobSealed, LogKeepSet, LogRemoved, ErasureAsked, LogErased, LogAccepted, ClockJumped, ClockConfirmed,
	UserCreated, UserPasswordSet, PasswordChanged, TokenCreated, TokenRevoked, TokenRevokedBy, UserRoleSet, UserDisabled, UserEnabled, AppChanged, KillSwitchThrown, KillSwitchLifted,
	AccountsProtected, AccountUnprotected, JobStarted, JobStartNow, JobResumed}

// Retention is how long entries are kept, and what was removed.
type Retention struct {
	Months  int   // 0: for ever
	Removed int64 // entries up to this one were, except NeverRemoved
}

// Retention returns how long entries are kept.
func (l *Log) Retention(ctx context.Context) (Retention, error) {
	h, err := readHead(ctx, l.db.Reader())
	return Retention{Months: h.months, Removed: h.removed}, err
}

// SetRetention sets for how many months entries are kept; 0 is for ever.
func (l *Log) SetRetention(ctx context.Context, by Actor, months int) error {
	if months != 0 && (months < MinKeepMonths || months > maxKeepMonths) {
		return FaultKeepMonths.With(MinKeepMonths)
	}
	return l.db.Tx(ctx, func(tx *store.Tx) error {
		h, err := lockHead(ctx, tx)
		if err != nil || h.months == months {
			return err
		}
		if err := tx.Exec(ctx, `UPDATE audit_head SET keep_months = $1 WHERE id = 1`, months); err != nil {
			return err
		}
		return l.RecordIn(ctx, tx, Entry{Code: LogKeepSet, Actor: by, Details: map[string]any{"before": h.months, "after": months}})
	})
}

// entriesAtOnce is how many entries one transaction removes or erases.
const entriesAtOnce = 500

// Sweep removes the entries that are older than the retention period at a time, see
// TrustedTime; none at zero. The log records it first. The hashes stay, and so do the
// entries of [NeverRemoved].
func (l *Log) Sweep(ctx context.Context, now time.Time) error {
	if now.IsZero() {
		return nil
	}
	if err := l.db.Tx(ctx, func(tx *store.Tx) error { return l.removeOld(ctx, tx, now) }); err != nil {
		return err
	}
	all := 0
	for removed := entriesAtOnce; removed == entriesAtOnce; all += removed {
		if err := l.db.Tx(ctx, func(tx *store.Tx) (err error) { removed, err = l.removeSome(ctx, tx); return err }); err != nil {
			return err
		}
	}
	if all == 0 {
		return nil
	}
	return l.db.Scrub(ctx, "audit_lines", "audit_words")
}

// removeOld records in the log that entries older than the retention period are
// removed. It reads the age from the line of the last one, not from the index columns.
func (l *Log) removeOld(ctx context.Context, tx *store.Tx, now time.Time) error {
	h, err := lockHead(ctx, tx)
	if err != nil || h.months == 0 {
		return err
	}
	said, err := l.proven(ctx, tx, `code = $1 ORDER BY seq DESC LIMIT 1`, LogKeepSet)
	if err = store.IfNone(err, nil); err != nil {
		return err
	}
	if WholeNumber(said.Details["after"]) != int64(h.months) {
		return fmt.Errorf("audit: the log is to be kept for %d months, and no entry says so: nothing is removed", h.months)
	}
	// Once a day, because each removal adds an entry that stays.
	before := now.UTC().AddDate(0, -h.months, 0).Truncate(24 * time.Hour)
	e, err := l.proven(ctx, tx, `reached < $1 ORDER BY reached DESC, seq DESC LIMIT 1`, before.UnixMilli())
	if errors.Is(err, sql.ErrNoRows) || err == nil && e.Seq <= h.removed {
		return nil
	}
	if err != nil {
		return err
	}
	if !e.At.Before(before) {
		return fmt.Errorf("audit: entry %d of the log is not as old as what it is found by says: nothing is removed", e.Seq)
	}
	kept, err := store.Value[int64](ctx, tx,
		`SELECT COUNT(*) FROM audit_lines WHERE seq > $1 AND seq <= $2 AND code IN `+listOf(NeverRemoved), h.removed, e.Seq)
	if err != nil || kept == e.Seq-h.removed {
		return err
	}
	if err := tx.Exec(ctx, `UPDATE audit_head SET removed = $1 WHERE id = 1`, e.Seq); err != nil {
		return err
	}
	return l.RecordIn(ctx, tx, Entry{Code: LogRemoved, Actor: System,
		Details: map[string]any{"from": h.removed + 1, "to": e.Seq, "kept": kept, "last_at": e.At.UTC().Format(time.RFC3339)}})
}

// listOf is a list of codes for SQL.
func listOf(codes []Code) string {
	var list []string
	for _, code := range codes {
		list = append(list, "'"+string(code)+"'")
	}
	return "(" + strings.Join(list, ", ") + ")"
}

// removeSome deletes some of the entries that the log says are removed, and returns how many.
func (l *Log) removeSome(ctx context.Context, tx *store.Tx) (int, error) {
	old, err := store.Collect(ctx, tx, scanEntry,
		selectLines+`seq <= (SELECT removed FROM audit_head WHERE id = 1) AND code NOT IN `+listOf(NeverRemoved)+`
			ORDER BY seq LIMIT $1`, entriesAtOnce)
	for _, e := range old {
		if err == nil {
			err = forgetWords(ctx, tx, e)
		}
		if err == nil {
			err = tx.Exec(ctx, `DELETE FROM audit_lines WHERE seq = $1`, e.Seq)
		}
	}
	return len(old), err
}

func forgetWords(ctx context.Context, tx *store.Tx, e Entry) error {
	for _, word := range e.Terms() {
		if err := tx.Exec(ctx, `DELETE FROM audit_words WHERE word = $1 AND seq = $2`, word, e.Seq); err != nil {
			return err
		}
	}
	return nil
}
