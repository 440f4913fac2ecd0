package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Faults of tokens.
var (
	FaultToken = fault.Declare(fault.Forbidden, "token.invalid",
		"The token is unknown, has expired or was revoked. Nothing was changed. Create another one on your account page.")
	FaultTokenDenied = fault.Declare(fault.Forbidden, "token.denied",
		"This token does not allow this. Nothing was changed. Use a token with the permission %s, or sign in.")
	FaultTokenAlone = fault.Declare(fault.Forbidden, "token.alone",
		"Nothing was done: no token lets a job of so many accounts run. Do it on the job page, where your password is asked for.")
	FaultTokenName = fault.Declare(fault.Invalid, "token.name",
		"No token was created: give it a name of 1 to %d characters.")
	FaultTokenRights = fault.Declare(fault.Invalid, "token.rights",
		"No token was created: choose at least one permission. A token cannot have more than your role has.")
	FaultTokenLife = fault.Declare(fault.Invalid, "token.life",
		"No token was created: it can be valid for 1 to %d days.")
	FaultTokens = fault.Declare(fault.Conflict, "token.many",
		"No token was created: you have %d already. Revoke one first.")
	FaultNoToken = fault.Declare(fault.NotFound, "token.none",
		"This token does not exist, or was revoked already. See the list of tokens.")
)

// Limits of tokens.
const (
	TokenDays   = 365 // the longest life
	tokenName   = 60  // characters
	mostTokens  = 20  // of a person, that are valid
	tokenPrefix = "tagsweep_"
)

// TokenRights are the permissions that a token may have: what scripts do. Nobody manages
// users, approves or signs off by one.
var TokenRights = []Permission{ReadJobs, RunJobs, Protect, ReadAudit}

// Token lets a script act in the name of a person. The person has the secret; the database
// has a hash of it, the id.
type Token struct {
	ID        string
	UserID    string
	Name      string
	Rights    []Permission
	CreatedAt time.Time
	ExpiresAt time.Time
	RevokedAt time.Time // zero: not
	UsedAt    time.Time // zero: never
	UsedFrom  string    // an address
}

// May reports whether the token allows what its person may do. What is for whoever is signed
// in, such as their own account, no token allows.
func (t Token) May(p Permission) bool {
	return p == Public || slices.Contains(t.Rights, p)
}

const tokenColumns = `t.id, t.user_id, t.name, t.rights, t.created_at, t.expires_at, t.revoked_at, t.used_at, t.used_from`

// tokenRow is where tokenColumns are read to.
type tokenRow struct {
	Token
	rights string
}

func (t *tokenRow) columns() []any {
	return []any{&t.ID, &t.UserID, &t.Name, &t.rights, store.ScanTime(&t.CreatedAt), store.ScanTime(&t.ExpiresAt),
		store.ScanTime(&t.RevokedAt), store.ScanTime(&t.UsedAt), &t.UsedFrom}
}

func (t *tokenRow) token() Token {
	t.Rights = rightsOf(t.rights)
	return t.Token
}

func scanToken(row store.Scanner) (Token, error) {
	var t tokenRow
	err := row.Scan(t.columns()...)
	return t.token(), err
}

func rightsOf(list string) (rights []Permission) {
	for right := range strings.FieldsSeq(list) {
		rights = append(rights, Permission(right))
	}
	return rights
}

func rightsText(rights []Permission) string {
	var list []string
	for _, right := range rights {
		list = append(list, string(right))
	}
	return strings.Join(list, " ")
}

// tokenID names the token of a secret, and tells nothing about it.
func tokenID(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:18])
}

// CreateToken makes a token of the actor, and returns its secret, which is kept nowhere.
// It returns FaultTokenName, FaultTokenRights, FaultTokenLife and FaultTokens.
func (us *Users) CreateToken(ctx context.Context, by audit.Actor, name string, rights []Permission, days int) (secret string, err error) {
	name, now := strings.TrimSpace(name), us.db.Now()
	var have []Permission
	for _, right := range TokenRights {
		if slices.Contains(rights, right) {
			have = append(have, right)
		}
	}
	switch {
	case name == "" || len([]rune(name)) > tokenName || store.Clean(name, 4*tokenName) != name:
		return "", FaultTokenName.With(tokenName)
	case len(have) == 0 || len(have) != len(rights):
		return "", FaultTokenRights.With()
	case days < 1 || days > TokenDays:
		return "", FaultTokenLife.With(TokenDays)
	}
	secret = tokenPrefix + rand.Text() + rand.Text()
	expires := now.AddDate(0, 0, days).Truncate(time.Second)
	return secret, us.db.Tx(ctx, func(tx *store.Tx) error {
		// As what changes a user does: of two that are created at once, both count.
		role, err := store.Value[Role](ctx, tx, `UPDATE users SET role = role WHERE id = $1 AND disabled_at = 0 RETURNING role`, by.ID)
		if err != nil {
			return store.IfNone(err, FaultNoSession.With())
		}
		if slices.ContainsFunc(have, func(right Permission) bool { return !role.May(right) }) {
			return FaultTokenRights.With()
		}
		valid, err := store.Value[int](ctx, tx, `SELECT COUNT(*) FROM tokens WHERE user_id = $1 AND revoked_at = 0 AND expires_at > $2`,
			by.ID, store.Millis(now))
		switch {
		case err != nil:
			return err
		case valid >= mostTokens:
			return FaultTokens.With(valid)
		}
		id := tokenID(secret)
		err = tx.Exec(ctx, `INSERT INTO tokens (id, user_id, name, rights, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			id, by.ID, name, rightsText(have), store.Millis(now), store.Millis(expires))
		if err != nil {
			return err
		}
		return us.log.RecordIn(ctx, tx, audit.Entry{Code: audit.TokenCreated, Actor: by, Target: by.Name, Details: map[string]any{
			"user": by.ID, "token": id, "name": name, "rights": rightsText(have), "expires": expires.UTC().Format(time.RFC3339)}})
	})
}

// RevokeToken ends a token of a user. Whoever revokes that of somebody else needs
// ManageUsers. It returns FaultNoToken.
func (us *Users) RevokeToken(ctx context.Context, by audit.Actor, userID, id string) error {
	code := audit.TokenRevoked
	if by.ID != userID {
		code = audit.TokenRevokedBy
	}
	return us.db.Tx(ctx, func(tx *store.Tx) error {
		err := store.One(ctx, tx, FaultNoToken.With(),
			`UPDATE tokens SET revoked_at = $3 WHERE id = $1 AND user_id = $2 AND revoked_at = 0`,
			store.Clean(id, 100), userID, store.Millis(us.db.Now()))
		if err != nil {
			return err
		}
		user, err := find(ctx, tx, `u.id = $1`, userID)
		if err != nil {
			return err
		}
		return us.log.RecordIn(ctx, tx, audit.Entry{Code: code, Actor: by, Target: user.Name,
			Details: map[string]any{"user": userID, "token": id}})
	})
}

// revokeTokens ends all tokens of a user, who is disabled, or has another password.
func revokeTokens(ctx context.Context, tx *store.Tx, userID string, now time.Time) error {
	return tx.Exec(ctx, `UPDATE tokens SET revoked_at = $2 WHERE user_id = $1 AND revoked_at = 0`, userID, store.Millis(now))
}

// Token returns the token of a secret and its user, or FaultToken.
func (us *Users) Token(ctx context.Context, secret string) (token Token, user User, err error) {
	if !strings.HasPrefix(secret, tokenPrefix) {
		return token, user, FaultToken.With()
	}
	now := us.db.Now()
	row := us.db.Reader().QueryRowContext(ctx, `
		SELECT `+tokenColumns+`, `+userColumns+`
		FROM tokens t JOIN users u ON u.id = t.user_id
		WHERE t.id = $1 AND t.revoked_at = 0 AND t.expires_at > $2 AND u.disabled_at = 0`, tokenID(secret), store.Millis(now))
	var found tokenRow
	if user, err = scanUser(store.ScanAlso(row, found.columns()...)); err != nil {
		return token, user, store.IfNone(err, FaultToken.With())
	}
	return found.token(), user, nil
}

// TokenUsed keeps when and from where a token was used last.
func (us *Users) TokenUsed(ctx context.Context, id, address string) error {
	return us.db.Exec(ctx, `UPDATE tokens SET used_at = $2, used_from = $3 WHERE id = $1`,
		id, store.Millis(us.db.Now()), store.Clean(address, 100))
}

// Tokens returns the tokens that are valid of a user, or with "" of everybody: the newest first.
func (us *Users) Tokens(ctx context.Context, userID string) ([]Token, error) {
	return store.Collect(ctx, us.db.Reader(), scanToken, `SELECT `+tokenColumns+` FROM tokens t
		WHERE t.revoked_at = 0 AND t.expires_at > $1 AND (CAST($2 AS TEXT) = '' OR t.user_id = $2)
		ORDER BY t.created_at DESC, t.id`, store.Millis(us.db.Now()), userID)
}
