package jobs

import (
	"context"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// KillSwitch stops all sending, of every app, while it is thrown.
type KillSwitch struct {
	ThrownAt time.Time // zero: it is not
	ThrownBy string
	Reason   string
}

// Thrown reports whether no call may leave.
func (k KillSwitch) Thrown() bool { return !k.ThrownAt.IsZero() }

// KillSwitch returns how the kill switch stands.
func (s *Jobs) KillSwitch(ctx context.Context) (k KillSwitch, err error) {
	err = s.db.Reader().QueryRowContext(ctx, `SELECT thrown_at, thrown_by, reason FROM kill_switch WHERE id = 1`).
		Scan(store.ScanTime(&k.ThrownAt), &k.ThrownBy, &k.Reason)
	return k, store.AsTrouble(err)
}

// ThrowKillSwitch stops all sending: once it returns no batch is claimed any more,
// and the last call leaves within a second. Throwing it again changes nothing.
func (s *Jobs) ThrowKillSwitch(ctx context.Context, by audit.Actor, reason string) error {
	to := KillSwitch{ThrownAt: s.db.Now(), ThrownBy: store.Clean(by.Name, 100), Reason: store.Clean(reason, 500)}
	return s.setKillSwitch(ctx, by, to, `thrown_at = 0`, audit.KillSwitchThrown)
}

// LiftKillSwitch lets sending go on where it stood. Lifting it again changes nothing.
func (s *Jobs) LiftKillSwitch(ctx context.Context, by audit.Actor) error {
	return s.setKillSwitch(ctx, by, KillSwitch{}, `thrown_at <> 0`, audit.KillSwitchLifted)
}

// RestoredReason is the reason with which the kill switch is thrown when the
// database turns out to be older than what was published of its log.
const RestoredReason = "restored"

// HoldSending throws the kill switch for RestoredReason, replacing any earlier reason.
func (s *Jobs) HoldSending(ctx context.Context) error {
	to := KillSwitch{ThrownAt: s.db.Now(), ThrownBy: audit.System.Name, Reason: RestoredReason}
	return s.setKillSwitch(ctx, audit.System, to, `(thrown_at = 0 OR reason <> $3)`, audit.KillSwitchThrown)
}

func (s *Jobs) setKillSwitch(ctx context.Context, by audit.Actor, to KillSwitch, while string, code audit.Code) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		n, err := tx.Changed(ctx, `UPDATE kill_switch SET thrown_at = $1, thrown_by = $2, reason = $3 WHERE id = 1 AND `+while,
			store.Millis(to.ThrownAt), to.ThrownBy, to.Reason)
		if err != nil || n == 0 {
			return err
		}
		details := map[string]any{}
		if to.Reason != "" {
			details["reason"] = to.Reason
		}
		return s.log.RecordIn(ctx, tx, audit.Entry{Code: code, Actor: by, Details: details})
	})
}

// Trouble says why no calls are made: they could not be written down.
type Trouble struct {
	Since     time.Time
	Fault     *fault.Error
	Unwritten int // batches in hand whose end could not be written down yet
}
