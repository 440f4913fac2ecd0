package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

// inexact is how far the times of a session may be from those of the log, which are read
// a moment later, and by whichever console.
const inexact = 15 * time.Minute

// summed are the refusals that are summed up (see audit.Refusals): a sum is written later,
// when the session may be over, and its user disabled.
var summed = []audit.Code{audit.AccessDenied, audit.JobUploadRefused}

// needed are the permissions that a person needs to cause an event; see asNow, and acted.
// What is not named here, any role may do.
var needed = map[audit.Code]Permission{
	audit.JobUploaded: RunJobs, audit.JobUploadRefused: RunJobs, audit.JobReread: RunJobs, audit.JobStarted: RunJobs,
	audit.JobPaused: RunJobs, audit.JobResumed: RunJobs, audit.JobCancelled: RunJobs, audit.JobStartNow: RunJobs,
	audit.ApprovalAsked: RunJobs, audit.ApprovalGiven: Approve, audit.ApprovalRefused: Approve, audit.ApprovalWithdrawn: RunJobs,
	audit.JobEmergency: Govern, audit.JobDecided: RunJobs, audit.JobRetried: RunJobs, audit.JobUndone: RunJobs,
	audit.JobPutFirst: Govern, audit.JobPutBack: Govern, audit.SnapshotErased: Govern, audit.AppChanged: Govern,
	audit.KillSwitchThrown: Govern, audit.KillSwitchLifted: Govern, audit.LogKeepSet: Govern,
	audit.ErasureAsked: Govern, audit.LogErased: Govern,
	audit.LogAccepted: Govern, audit.ClockConfirmed: Govern,
	audit.AccountsProtected: Protect, audit.AccountUnprotected: Protect,
	audit.UserCreated: ManageUsers, audit.UserPasswordSet: ManageUsers, audit.UserRoleSet: ManageUsers,
	audit.UserDisabled: ManageUsers, audit.UserEnabled: ManageUsers, audit.SessionEndedBy: ManageUsers, audit.TokenRevokedBy: ManageUsers,
	audit.EvidenceDownloaded: ReadAudit, audit.SampleDrawn: ReadAudit, audit.JobLogRead: ReadJobs, audit.LogRead: ReadAudit,
	audit.LogSearched: ReadAudit,
	audit.LogExported: ReadAudit, audit.LogReviewed: Review, audit.LogVerified: Review, audit.LogUnverified: Review,
}

// Replay is what the users and their sessions ought to be by the log. It finds entries
// of people who did not exist, were disabled, or had another role.
type Replay struct {
	users    map[string]*oughtUser
	sessions map[string]oughtSession
	tokens   map[string]oughtToken
	begun    []string         // sessions, the oldest first
	asked    map[int64]string // who asked to erase, by the number of the entry
	last     int64            // the number of the last entry
	now      time.Time        // the latest time so far
	complete time.Time        // from then on every sign-in that matters is in the log: earlier ones may have been removed
}

type oughtUser struct {
	name, password string // "": its entry was erased; the SHA-256 of the stored hash
	role           Role
	disabled       bool
}

type oughtSession struct {
	user  string
	at    time.Time
	typed time.Time // the password, last
	ended bool
}

// NewReplay returns the replay of a log of no entries.
func NewReplay() *Replay {
	return &Replay{users: map[string]*oughtUser{}, sessions: map[string]oughtSession{}, tokens: map[string]oughtToken{}, asked: map[int64]string{}}
}

// Learn implements audit.Replay.
func (r *Replay) Learn(e audit.Entry, v *audit.Verified) {
	if r.now.Before(e.At) {
		r.now = e.At
	}
	if e.Seq != r.last+1 {
		r.complete = r.now.Add(SessionLife)
	}
	r.last = e.Seq
	if e.Code == audit.SignInSucceeded {
		r.signedIn(e)
	}
	if e.Actor.SignedIn == audit.ByPassword || e.Actor.SignedIn == audit.ByToken {
		r.acted(e, v)
	}
	r.change(e, v)
	r.changeToken(e, v)
	r.erased(e, v)
	switch e.Code {
	case audit.SignedOut:
		r.end(e.Actor.Session)
	case audit.SessionEnded, audit.SessionEndedBy:
		r.endOf(e, v)
	case audit.PasswordConfirmed, audit.PasswordChanged:
		if s, known := r.sessions[e.Actor.Session]; known {
			s.typed = e.At
			r.sessions[e.Actor.Session] = s
		}
	}
}

// signedIn keeps the sessions that may still be alive.
func (r *Replay) signedIn(e audit.Entry) {
	for len(r.begun) > 0 && r.now.Sub(r.sessions[r.begun[0]].at) > SessionLife+inexact {
		delete(r.sessions, r.begun[0])
		r.begun = r.begun[1:]
	}
	r.sessions[e.Actor.Session] = oughtSession{user: e.Actor.ID, at: e.At, typed: e.At}
	r.begun = append(r.begun, e.Actor.Session)
}

// endOf follows the end of a session from another one.
func (r *Replay) endOf(e audit.Entry, v *audit.Verified) {
	user, _ := e.Details["user"].(string)
	ended, _ := e.Details["ended"].(string)
	switch {
	case e.Code == audit.SessionEnded && user != e.Actor.ID:
		v.Add("entry %d of the log: it ends a session of another user", e.Seq)
	case ended == everySession:
		r.endAll(user, e.Actor.Session)
	case r.sessions[ended].user == user:
		r.end(ended)
	}
}

// endAll ends all sessions of a user but one.
func (r *Replay) endAll(user, but string) {
	for session, s := range r.sessions {
		if s.user == user && session != but {
			r.end(session)
		}
	}
}

func (r *Replay) end(session string) {
	if s, known := r.sessions[session]; known {
		s.ended = true
		r.sessions[session] = s
	}
}

// acted finds what a person did without the right to do it. An entry is written while
// that right lasts (see asNow), so there is no grace.
func (r *Replay) acted(e audit.Entry, v *audit.Verified) {
	u, name := r.users[e.Actor.ID], cmp.Or(e.Actor.Name, e.Actor.ID)
	password, _ := e.Details["password_sha256"].(string)
	switch {
	case u == nil:
		v.Add("entry %d of the log: %s acted, but no entry created this user", e.Seq, name)
	case slices.Contains(summed, e.Code) && e.Actor.Session == "":
	case u.name != "" && e.Actor.Name != "" && u.name != e.Actor.Name:
		v.Add("entry %d of the log: %s acted, but the log calls this user %s", e.Seq, name, u.name)
	case u.disabled:
		v.Add("entry %d of the log: %s acted after the user was disabled", e.Seq, name)
	case Role(e.Actor.Role) != u.role:
		v.Add("entry %d of the log: %s acted as %s, but had the role %s", e.Seq, name, e.Actor.Role, u.role)
	case needed[e.Code] != "" && !u.role.May(needed[e.Code]):
		v.Add("entry %d of the log: %s did what the role %s does not allow", e.Seq, name, u.role)
	case e.Code == audit.PasswordConfirmed && password != u.password:
		v.Add("entry %d of the log: %s typed a password that no entry of the log set", e.Seq, name)
	case e.Code == audit.SignInSucceeded && password != u.password:
		v.Add("entry %d of the log: %s signed in with a password that no entry of the log set", e.Seq, name)
	case e.Actor.SignedIn == audit.ByToken && e.Actor.Session != "":
		r.actedByToken(e, v)
	case e.Actor.Session != "" && r.now.Before(r.complete):
	case e.Actor.Session == "" && e.Details["approval"] != nil: // a second person did it, for who asked
	case e.Actor.Session == "" || r.sessions[e.Actor.Session].user != e.Actor.ID:
		v.Add("entry %d of the log: %s acted in a session that no sign-in opened", e.Seq, name)
	case r.sessions[e.Actor.Session].ended:
		v.Add("entry %d of the log: %s acted in a session that had ended", e.Seq, name)
	}
}

// erased finds an admin who erased what no other had asked to erase.
func (r *Replay) erased(e audit.Entry, v *audit.Verified) {
	switch asker := r.asked[e.Asked()]; {
	case e.Code == audit.ErasureAsked:
		r.asked[e.Seq] = e.Actor.ID
	case e.Code == audit.LogErased && (asker == "" || asker == e.Actor.ID):
		v.Add("entry %d of the log: no other admin had asked for what it erased", e.Seq)
	}
}

// change follows the changes of a user.
func (r *Replay) change(e audit.Entry, v *audit.Verified) {
	id, _ := e.Details["user"].(string)
	password, _ := e.Details["password_sha256"].(string)
	role, _ := e.Details["role"].(string)
	u := r.users[id]
	switch {
	case !slices.Contains(changesUser, e.Code):
		return
	case e.Code == audit.UserCreated && u == nil:
		r.users[id] = &oughtUser{name: e.Target, password: password, role: Role(role)}
		return
	case e.Code == audit.UserCreated || u == nil:
		v.Add("entry %d of the log: it changes a user who was not created, or creates one twice", e.Seq)
		return
	case e.Code == audit.PasswordChanged && id != e.Actor.ID:
		v.Add("entry %d of the log: it changes the password of another user", e.Seq)
		return
	}
	switch e.Code {
	case audit.UserPasswordSet:
		u.password = password
		r.endAll(id, "")
		r.revokeAll(id)
	case audit.PasswordChanged:
		u.password = password
		r.endAll(id, e.Actor.Session)
		r.revokeAll(id)
	case audit.UserRoleSet:
		if before, _ := e.Details["before"].(string); before != string(u.role) {
			v.Add("entry %d of the log: the role of user %s was %s before, but the log says %s", e.Seq, cmp.Or(u.name, id), before, u.role)
		}
		u.role = Role(role)
	case audit.UserDisabled:
		u.disabled = true
		r.endAll(id, "")
		r.revokeAll(id)
	case audit.UserEnabled:
		u.disabled = false
	}
}

// changesOther are the changes that one person makes of another, or of themselves.
var changesOther = []audit.Code{audit.UserPasswordSet, audit.UserRoleSet, audit.UserDisabled, audit.UserEnabled}

var changesUser = append([]audit.Code{audit.UserCreated, audit.PasswordChanged}, changesOther...)

// VerifyIn compares the users and their sessions with what they ought to be.
func (r *Replay) VerifyIn(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	err := store.Each(ctx, tx, func(row store.Scanner) error {
		var folded string
		u, err := scanUser(store.ScanAlso(row, &folded))
		if err == nil {
			r.compare(u, folded, v)
			delete(r.users, u.ID)
		}
		return err
	}, `SELECT u.folded_name, `+userColumns+` FROM users u ORDER BY u.name`)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(r.users)) {
		v.Add("user %s: the log says that this user exists, but the user is missing", cmp.Or(r.users[id].name, id))
	}
	if err := r.verifyTokens(ctx, tx, v); err != nil {
		return err
	}
	return store.Each(ctx, tx, func(row store.Scanner) error {
		var id, user, name string
		var created, expires, typed time.Time
		err := row.Scan(&id, &user, &name, store.ScanTime(&created), store.ScanTime(&expires), store.ScanTime(&typed))
		switch ought := r.sessions[id]; {
		case err != nil:
		case ought.user != user || ought.ended:
			v.Add("user %s: the log does not say that the session %s is open", name, id)
		case created.Sub(ought.at).Abs() > inexact:
			v.Add("user %s: the session %s did not begin when the log says", name, id)
		case expires.After(ought.at.Add(SessionLife + inexact)):
			v.Add("user %s: the session %s lasts longer than it may", name, id)
		case typed.After(ought.typed.Add(inexact)):
			v.Add("user %s: the log does not say that the password was typed again in the session %s", name, id)
		}
		return err
	}, `SELECT s.id, s.user_id, COALESCE(u.name, s.user_id), s.created_at, s.expires_at, s.authenticated_at
		FROM sessions s LEFT JOIN users u ON u.id = s.user_id
		WHERE s.expires_at > $1 ORDER BY s.id`, store.Millis(v.At))
}

func (r *Replay) compare(u User, folded string, v *audit.Verified) {
	ought := r.users[u.ID]
	if ought == nil {
		v.Add("user %s: no entry of the log created this user", u.Name)
		return
	}
	if ought.name != "" && ought.name != u.Name {
		v.Add("user %s: the name was changed; the log says %s", u.Name, ought.name)
	}
	if folded != foldName(u.Name) {
		v.Add("user %s: whoever signs in as %s is taken for this user", u.Name, folded)
	}
	if ought.role != u.Role {
		v.Add("user %s: the role is %s, but the log says %s", u.Name, u.Role, ought.role)
	}
	if ought.password != digestOf(u.PasswordHash) {
		v.Add("user %s: the password was changed, but no entry of the log says so", u.Name)
	}
	switch disabled := !u.DisabledAt.IsZero(); {
	case disabled && !ought.disabled:
		v.Add("user %s: the user is disabled, but the log says otherwise", u.Name)
	case !disabled && ought.disabled:
		v.Add("user %s: the user can sign in, but the log says that the user is disabled", u.Name)
	}
}

// digestOf stands in the log for the stored hash of a password, which has a salt: the
// digest tells nothing about the password.
func digestOf(hash string) string {
	sum := sha256.Sum256([]byte(hash))
	return hex.EncodeToString(sum[:])
}
