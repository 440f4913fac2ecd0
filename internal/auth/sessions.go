package auth

import (
	"context"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// FaultNoSession says that a person must sign in.
var FaultNoSession = fault.Declare(fault.Forbidden, "session.none",
	"You are not signed in, or your session has expired. Nothing was changed. Sign in and try again.")

// SessionLife is how long a session lasts at most.
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
}

// sessionsKept is how many sessions a person has at most: the oldest ends.
const sessionsKept = 100

// SignIn opens a session for a user whose password had this hash when it was
// compared. by.Session is the new session's id.
func (us *Users) SignIn(ctx context.Context, by audit.Actor, session Session, passwordHash string) error {
	now := store.Millis(us.db.Now())
	return us.db.Tx(ctx, func(tx *store.Tx) error {
		err := tx.Exec(ctx, `
			INSERT INTO sessions (id, user_id, data, address, user_agent, created_at, seen_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
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
		SELECT s.id, s.user_id, s.data, s.address, s.user_agent, s.created_at, s.seen_at, s.expires_at,
			`+userColumns+`
		FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.id = $1 AND s.expires_at > $2 AND u.disabled_at = 0`, id, store.Millis(us.db.Now()))
	user, err = scanUser(store.ScanAlso(row, &session.ID, &session.UserID, &session.Data, &session.Address,
		&session.UserAgent, store.ScanTime(&session.CreatedAt), store.ScanTime(&session.SeenAt), store.ScanTime(&session.ExpiresAt)))
	return session, user, store.IfNone(err, FaultNoSession.With())
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

// Sweep removes sessions that have expired.
func (us *Users) Sweep(ctx context.Context) error {
	return us.db.Exec(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, store.Millis(us.db.Now()))
}

func endSessions(ctx context.Context, tx *store.Tx, userID string) error {
	return tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1`, userID)
}
