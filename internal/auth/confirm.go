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
	if !by.IsUser() {
		return by, nil
	}
	if by.SignedIn == audit.ByToken && by.Session != "" {
		return stillByToken(ctx, q, by, p, now)
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

// stillByToken is still for a script.
func stillByToken(ctx context.Context, q store.Querier, by audit.Actor, p Permission, now time.Time) (audit.Actor, error) {
	var role Role
	var rights string
	err := q.QueryRowContext(ctx, `
		SELECT u.role, t.rights FROM tokens t JOIN users u ON u.id = t.user_id
		WHERE t.id = $1 AND t.user_id = $2 AND t.revoked_at = 0 AND t.expires_at > $3 AND u.disabled_at = 0`,
		by.Session, by.ID, store.Millis(now)).Scan(&role, &rights)
	switch token := (Token{Rights: rightsOf(rights)}); {
	case err != nil:
		return by, store.IfNone(err, FaultToken.With())
	case p != "" && !role.May(p):
		return by, FaultDenied.With(role)
	case p != "" && !token.May(p):
		return by, FaultTokenDenied.With(p)
	}
	by.Role = string(role)
	return by, nil
}

// Lost reports whether an error says that somebody may no longer do something.
func Lost(err error) bool {
	return FaultNoSession.Is(err) || FaultDenied.Is(err) || FaultToken.Is(err) || FaultTokenDenied.Is(err)
}

// Holder is who holds a session or a token.
type Holder struct {
	Role  Role
	Token *Token // nil: a session
}

// May reports whether the holder may do something.
func (h Holder) May(p Permission) bool { return h.Role.May(p) && (h.Token == nil || h.Token.May(p)) }

// Holders returns all holders of sessions and tokens that are valid, by their ids.
func (us *Users) Holders(ctx context.Context) (map[string]Holder, error) {
	holders := map[string]Holder{}
	return holders, store.Each(ctx, us.db.Reader(), func(row store.Scanner) error {
		var id, rights string
		var isToken bool
		var h Holder
		err := row.Scan(&id, &h.Role, &isToken, &rights)
		if isToken {
			h.Token = &Token{ID: id, Rights: rightsOf(rights)}
		}
		holders[id] = h
		return err
	}, `
		SELECT s.id, u.role, 1 = 0, '' FROM sessions s JOIN users u ON u.id = s.user_id
			WHERE u.disabled_at = 0 AND s.expires_at > $1
		UNION ALL
		SELECT t.id, u.role, 1 = 1, t.rights FROM tokens t JOIN users u ON u.id = t.user_id
			WHERE u.disabled_at = 0 AND t.revoked_at = 0 AND t.expires_at > $1`,
		store.Millis(us.db.Now()))
}
