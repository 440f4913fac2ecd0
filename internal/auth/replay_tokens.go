package auth

import (
	"cmp"
	"context"
	"slices"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

// oughtToken is a token as the log says it is.
type oughtToken struct {
	user, name, rights string
	created, expires   time.Time
	revoked            bool
}

// changeToken follows the tokens of users. What ends all tokens of a user, change calls.
func (r *Replay) changeToken(e audit.Entry, v *audit.Verified) {
	id, _ := e.Details["token"].(string)
	user, _ := e.Details["user"].(string)
	t, known := r.tokens[id]
	switch e.Code {
	case audit.TokenCreated:
		if known || user != e.Actor.ID {
			v.Add("entry %d of the log: it creates a token twice, or for another user", e.Seq)
			return
		}
		name, _ := e.Details["name"].(string)
		rights, _ := e.Details["rights"].(string)
		expires, _ := e.Details["expires"].(string)
		at, _ := time.Parse(time.RFC3339, expires)
		r.tokens[id] = oughtToken{user: user, name: name, rights: rights, created: e.At, expires: at}
	case audit.TokenRevoked, audit.TokenRevokedBy:
		if !known || t.user != user || e.Code == audit.TokenRevoked && user != e.Actor.ID {
			v.Add("entry %d of the log: it revokes a token that was not created, or that of another user", e.Seq)
			return
		}
		t.revoked = true
		r.tokens[id] = t
	}
}

func (r *Replay) revokeAll(user string) {
	for id, t := range r.tokens {
		if t.user == user {
			t.revoked = true
			r.tokens[id] = t
		}
	}
}

// actedByToken finds what a script did without a token that allowed it.
func (r *Replay) actedByToken(e audit.Entry, v *audit.Verified) {
	t, name := r.tokens[e.Actor.Session], cmp.Or(e.Actor.Name, e.Actor.ID)
	needs := needed[e.Code]
	switch {
	case t.user != e.Actor.ID:
		v.Add("entry %d of the log: %s acted by a token that no entry created", e.Seq, name)
	case t.revoked:
		v.Add("entry %d of the log: %s acted by a token that was revoked", e.Seq, name)
	case e.At.After(t.expires):
		v.Add("entry %d of the log: %s acted by a token that had expired", e.Seq, name)
	case needs != "" && !slices.Contains(rightsOf(t.rights), needs) && !slices.Contains(summed, e.Code):
		v.Add("entry %d of the log: %s did what the token does not allow", e.Seq, name)
	}
}

// verifyTokens compares the tokens with what they ought to be.
func (r *Replay) verifyTokens(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	return store.Each(ctx, tx, func(row store.Scanner) error {
		t, err := scanToken(row)
		switch ought, known := r.tokens[t.ID]; {
		case err != nil:
		case !known:
			v.Add("token %s: no entry of the log created it", t.ID)
		case ought.user != t.UserID:
			v.Add("token %s: it belongs to another user than the log says", t.ID)
		case ought.rights != rightsText(t.Rights):
			v.Add("token %s: it allows %s, but the log says %s", t.ID, rightsText(t.Rights), ought.rights)
		case ought.name != "" && ought.name != t.Name, t.CreatedAt.Sub(ought.created).Abs() > inexact:
			v.Add("token %s: its name, or when it was created, is not what the log says", t.ID)
		case !ought.expires.Equal(t.ExpiresAt):
			v.Add("token %s: it expires at another time than the log says", t.ID)
		case ought.revoked != !t.RevokedAt.IsZero():
			v.Add("token %s: whether it was revoked is not what the log says", t.ID)
		}
		return err
	}, `SELECT `+tokenColumns+` FROM tokens t ORDER BY t.id`)
}
