package jobs

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Faults about users.
var (
	FaultNoUser    = fault.Declare(fault.NotFound, "user.none", "There is no such user. Look at the list of users.")
	FaultUserName  = fault.Declare(fault.Invalid, "user.name", "The user was not saved: a name has 1 to 64 letters, digits, dots, hyphens, underscores or @.")
	FaultUserTaken = fault.Declare(fault.Conflict, "user.exists", "The user was not created: there is already a user called %s.")
	FaultUserRole  = fault.Declare(fault.Invalid, "user.role", "The user was not saved: the role is operator, admin or auditor.")
	FaultLastAdmin = fault.Declare(fault.Conflict, "user.last_admin", "Nothing was changed: this is the last admin who can sign in. Make another admin first.")
)

// User is a person who may sign in, unless DisabledAt is set.
type User struct {
	ID           string
	Name         string
	Role         auth.Role
	PasswordHash string
	CreatedAt    time.Time
	DisabledAt   time.Time
	LastSignIn   time.Time
}

const userColumns = `u.id, u.name, u.role, u.password_hash, u.created_at, u.disabled_at, u.last_sign_in`

func scanUser(row store.Scanner) (u User, err error) {
	var created, disabled, signedIn int64
	err = row.Scan(&u.ID, &u.Name, &u.Role, &u.PasswordHash, &created, &disabled, &signedIn)
	u.CreatedAt, u.DisabledAt, u.LastSignIn = store.FromMillis(created), store.FromMillis(disabled), store.FromMillis(signedIn)
	return u, err
}

// CreateUser adds a user with a unique name.
func (s *Jobs) CreateUser(ctx context.Context, by audit.Actor, name string, role auth.Role, passwordHash string) (User, error) {
	if !auth.ValidName(name) {
		return User{}, FaultUserName.With()
	}
	if !role.Valid() {
		return User{}, FaultUserRole.With()
	}
	now := s.db.Now()
	u := User{ID: store.NewID(now), Name: name, Role: role, PasswordHash: passwordHash, CreatedAt: store.FromMillis(store.Millis(now))}
	return u, s.db.Tx(ctx, func(tx *store.Tx) error {
		err := store.One(ctx, tx, FaultUserTaken.With(name), `
			INSERT INTO users (id, name, role, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (name) DO NOTHING`,
			u.ID, u.Name, u.Role, u.PasswordHash, store.Millis(u.CreatedAt))
		if err != nil {
			return err
		}
		return s.log.RecordIn(ctx, tx, audit.Entry{Code: audit.UserCreated, Actor: by, Target: name, Details: map[string]any{"role": role}})
	})
}

// Users returns all users by name.
func (s *Jobs) Users(ctx context.Context) ([]User, error) {
	return store.Collect(ctx, s.db.Reader(), scanUser, `SELECT `+userColumns+` FROM users u ORDER BY u.name`)
}

// User returns a user by id.
func (s *Jobs) User(ctx context.Context, id string) (User, error) {
	return s.user(ctx, `u.id = $1`, id)
}

// UserByName returns a user by exact name.
func (s *Jobs) UserByName(ctx context.Context, name string) (User, error) {
	return s.user(ctx, `u.name = $1`, store.Clean(name, 100))
}

func (s *Jobs) user(ctx context.Context, where string, arg string) (User, error) {
	u, err := scanUser(s.db.Reader().QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE `+where, arg))
	if errors.Is(err, sql.ErrNoRows) {
		return u, FaultNoUser.With()
	}
	return u, err
}

// SetUserPassword replaces a password and ends the user's sessions.
func (s *Jobs) SetUserPassword(ctx context.Context, by audit.Actor, id, passwordHash string) error {
	return s.changeUser(ctx, by, id, audit.UserPasswordSet, nil, func(tx *store.Tx) error {
		if err := store.One(ctx, tx, FaultNoUser.With(), `UPDATE users SET password_hash = $2 WHERE id = $1`, id, passwordHash); err != nil {
			return err
		}
		return endSessions(ctx, tx, id)
	})
}

// SetUserRole gives a user another role; sessions go on with it.
func (s *Jobs) SetUserRole(ctx context.Context, by audit.Actor, id string, role auth.Role) error {
	if !role.Valid() {
		return FaultUserRole.With()
	}
	return s.changeUser(ctx, by, id, audit.UserRoleSet, map[string]any{"role": role}, func(tx *store.Tx) error {
		return store.One(ctx, tx, FaultNoUser.With(), `UPDATE users SET role = $2 WHERE id = $1`, id, role)
	})
}

// SetUserDisabled bars a user, ending the sessions, or lets them back in.
func (s *Jobs) SetUserDisabled(ctx context.Context, by audit.Actor, id string, disabled bool) error {
	code, at := audit.UserEnabled, int64(0)
	if disabled {
		code, at = audit.UserDisabled, store.Millis(s.db.Now())
	}
	return s.changeUser(ctx, by, id, code, nil, func(tx *store.Tx) error {
		if err := store.One(ctx, tx, FaultNoUser.With(), `UPDATE users SET disabled_at = $2 WHERE id = $1`, id, at); err != nil || !disabled {
			return err
		}
		return endSessions(ctx, tx, id)
	})
}

// changeUser makes a change, keeps at least one admin who can sign in, and records it.
func (s *Jobs) changeUser(ctx context.Context, by audit.Actor, id string, code audit.Code, details map[string]any, change func(*store.Tx) error) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		// Every admin's row, so that two admins who disable each other at once cannot both succeed.
		if _, err := tx.ExecContext(ctx, `UPDATE users SET role = role WHERE role = 'admin'`); err != nil {
			return err
		}
		before, err := scanUser(tx.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, id))
		if errors.Is(err, sql.ErrNoRows) {
			return FaultNoUser.With()
		}
		if err == nil {
			err = change(tx)
		}
		if err != nil {
			return err
		}
		var admins int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM users WHERE role = 'admin' AND disabled_at = 0`).Scan(&admins); err != nil {
			return err
		}
		if admins == 0 && before.Role == auth.Admin && before.DisabledAt.IsZero() {
			return FaultLastAdmin.With()
		}
		if details != nil {
			details["before"] = before.Role
		}
		return s.log.RecordIn(ctx, tx, audit.Entry{Code: code, Actor: by, Target: before.Name, Details: details})
	})
}
