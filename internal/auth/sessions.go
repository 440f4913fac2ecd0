package auth

import (
	"cmp"
	"context"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// FaultNoSession says that a person must sign in.
var FaultNoSession = fault.Declare(fault.Forbidden, "session.none",
	"You are not signed in, or your session has expired. Nothing was changed. Sign in and try again.")

// SessionLife is how long a session lasts at most, whatever is set.
const SessionLife = 24 * time.Hour

// Session is a sign-in that lasts.
type Session struct {
	ID        string // public; a hash of the secret in the cookie, so that entries of the log say which cookie acted
	UserID    string
	Data      string // JSON
	Address   string
	UserAgent string
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time

	AuthenticatedAt time.Time // when the password was typed last; at first CreatedAt
}

// sessionsKept is how many sessions a person has at most: the oldest ends.
const sessionsKept = 100

// everySession stands in the log for all sessions of a user but that of whoever ends them.
const everySession = "all"

// SignIn opens a session for a user whose password had this hash when it was
// compared. by.Session is the new session's id.
func (us *Users) SignIn(ctx context.Context, by audit.Actor, session Session, passwordHash string) error {
	now := store.Millis(us.db.Now())
	return us.db.Tx(ctx, func(tx *store.Tx) error {
		err := tx.Exec(ctx, `
			INSERT INTO sessions (id, user_id, data, address, user_agent, created_at, seen_at, expires_at, authenticated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $6)`,
			session.ID, session.UserID, session.Data, session.Address, store.Clean(session.UserAgent, 300),
			store.Millis(session.CreatedAt), store.Millis(session.SeenAt), store.Millis(session.ExpiresAt))
		if err != nil {
			return err
		}
		err = store.One(ctx, tx, FaultNoSession.With(),
			`UPDATE users SET last_sign_in = $2 WHERE id = $1 AND disabled_at = 0 AND password_hash = $3`,
			session.UserID, now, passwordHash)
		if err != nil {
			return err
		}
		err = tx.Exec(ctx, `
			DELETE FROM sessions WHERE user_id = $1 AND id NOT IN (
				SELECT id FROM sessions WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2)`,
			session.UserID, sessionsKept)
		if err != nil {
			return err
		}
		return us.log.RecordIn(ctx, tx, audit.Entry{Code: audit.SignInSucceeded, Actor: by,
			Details: map[string]any{"password_sha256": digestOf(passwordHash)}})
	})
}

// Session returns a session that is alive and its user.
func (us *Users) Session(ctx context.Context, id string) (session Session, user User, err error) {
	row := us.db.Reader().QueryRowContext(ctx, `
		SELECT `+sessionColumns+`, `+userColumns+`
		FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.id = $1 AND s.expires_at > $2 AND u.disabled_at = 0`, id, store.Millis(us.db.Now()))
	user, err = scanUser(store.ScanAlso(row, session.columns()...))
	return session, user, store.IfNone(err, FaultNoSession.With())
}

const sessionColumns = `s.id, s.user_id, s.data, s.address, s.user_agent, s.created_at, s.seen_at, s.expires_at, s.authenticated_at`

// columns are where sessionColumns are read to.
func (s *Session) columns() []any {
	return []any{&s.ID, &s.UserID, &s.Data, &s.Address, &s.UserAgent,
		store.ScanTime(&s.CreatedAt), store.ScanTime(&s.SeenAt), store.ScanTime(&s.ExpiresAt), store.ScanTime(&s.AuthenticatedAt)}
}

// Sessions returns the sessions that are alive of a user, or with "" of everybody: the one
// that was seen last first.
func (us *Users) Sessions(ctx context.Context, userID string) ([]Session, error) {
	return store.Collect(ctx, us.db.Reader(), func(row store.Scanner) (s Session, err error) {
		return s, row.Scan(s.columns()...)
	}, `SELECT `+sessionColumns+` FROM sessions s
		WHERE s.expires_at > $1 AND (CAST($2 AS TEXT) = '' OR s.user_id = $2)
		ORDER BY s.seen_at DESC, s.id`, store.Millis(us.db.Now()), userID)
}

// SaveSession keeps a session's data and how long it lives.
func (us *Users) SaveSession(ctx context.Context, session Session) error {
	return us.db.Exec(ctx, `UPDATE sessions SET data = $2, seen_at = $3, expires_at = $4 WHERE id = $1`,
		session.ID, session.Data, store.Millis(session.SeenAt), store.Millis(session.ExpiresAt))
}

// SignOut ends the actor's session.
func (us *Users) SignOut(ctx context.Context, by audit.Actor) error {
	return us.db.Tx(ctx, func(tx *store.Tx) error {
		if err := store.One(ctx, tx, FaultNoSession.With(), `DELETE FROM sessions WHERE id = $1`, by.Session); err != nil {
			return err
		}
		return us.log.RecordIn(ctx, tx, audit.Entry{Code: audit.SignedOut, Actor: by})
	})
}

// EndSessions ends a session of a user, or with "" all of them but the actor's. Whoever ends
// those of somebody else needs ManageUsers. A session that has ended is no fault.
func (us *Users) EndSessions(ctx context.Context, by audit.Actor, userID, session string) error {
	code := audit.SessionEnded
	if by.ID != userID {
		code = audit.SessionEndedBy
	}
	return us.db.Tx(ctx, func(tx *store.Tx) error {
		// As signing in does: a session that begins meanwhile is ended too, or begins after the entry.
		if err := tx.Exec(ctx, `UPDATE users SET role = role WHERE id = $1`, userID); err != nil {
			return err
		}
		user, err := find(ctx, tx, `u.id = $1`, userID)
		if err != nil {
			return err
		}
		ended, err := store.Column[string](ctx, tx, `
			DELETE FROM sessions WHERE user_id = $1 AND id <> $2 AND (CAST($3 AS TEXT) = '' OR id = $3) RETURNING id`,
			userID, by.Session, session)
		if err != nil || len(ended) == 0 {
			return err
		}
		return us.log.RecordIn(ctx, tx, audit.Entry{Code: code, Actor: by, Target: user.Name,
			Details: map[string]any{"user": userID, "ended": cmp.Or(session, everySession), "count": len(ended)}})
	})
}

// Sweep removes sessions that have expired.
func (us *Users) Sweep(ctx context.Context) error {
	return us.db.Exec(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, store.Millis(us.db.Now()))
}

// endAll ends the sessions and tokens of a user.
func (us *Users) endAll(ctx context.Context, tx *store.Tx, userID string) error {
	if err := tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1`, userID); err != nil {
		return err
	}
	return revokeTokens(ctx, tx, userID, us.db.Now())
}
