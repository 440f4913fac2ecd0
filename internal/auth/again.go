package auth

import (
	"context"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// FaultAskAgain says that the password was typed too long ago for an action.
var FaultAskAgain = fault.Declare(fault.Forbidden, "password.again",
	"Nothing was done yet: you last typed your password more than 10 minutes ago. Type it again to continue.")

// askAgainAfter is how long a password that was typed is good for what asks for it again.
const askAgainAfter = 10 * time.Minute

// AsksAgain reports whether the password was typed too long ago. So it was if that is in the
// future: a clock was wrong.
func (s Session) AsksAgain(now time.Time) bool {
	return now.Sub(s.AuthenticatedAt).Abs() > askAgainAfter
}

// AskAgain returns FaultAskAgain when somebody typed their password in their session too long
// ago. What has no session, such as a command on the console's machine, is not asked.
// A script cannot type it: FaultTokenAlone.
func AskAgain(ctx context.Context, q store.Querier, by audit.Actor, now time.Time) error {
	switch {
	case by.Session == "":
		return nil
	case by.SignedIn == audit.ByToken:
		return FaultTokenAlone.With()
	}
	var s Session
	err := q.QueryRowContext(ctx, `SELECT authenticated_at FROM sessions WHERE id = $1`, by.Session).
		Scan(store.ScanTime(&s.AuthenticatedAt))
	switch {
	case err != nil:
		return store.IfNone(err, FaultNoSession.With())
	case s.AsksAgain(now):
		return FaultAskAgain.With()
	}
	return nil
}

// Confirm remembers that the actor typed their password again, which had this hash.
func (us *Users) Confirm(ctx context.Context, by audit.Actor, passwordHash string) error {
	return us.db.Tx(ctx, func(tx *store.Tx) error {
		err := store.One(ctx, tx, FaultNoSession.With(), `
			UPDATE sessions SET authenticated_at = $3 WHERE id = $1 AND user_id = $2
				AND EXISTS (SELECT 1 FROM users WHERE id = $2 AND password_hash = $4)`,
			by.Session, by.ID, store.Millis(us.db.Now()), passwordHash)
		if err != nil {
			return err
		}
		return us.log.RecordIn(ctx, tx, audit.Entry{Code: audit.PasswordConfirmed, Actor: by,
			Details: map[string]any{"password_sha256": digestOf(passwordHash)}})
	})
}
