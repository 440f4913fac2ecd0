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

// Session is a sign-in that lasts. The cookie holds a secret; here is only its hash.
type Session struct {
	ID        string // public
	TokenHash string // hex SHA-256 of the cookie's secret
	UserID    string
	Data      string // JSON
	Address   string
	UserAgent string
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
}

// SignIn opens a session for a user whose password had this hash when it was
// compared, forgets the failed attempts before it, and removes sessions that
// have expired. by.Session is the new session's id.
func (us *Users) SignIn(ctx context.Context, by audit.Actor, session Session, passwordHash string) error {
	now := store.Millis(us.db.Now())
	return us.db.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.Exec(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, now); err != nil {
			return err
		}
		err := tx.Exec(ctx, `
			INSERT INTO sessions (id, token_hash, user_id, data, address, user_agent, created_at, seen_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			session.ID, session.TokenHash, session.UserID, session.Data, session.Address, store.Clean(session.UserAgent, 300),
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
		err = tx.Exec(ctx, `UPDATE sign_in_failures SET failures = failures - 1 WHERE source = $1 AND failures > 0`,
			byAddress(by.Address))
		if err != nil {
			return err
		}
		if err := tx.Exec(ctx, `DELETE FROM sign_in_failures WHERE source = $1`, byName(by.Name, by.Address)); err != nil {
			return err
		}
		return us.log.RecordIn(ctx, tx, audit.Entry{Code: audit.SignInSucceeded, Actor: by})
	})
}

// Failed attempts slow the next ones down: for a name from one address after
// the 3rd, doubling from 2 s to 15 min; for an address whatever the name after
// the 20th. A name alone is never locked, so that nobody can lock a colleague out.
const (
	nameAttempts    = 3
	addressAttempts = 20
	longestWait     = 15 * time.Minute
	forgetAfter     = time.Hour
)

func byName(name, address string) string { return store.Clean(name, 100) + "@" + address }
func byAddress(address string) string    { return "@" + address }

// TrySignIn counts an attempt before its password is looked at, so that many at
// once do not slip through. When there were too many it counts nothing and
// returns how long to wait. SignIn takes the count back.
func (us *Users) TrySignIn(ctx context.Context, name, address string) (wait time.Duration, err error) {
	now := us.db.Now()
	return wait, us.db.Tx(ctx, func(tx *store.Tx) error {
		err := tx.Exec(ctx, `DELETE FROM sign_in_failures WHERE last_at < $1`, store.Millis(now.Add(-forgetAfter)))
		if err != nil {
			return err
		}
		for _, source := range []string{byAddress(address), byName(name, address)} { // always locked in this order
			var failures int
			var last time.Time
			err := tx.QueryRowContext(ctx, `
				INSERT INTO sign_in_failures (source, failures, last_at) VALUES ($1, 0, $2)
				ON CONFLICT (source) DO UPDATE SET failures = sign_in_failures.failures RETURNING failures, last_at`,
				source, store.Millis(now)).Scan(&failures, store.ScanTime(&last))
			if err != nil {
				return err
			}
			allowed := nameAttempts
			if source == byAddress(address) {
				allowed = addressAttempts
			}
			if failures >= allowed {
				pause := min(longestWait, 2*time.Second<<min(failures-allowed, 20))
				wait = max(wait, last.Add(pause).Sub(now))
			}
		}
		if wait > 0 {
			return nil
		}
		return tx.Exec(ctx,
			`UPDATE sign_in_failures SET failures = failures + 1, last_at = $3 WHERE source = $1 OR source = $2`,
			byAddress(address), byName(name, address), store.Millis(now))
	})
}

// SignInFailed records that an attempt of by.Name, as typed, from by.Address failed.
func (us *Users) SignInFailed(ctx context.Context, by audit.Actor, reason string) error {
	return us.log.Record(ctx, audit.Entry{Code: audit.SignInFailed, Actor: by, Target: by.Name,
		Details: map[string]any{"reason": reason}})
}

// Session returns a session that is alive and its user.
func (us *Users) Session(ctx context.Context, tokenHash string) (session Session, user User, err error) {
	row := us.db.Reader().QueryRowContext(ctx, `
		SELECT s.id, s.token_hash, s.user_id, s.data, s.address, s.user_agent, s.created_at, s.seen_at, s.expires_at,
			`+userColumns+`
		FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.token_hash = $1 AND s.expires_at > $2 AND u.disabled_at = 0`, tokenHash, store.Millis(us.db.Now()))
	user, err = scanUser(store.ScanAlso(row, &session.ID, &session.TokenHash, &session.UserID, &session.Data, &session.Address,
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

func endSessions(ctx context.Context, tx *store.Tx, userID string) error {
	return tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1`, userID)
}
