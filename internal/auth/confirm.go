package auth

import (
	"context"
	"slices"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// FaultDenied says that a role does not allow something.
var FaultDenied = fault.Declare(fault.Forbidden, "access.denied",
	"Your role (%s) does not allow this. Nothing was changed. Ask an admin if you need access.")

// Confirm asks again whether somebody who signed in may still do something, in the
// transaction that does it: since the request began, their session may have ended, and they
// may have been disabled or have another role. It returns FaultNoSession or FaultDenied.
// The console itself, and people on its machine, have no session.
func Confirm(ctx context.Context, q store.Querier, by audit.Actor, p Permission) error {
	if by.Session == "" {
		return nil
	}
	role, err := store.Value[Role](ctx, q, `
		SELECT u.role FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 AND u.disabled_at = 0`, by.Session)
	if err != nil {
		return store.IfNone(err, FaultNoSession.With())
	}
	if !role.May(p) {
		return FaultDenied.With(role)
	}
	return nil
}

// asNow implements audit.Rights: what needed asks for, of a session that lasts. A sign-out
// has ended its session; what changes a user may end that of whoever does it, and has
// asked before (see change).
func (us *Users) asNow(ctx context.Context, q store.Querier, by audit.Actor, code audit.Code) (audit.Actor, error) {
	switch {
	case code == audit.SignedOut:
		role, err := store.Value[string](ctx, q, `SELECT role FROM users WHERE id = $1`, by.ID)
		by.Role = role
		return by, store.IfNone(err, FaultNoSession.With())
	case slices.Contains(changesUser, code) && code != audit.UserCreated, by.Session == "" && slices.Contains(summed, code):
		return by, nil
	}
	return us.still(ctx, q, by, needed[code])
}

// still returns somebody with the role they have now, if they may still do something; ""
// needs a session alone. Whoever asked for a second person has none when it is done.
// Faults: FaultNoSession, FaultDenied.
func (us *Users) still(ctx context.Context, q store.Querier, by audit.Actor, p Permission) (audit.Actor, error) {
	if by.Session == "" && by.SignedIn != audit.ByPassword {
		return by, nil
	}
	role, err := store.Value[Role](ctx, q, `
		SELECT u.role FROM users u WHERE u.id = $1 AND u.disabled_at = 0 AND (CAST($2 AS TEXT) = '' OR EXISTS (
			SELECT 1 FROM sessions s WHERE s.id = $2 AND s.user_id = u.id AND s.expires_at > $3))`,
		by.ID, by.Session, store.Millis(us.db.Now()))
	switch {
	case err != nil:
		return by, store.IfNone(err, FaultNoSession.With())
	case p != "" && !role.May(p):
		return by, FaultDenied.With(role)
	}
	by.Role = string(role)
	return by, nil
}

// StillMay reports whether the user who did something earlier may do it now. What the
// console itself did, and people on its machine, needs no user.
func StillMay(ctx context.Context, q store.Querier, by audit.Actor, p Permission) (bool, error) {
	_, may, err := Now(ctx, q, by, p)
	return may, err
}

// Now is somebody who did something earlier, with the role they have now, and whether that
// one may do it.
func Now(ctx context.Context, q store.Querier, by audit.Actor, p Permission) (now audit.Actor, may bool, err error) {
	if by.SignedIn != audit.ByPassword {
		return by, true, nil
	}
	role, err := store.Column[Role](ctx, q, `SELECT role FROM users WHERE id = $1 AND disabled_at = 0`, by.ID)
	if len(role) == 1 {
		by.Role = string(role[0])
	}
	return by, len(role) == 1 && role[0].May(p), err
}

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
