package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
)

// FaultNoSession says that a person must sign in.
var FaultNoSession = fault.Declare(fault.Forbidden, "session.none", "You are not signed in, or your session has ended. Nothing was changed; sign in and try again.")

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

// SignIn opens a session, forgets the failed attempts before it, and removes
// sessions that have expired. by.Session is the new session's id.
func (s *Store) SignIn(ctx context.Context, by audit.Actor, session Session) error {
	now := millis(s.now())
	return s.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO sessions (id, token_hash, user_id, data, address, user_agent, created_at, seen_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			session.ID, session.TokenHash, session.UserID, session.Data, session.Address, clean(session.UserAgent, 300),
			millis(session.CreatedAt), millis(session.SeenAt), millis(session.ExpiresAt))
		if err != nil {
			return err
		}
		if err := one(ctx, tx, FaultNoUser.With(), `UPDATE users SET last_sign_in = $2 WHERE id = $1 AND disabled_at = 0`, session.UserID, now); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM sign_in_failures WHERE source = $1`, byName(by.Name, by.Address)); err != nil {
			return err
		}
		return s.record(ctx, tx, audit.Entry{Code: audit.SignInSucceeded, Actor: by})
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

func byName(name, address string) string { return clean(name, 100) + "@" + address }
func byAddress(address string) string    { return "@" + address }

// SignInFailed records a failed attempt of by.Name, as typed, from by.Address.
func (s *Store) SignInFailed(ctx context.Context, by audit.Actor, reason string) error {
	now := s.now()
	return s.tx(ctx, func(tx *sql.Tx) error {
		for _, source := range []string{byName(by.Name, by.Address), byAddress(by.Address)} {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO sign_in_failures (source, failures, last_at) VALUES ($1, 1, $2)
				ON CONFLICT (source) DO UPDATE SET last_at = excluded.last_at,
					failures = CASE WHEN sign_in_failures.last_at < $3 THEN 1 ELSE sign_in_failures.failures + 1 END`,
				source, millis(now), millis(now.Add(-forgetAfter)))
			if err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM sign_in_failures WHERE last_at < $1`, millis(now.Add(-forgetAfter))); err != nil {
			return err
		}
		return s.record(ctx, tx, audit.Entry{Code: audit.SignInFailed, Actor: by, Target: by.Name, Details: map[string]any{"reason": reason}})
	})
}

// SignInWait returns how long to wait until this name may try again from this
// address; 0 means now.
func (s *Store) SignInWait(ctx context.Context, name, address string) (time.Duration, error) {
	var longest time.Duration
	for source, allowed := range map[string]int{byName(name, address): nameAttempts, byAddress(address): addressAttempts} {
		var failures int
		var last int64
		err := s.read.QueryRowContext(ctx, `SELECT failures, last_at FROM sign_in_failures WHERE source = $1`, source).Scan(&failures, &last)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if failures < allowed {
			continue
		}
		wait := min(longestWait, 2*time.Second<<min(failures-allowed, 20))
		longest = max(longest, fromMillis(last).Add(wait).Sub(s.now()))
	}
	return longest, nil
}

// SessionByToken returns a session that is alive and its user.
func (s *Store) SessionByToken(ctx context.Context, tokenHash string) (session Session, user User, err error) {
	var created, seen, expires int64
	row := s.read.QueryRowContext(ctx, `
		SELECT s.id, s.token_hash, s.user_id, s.data, s.address, s.user_agent, s.created_at, s.seen_at, s.expires_at,
			`+userColumns+`
		FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.token_hash = $1 AND s.expires_at > $2 AND u.disabled_at = 0`, tokenHash, millis(s.now()))
	user, err = scanUser(prefixed{row, []any{&session.ID, &session.TokenHash, &session.UserID, &session.Data, &session.Address,
		&session.UserAgent, &created, &seen, &expires}})
	if errors.Is(err, sql.ErrNoRows) {
		return session, user, FaultNoSession.With()
	}
	session.CreatedAt, session.SeenAt, session.ExpiresAt = fromMillis(created), fromMillis(seen), fromMillis(expires)
	return session, user, err
}

// prefixed scans further columns before those of another scan.
type prefixed struct {
	scanner
	first []any
}

func (p prefixed) Scan(dest ...any) error { return p.scanner.Scan(append(p.first, dest...)...) }

// SaveSession keeps a session's data and how long it lives.
func (s *Store) SaveSession(ctx context.Context, session Session) error {
	_, err := s.write.ExecContext(ctx, `UPDATE sessions SET data = $2, seen_at = $3, expires_at = $4 WHERE id = $1`,
		session.ID, session.Data, millis(session.SeenAt), millis(session.ExpiresAt))
	return err
}

// SignOut ends the actor's session.
func (s *Store) SignOut(ctx context.Context, by audit.Actor) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		if err := one(ctx, tx, FaultNoSession.With(), `DELETE FROM sessions WHERE id = $1`, by.Session); err != nil {
			return err
		}
		return s.record(ctx, tx, audit.Entry{Code: audit.SignedOut, Actor: by})
	})
}

func endSessions(ctx context.Context, tx *sql.Tx, userID string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = $1`, userID)
	return err
}
