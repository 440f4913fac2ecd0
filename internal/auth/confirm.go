package auth

import (
	"context"
	"slices"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// FaultDenied says that a role does not allow something.
var FaultDenied = fault.Declare(fault.Forbidden, "access.denied",
	"Your role (%s) does not allow this. Nothing was changed. Ask an admin if you need access.")

// asNow implements audit.Rights: what needed asks for, of a session that lasts. A sign-out
// has ended its session; what changes a user may end that of whoever does it, and has
// asked before (see change).
func (us *Users) asNow(ctx context.Context, q store.Querier, by audit.Actor, code audit.Code) (audit.Actor, error) {
	switch {
	case code == audit.SignedOut:
		role, err := store.Value[string](ctx, q, `SELECT role FROM users WHERE id = $1`, by.ID)
		by.Role = role
		return by, store.IfNone(err, FaultNoSession.With())
	case slices.Contains(changesOther, code), by.Session == "" && slices.Contains(summed, code):
		return by, nil
	}
	return us.still(ctx, q, by, needed[code])
}

func (us *Users) still(ctx context.Context, q store.Querier, by audit.Actor, p Permission) (audit.Actor, error) {
	return still(ctx, q, by, p, us.db.Now())
}

// Still returns somebody who did something earlier with the role they have now, if they
// may do it still, in whatever session. Faults: FaultNoSession, FaultDenied.
func Still(ctx context.Context, q store.Querier, by audit.Actor, p Permission) (audit.Actor, error) {
	session := by.Session
	by.Session = ""
	by, err := still(ctx, q, by, p, time.Time{})
	by.Session = session
	return by, err
}

// still returns somebody with the role they have now, if they may still do something; ""
// needs a session alone, which lasts at a time. Whoever has none did it earlier. What the
// console itself does, and people on its machine, needs no user.
func still(ctx context.Context, q store.Querier, by audit.Actor, p Permission, now time.Time) (audit.Actor, error) {
	if by.Session == "" && by.SignedIn != audit.ByPassword {
		return by, nil
	}
	role, err := store.Value[Role](ctx, q, `
		SELECT u.role FROM users u WHERE u.id = $1 AND u.disabled_at = 0 AND (CAST($2 AS TEXT) = '' OR EXISTS (
			SELECT 1 FROM sessions s WHERE s.id = $2 AND s.user_id = u.id AND s.expires_at > $3))`,
		by.ID, by.Session, store.Millis(now))
	switch {
	case err != nil:
		return by, store.IfNone(err, FaultNoSession.With())
	case p != "" && !role.May(p):
		return by, FaultDenied.With(role)
	}
	by.Role = string(role)
	return by, nil
}

// Lost reports whether an error says that somebody may no longer do something.
func Lost(err error) bool { return FaultNoSession.Is(err) || FaultDenied.Is(err) }

// Roles returns the role of everybody who is signed in, by session.
func (us *Users) Roles(ctx context.Context) (map[string]Role, error) {
	roles := map[string]Role{}
	return roles, store.Each(ctx, us.db.Reader(), func(row store.Scanner) error {
		var session string
		var role Role
		err := row.Scan(&session, &role)
		roles[session] = role
		return err
	}, `SELECT s.id, u.role FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.disabled_at = 0 AND s.expires_at > $1`,
		store.Millis(us.db.Now()))
}
