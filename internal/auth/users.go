package auth

import (
	"context"
	"slices"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Faults about users.
var (
	FaultNoUser   = fault.Declare(fault.NotFound, "user.none", "This user does not exist. See the list of users.")
	FaultUserName = fault.Declare(fault.Invalid, "user.name",
		"The user was not saved: a user name has 1 to 64 characters. Allowed are letters, digits, dots, hyphens, "+
			"underscores and @.")
	FaultUserTaken = fault.Declare(fault.Conflict, "user.exists",
		"The user was not created: the user name %s already exists.")
	FaultUserRole = fault.Declare(fault.Invalid, "user.role",
		"The user was not saved: the role must be operator, admin or auditor.")
	FaultLastAdmin = fault.Declare(fault.Conflict, "user.last_admin",
		"Nothing was changed: this is the last admin who can sign in. Create another admin first.")
)

// User is a person who may sign in, unless DisabledAt is set.
type User struct {
	ID           string
	Name         string
	Role         Role
	PasswordHash string
	CreatedAt    time.Time
	DisabledAt   time.Time
	LastSignIn   time.Time
	Preferences
}

const userColumns = `u.id, u.name, u.role, u.password_hash, u.created_at, u.disabled_at, u.last_sign_in,
	u.language, u.time_zone, u.theme`

func scanUser(row store.Scanner) (u User, err error) {
	return u, row.Scan(&u.ID, &u.Name, &u.Role, &u.PasswordHash,
		store.ScanTime(&u.CreatedAt), store.ScanTime(&u.DisabledAt), store.ScanTime(&u.LastSignIn),
		&u.Language, &u.TimeZone, &u.Theme)
}

// Users are those who may sign in, with their sessions. Its methods may be called
// at the same time.
type Users struct {
	db       *store.DB
	log      *audit.Log
	attempts *attempts
}

// New returns the users of a database. What changes them is recorded in the log, and the
// log asks them for the rights of whoever acts.
func New(db *store.DB, log *audit.Log) *Users {
	us := &Users{db: db, log: log, attempts: newAttempts()}
	log.AskRights(us.asNow)
	return us
}

// Create adds a user with a unique name; upper and lower case count as the same. The names
// that the console itself writes in the log are taken.
func (us *Users) Create(ctx context.Context, by audit.Actor, name string, role Role, passwordHash string) (User, error) {
	if !ValidName(name) {
		return User{}, FaultUserName.With()
	}
	if slices.Contains(audit.OwnNames, foldName(name)) {
		return User{}, FaultUserTaken.With(name)
	}
	if !role.Valid() {
		return User{}, FaultUserRole.With()
	}
	now := us.db.Now()
	u := User{ID: store.NewID(now), Name: name, Role: role, PasswordHash: passwordHash,
		CreatedAt: now.Truncate(time.Millisecond).UTC()}
	return u, us.db.Tx(ctx, func(tx *store.Tx) error {
		err := store.One(ctx, tx, FaultUserTaken.With(name), `
			INSERT INTO users (id, name, folded_name, role, password_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (folded_name) DO NOTHING`,
			u.ID, u.Name, foldName(u.Name), u.Role, u.PasswordHash, store.Millis(u.CreatedAt))
		if err != nil {
			return err
		}
		return us.log.RecordIn(ctx, tx, audit.Entry{Code: audit.UserCreated, Actor: by, Target: name,
			Details: map[string]any{"user": u.ID, "role": role, "password_sha256": digestOf(passwordHash)}})
	})
}

// List returns all users by name.
func (us *Users) List(ctx context.Context) ([]User, error) {
	return store.Collect(ctx, us.db.Reader(), scanUser, `SELECT `+userColumns+` FROM users u ORDER BY u.folded_name`)
}

// ByID returns a user.
func (us *Users) ByID(ctx context.Context, id string) (User, error) {
	return find(ctx, us.db.Reader(), `u.id = $1`, id)
}

// ByName returns a user by name, in upper or lower case.
func (us *Users) ByName(ctx context.Context, name string) (User, error) {
	return find(ctx, us.db.Reader(), `u.folded_name = $1`, store.Clean(foldName(name), 100))
}

func find(ctx context.Context, q store.Querier, where, arg string) (User, error) {
	u, err := scanUser(q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE `+where, arg))
	return u, store.IfNone(err, FaultNoUser.With())
}

// SetPassword replaces a password, and ends the user's sessions and tokens.
func (us *Users) SetPassword(ctx context.Context, by audit.Actor, id, passwordHash string) error {
	details := map[string]any{"password_sha256": digestOf(passwordHash)}
	return us.change(ctx, by, id, audit.UserPasswordSet, details, func(tx *store.Tx) error {
		if err := tx.Exec(ctx, `UPDATE users SET password_hash = $2 WHERE id = $1`, id, passwordHash); err != nil {
			return err
		}
		return us.endAll(ctx, tx, id)
	})
}

// ChangePassword replaces the actor's own password, which had a hash when it was typed, and
// ends their other sessions.
func (us *Users) ChangePassword(ctx context.Context, by audit.Actor, before, passwordHash string) error {
	return us.db.Tx(ctx, func(tx *store.Tx) error {
		err := store.One(ctx, tx, FaultNoSession.With(),
			`UPDATE users SET password_hash = $2 WHERE id = $1 AND password_hash = $3`, by.ID, passwordHash, before)
		if err == nil {
			err = tx.Exec(ctx, `DELETE FROM sessions WHERE user_id = $1 AND id <> $2`, by.ID, by.Session)
		}
		if err == nil {
			err = revokeTokens(ctx, tx, by.ID, us.db.Now())
		}
		if err == nil {
			err = tx.Exec(ctx, `UPDATE sessions SET authenticated_at = $2 WHERE id = $1`, by.Session, store.Millis(us.db.Now()))
		}
		if err != nil {
			return err
		}
		return us.log.RecordIn(ctx, tx, audit.Entry{Code: audit.PasswordChanged, Actor: by, Target: by.Name,
			Details: map[string]any{"user": by.ID, "password_sha256": digestOf(passwordHash)}})
	})
}

// SetRole gives a user another role; sessions continue with it.
func (us *Users) SetRole(ctx context.Context, by audit.Actor, id string, role Role) error {
	if !role.Valid() {
		return FaultUserRole.With()
	}
	return us.change(ctx, by, id, audit.UserRoleSet, map[string]any{"role": role}, func(tx *store.Tx) error {
		return tx.Exec(ctx, `UPDATE users SET role = $2 WHERE id = $1`, id, role)
	})
}

// SetDisabled bars a user, ending the sessions, or lets them back in.
func (us *Users) SetDisabled(ctx context.Context, by audit.Actor, id string, disabled bool) error {
	code, at := audit.UserEnabled, int64(0)
	if disabled {
		code, at = audit.UserDisabled, store.Millis(us.db.Now())
	}
	return us.change(ctx, by, id, code, map[string]any{}, func(tx *store.Tx) error {
		if err := tx.Exec(ctx, `UPDATE users SET disabled_at = $2 WHERE id = $1`, id, at); err != nil || !disabled {
			return err
		}
		return us.endAll(ctx, tx, id)
	})
}

// change makes a change of a user who exists, keeps at least one admin who can sign in, and records it.
func (us *Users) change(ctx context.Context, by audit.Actor, id string, code audit.Code, details map[string]any,
	change func(*store.Tx) error) error {
	return us.db.Tx(ctx, func(tx *store.Tx) error {
		// Every admin's row, so that two admins who disable each other at once cannot both succeed.
		if err := tx.Exec(ctx, `UPDATE users SET role = role WHERE role = 'admin'`); err != nil {
			return err
		}
		by, err := us.still(ctx, tx, by, ManageUsers) // the session may end by the change itself
		if err != nil {
			return err
		}
		before, err := find(ctx, tx, `u.id = $1`, id)
		if err == nil {
			err = change(tx)
		}
		if err != nil {
			return err
		}
		admins, err := store.Value[int](ctx, tx, `SELECT COUNT(*) FROM users WHERE role = 'admin' AND disabled_at = 0`)
		if err != nil {
			return err
		}
		if admins == 0 && before.Role == Admin && before.DisabledAt.IsZero() {
			return FaultLastAdmin.With()
		}
		if details["user"] = id; code == audit.UserRoleSet {
			details["before"] = before.Role
		}
		return us.log.RecordIn(ctx, tx, audit.Entry{Code: code, Actor: by, Target: before.Name, Details: details})
	})
}
