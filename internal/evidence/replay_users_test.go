package evidence_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
)

// attack is what somebody does to a database by SQL alone, perhaps with a console that
// runs, and what a verification then says.
type attack struct {
	name  string
	do    func(t *testing.T, l *governedLog)
	wrong string
}

// governedLog is a log with users, settings, protected accounts and jobs of all sorts.
type governedLog struct {
	*sealedLog
	ann, olga auth.User // an admin and an operator
}

func eachAttack(t *testing.T, attacks []attack) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			eachGovernedLog(t, func(t *testing.T, g *governedLog) {
				a.do(t, g)
				require.Contains(t, strings.Join(g.found(t), "\n"), a.wrong)
			})
		})
	}
}

// govern gives a log its users.
func (g *governedLog) govern(t *testing.T) {
	t.Helper()
	var err error
	g.ann, err = g.Users.Create(ctx, jobstest.Operator, "ann", auth.Admin, jobstest.PasswordHash)
	require.NoError(t, err)
	g.olga, err = g.Users.Create(ctx, jobstest.Operator, "olga", auth.Operator, jobstest.PasswordHash)
	require.NoError(t, err)
	g.signIn(t, g.ann, "s-ann")
}

// found is what a verification says.
func (l *sealedLog) found(t *testing.T) []string {
	t.Helper()
	found, err := l.Evidence.Verify(ctx, audit.Proofs{Checkpoints: published(l.published), Key: l.key})
	require.NoError(t, err)
	return found.Wrong
}

// signIn signs a user in, and returns who acts then.
func (g *governedLog) signIn(t *testing.T, u auth.User, session string) audit.Actor {
	t.Helper()
	by, now := actor(u, session), g.DB.Now()
	require.NoError(t, g.Users.SignIn(ctx, by, auth.Session{ID: session, UserID: u.ID, Data: "{}",
		CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(auth.SessionLife)}, u.PasswordHash))
	return by
}

func admin(u auth.User) auth.User { u.Role = auth.Admin; return u }

func actor(u auth.User, session string) audit.Actor {
	return audit.Actor{ID: u.ID, Name: u.Name, Role: string(u.Role), SignedIn: audit.ByPassword, Session: session, Address: "127.0.0.1"}
}

// insertUser is what an attacker does who knows how to hash a password.
func (g *governedLog) insertUser(t *testing.T, id, name, role string) auth.User {
	g.exec(t, `INSERT INTO users (id, name, folded_name, role, password_hash, created_at) VALUES ($1, $2, $2, $3, $4, 1)`,
		id, name, role, jobstest.PasswordHash)
	u, err := g.Users.ByName(ctx, name)
	require.NoError(t, err)
	return u
}

const insertSession = `INSERT INTO sessions (id, user_id, data, address, user_agent, created_at, seen_at, expires_at)
	VALUES ($1, $2, '{}', '', '', 1, 1, $3)`

func TestUsersByTheLog(t *testing.T) {
	later := func(g *governedLog) int64 { return g.DB.Now().Add(time.Hour).UnixMilli() }
	eachAttack(t, []attack{
		{"an admin is inserted", func(t *testing.T, g *governedLog) { g.insertUser(t, "m1", "mallory", "admin") },
			"user mallory: no entry of the log created this user"},
		{"an admin is inserted, used and deleted", func(t *testing.T, g *governedLog) {
			by := g.signIn(t, g.insertUser(t, "m1", "mallory", "admin"), "s1")
			require.NoError(t, g.ThrowKillSwitch(ctx, by, "test"))
			g.exec(t, `DELETE FROM sessions`)
			g.exec(t, `DELETE FROM users WHERE id = 'm1'`)
		}, "entry 20 of the log: mallory acted, but no entry created this user"},
		{"a token is inserted", func(t *testing.T, g *governedLog) {
			g.exec(t, `INSERT INTO tokens (id, user_id, name, rights, created_at, expires_at) VALUES ('t1', $1, 'x', 'jobs.run', 1, $2)`,
				g.olga.ID, later(g))
		}, "token t1: no entry of the log created it"},
		{"a token is inserted, used and deleted", func(t *testing.T, g *governedLog) {
			g.exec(t, `INSERT INTO tokens (id, user_id, name, rights, created_at, expires_at) VALUES ('t1', $1, 'x', 'jobs.run', 1, $2)`,
				g.olga.ID, later(g))
			by := actor(g.olga, "t1")
			by.SignedIn = audit.ByToken
			_, err := jobstest.Draft(g.Console, by, jobs.Upload{}, "user_id\nann\n")
			require.NoError(t, err)
			g.exec(t, `DELETE FROM tokens`)
		}, "olga acted by a token that no entry created"},
		{"a token is given more", func(t *testing.T, g *governedLog) {
			_, err := g.Users.CreateToken(ctx, g.signIn(t, g.olga, "s1"), "nightly", []auth.Permission{auth.ReadJobs}, 30)
			require.NoError(t, err)
			g.exec(t, `UPDATE tokens SET rights = 'jobs.read jobs.run'`)
		}, "it allows jobs.read jobs.run, but the log says jobs.read"},
		{"a token is given more, used and put back", func(t *testing.T, g *governedLog) {
			_, err := g.Users.CreateToken(ctx, g.signIn(t, g.olga, "s1"), "nightly", []auth.Permission{auth.ReadJobs}, 30)
			require.NoError(t, err)
			tokens, err := g.Users.Tokens(ctx, g.olga.ID)
			require.NoError(t, err)
			by := actor(g.olga, tokens[0].ID)
			by.SignedIn = audit.ByToken
			g.exec(t, `UPDATE tokens SET rights = 'jobs.read jobs.run'`)
			_, err = jobstest.Draft(g.Console, by, jobs.Upload{}, "user_id\nann\n")
			require.NoError(t, err)
			g.exec(t, `UPDATE tokens SET rights = 'jobs.read'`)
		}, "olga did what the token does not allow"},
		{"a revoked token is valid again", func(t *testing.T, g *governedLog) {
			by := g.signIn(t, g.olga, "s1")
			_, err := g.Users.CreateToken(ctx, by, "nightly", []auth.Permission{auth.ReadJobs}, 30)
			require.NoError(t, err)
			tokens, err := g.Users.Tokens(ctx, g.olga.ID)
			require.NoError(t, err)
			require.NoError(t, g.Users.RevokeToken(ctx, by, g.olga.ID, tokens[0].ID))
			g.exec(t, `UPDATE tokens SET revoked_at = 0`)
		}, "whether it was revoked is not what the log says"},
		{"an operator is made an admin", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE users SET role = 'admin' WHERE name = 'olga'`)
		}, "user olga: the role is admin, but the log says operator"},
		{"an operator is made an admin, acts, and is made an operator", func(t *testing.T, g *governedLog) {
			by := g.signIn(t, g.olga, "s1")
			g.exec(t, `UPDATE users SET role = 'admin' WHERE name = 'olga'`)
			require.NoError(t, g.ThrowKillSwitch(ctx, by, "test"))
			g.exec(t, `UPDATE users SET role = 'operator' WHERE name = 'olga'`)
		}, "entry 20 of the log: olga acted as admin, but had the role operator"},
		{"an operator does what only admins may, with a console that allows it", func(t *testing.T, g *governedLog) {
			by := g.signIn(t, g.olga, "s1")
			g.Audit.AskRights(nil)
			require.NoError(t, g.ThrowKillSwitch(ctx, by, "test"))
		}, "entry 20 of the log: olga did what the role operator does not allow"},
		{"an admin who was just made an operator is an admin again, acts, and is an operator", func(t *testing.T, g *governedLog) {
			require.NoError(t, g.Users.SetRole(ctx, jobstest.Operator, g.olga.ID, auth.Admin))
			by := g.signIn(t, g.olga, "s1")
			require.NoError(t, g.Users.SetRole(ctx, jobstest.Operator, g.olga.ID, auth.Operator))
			g.exec(t, `UPDATE users SET role = 'admin' WHERE name = 'olga'`)
			require.NoError(t, g.ThrowKillSwitch(ctx, by, "test"))
			g.exec(t, `UPDATE users SET role = 'operator' WHERE name = 'olga'`)
		}, "entry 22 of the log: olga acted as admin, but had the role operator"},
		{"a disabled user is enabled", func(t *testing.T, g *governedLog) {
			require.NoError(t, g.Users.SetDisabled(ctx, jobstest.Operator, g.olga.ID, true))
			g.exec(t, `UPDATE users SET disabled_at = 0`)
		}, "user olga: the user can sign in, but the log says that the user is disabled"},
		{"a disabled user is enabled, acts, and is disabled", func(t *testing.T, g *governedLog) {
			require.NoError(t, g.Users.SetDisabled(ctx, jobstest.Operator, g.olga.ID, true))
			g.exec(t, `UPDATE users SET disabled_at = 0`)
			g.signIn(t, g.olga, "s1")
			g.exec(t, `UPDATE users SET disabled_at = 9 WHERE name = 'olga'`)
			g.exec(t, `DELETE FROM sessions`)
		}, "entry 20 of the log: olga acted after the user was disabled"},
		{"an admin is disabled", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE users SET disabled_at = 9 WHERE name = 'ann'`)
		}, "user ann: the user is disabled, but the log says otherwise"},
		{"a password is swapped", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE users SET password_hash = $1 WHERE name = 'ann'`, jobstest.PasswordHash+"x")
		}, "user ann: the password was changed, but no entry of the log says so"},
		{"an old password is put back", func(t *testing.T, g *governedLog) {
			require.NoError(t, g.Users.SetPassword(ctx, jobstest.Operator, g.ann.ID, "another"))
			g.exec(t, `UPDATE users SET password_hash = $1 WHERE name = 'ann'`, jobstest.PasswordHash)
		}, "user ann: the password was changed, but no entry of the log says so"},
		{"two users change places", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE users SET name = 'x' WHERE name = 'ann'`)
			g.exec(t, `UPDATE users SET name = 'ann' WHERE name = 'olga'`)
		}, "user ann: the name was changed; the log says olga"},
		{"a user takes the sign-in of another", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE users SET folded_name = 'x' WHERE name = 'ann'`)
			g.exec(t, `UPDATE users SET folded_name = 'ann' WHERE name = 'olga'`)
		}, "user olga: whoever signs in as ann is taken for this user"},
		{"a password is swapped, used and put back", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE users SET password_hash = $1 WHERE name = 'ann'`, jobstest.PasswordHash+"x")
			ann, err := g.Users.ByName(ctx, "ann")
			require.NoError(t, err)
			g.signIn(t, ann, "s1")
			g.exec(t, `UPDATE users SET password_hash = $1 WHERE name = 'ann'`, jobstest.PasswordHash)
		}, "entry 19 of the log: ann signed in with a password that no entry of the log set"},
		{"two sessions change places, one is used, and they change back", func(t *testing.T, g *governedLog) {
			g.signIn(t, g.olga, "s1")
			swap := func() {
				g.exec(t, `UPDATE sessions SET id = 'x' WHERE id = 's-ann'`)
				g.exec(t, `UPDATE sessions SET id = 's-ann' WHERE id = 's1'`)
				g.exec(t, `UPDATE sessions SET id = 's1' WHERE id = 'x'`)
			}
			swap()
			_, who, err := g.Users.Session(ctx, "s1") // which is hers by the secret of her cookie
			require.NoError(t, err)
			require.NoError(t, g.ThrowKillSwitch(ctx, actor(who, "s1"), "test"))
			swap()
		}, "entry 20 of the log: ann acted in a session that no sign-in opened"},
		{"two users change names, one signs in, and they change back", func(t *testing.T, g *governedLog) {
			rename := func(to string) { g.exec(t, `UPDATE users SET name = $1 WHERE id = $2`, to, g.olga.ID) }
			rename("ann-2")
			olga, err := g.Users.ByID(ctx, g.olga.ID)
			require.NoError(t, err)
			g.signIn(t, olga, "s1")
			rename("olga")
		}, "entry 19 of the log: ann-2 acted, but the log calls this user olga"},
		{"a session begins later", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE sessions SET created_at = created_at + 7200000 WHERE id = 's-ann'`)
		}, "user ann: the session s-ann did not begin when the log says"},
		{"a user is deleted", func(t *testing.T, g *governedLog) { g.exec(t, `DELETE FROM users WHERE name = 'olga'`) },
			"user olga: the log says that this user exists, but the user is missing"},
		{"a session is inserted", func(t *testing.T, g *governedLog) { g.exec(t, insertSession, "s9", g.ann.ID, later(g)) },
			"user ann: the log does not say that the session s9 is open"},
		{"a session is inserted, used and deleted", func(t *testing.T, g *governedLog) {
			g.exec(t, insertSession, "s9", g.ann.ID, later(g))
			require.NoError(t, g.ThrowKillSwitch(ctx, actor(g.ann, "s9"), "test"))
			g.exec(t, `DELETE FROM sessions WHERE id = 's9'`)
		}, "entry 19 of the log: ann acted in a session that no sign-in opened"},
		{"a session is given to somebody else", func(t *testing.T, g *governedLog) {
			g.signIn(t, g.olga, "s1")
			g.exec(t, `UPDATE sessions SET user_id = $1 WHERE id = 's1'`, g.ann.ID)
		}, "user ann: the log does not say that the session s1 is open"},
		{"a session that ended is put back", func(t *testing.T, g *governedLog) {
			require.NoError(t, g.Users.SignOut(ctx, actor(g.ann, "s-ann")))
			g.exec(t, insertSession, "s-ann", g.ann.ID, later(g))
		}, "user ann: the log does not say that the session s-ann is open"},
		{"a session that its person ended is put back", func(t *testing.T, g *governedLog) {
			g.signIn(t, g.ann, "s1")
			require.NoError(t, g.Users.EndSessions(ctx, actor(g.ann, "s1"), g.ann.ID, "s-ann"))
			g.exec(t, insertSession, "s-ann", g.ann.ID, later(g))
		}, "user ann: the log does not say that the session s-ann is open"},
		{"a session that an admin ended is put back, used and deleted", func(t *testing.T, g *governedLog) {
			olga := g.signIn(t, g.olga, "s1")
			require.NoError(t, g.Users.EndSessions(ctx, actor(g.ann, "s-ann"), g.olga.ID, ""))
			g.exec(t, insertSession, "s1", g.olga.ID, later(g))
			require.NoError(t, g.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: olga}))
			g.exec(t, `DELETE FROM sessions WHERE id = 's1'`)
		}, "entry 21 of the log: olga acted in a session that had ended"},
		{"a session from before a change of the password is put back", func(t *testing.T, g *governedLog) {
			by := g.signIn(t, g.ann, "s1")
			require.NoError(t, g.Users.ChangePassword(ctx, by, g.ann.PasswordHash, "another"))
			g.exec(t, insertSession, "s-ann", g.ann.ID, later(g))
		}, "user ann: the log does not say that the session s-ann is open"},
		{"a password that its person changed is put back", func(t *testing.T, g *governedLog) {
			require.NoError(t, g.Users.ChangePassword(ctx, actor(g.ann, "s-ann"), g.ann.PasswordHash, "another"))
			g.exec(t, `UPDATE users SET password_hash = $1 WHERE name = 'ann'`, jobstest.PasswordHash)
		}, "user ann: the password was changed, but no entry of the log says so"},
		{"an operator changes the password of an admin, with a console that allows it", func(t *testing.T, g *governedLog) {
			require.NoError(t, g.Audit.Record(ctx, audit.Entry{Code: audit.PasswordChanged, Actor: g.signIn(t, g.olga, "s1"),
				Details: map[string]any{"user": g.ann.ID, "password_sha256": "00"}}))
		}, "entry 20 of the log: it changes the password of another user"},
		{"an operator ends the session of an admin, with a console that allows it", func(t *testing.T, g *governedLog) {
			require.NoError(t, g.Audit.Record(ctx, audit.Entry{Code: audit.SessionEnded, Actor: g.signIn(t, g.olga, "s1"),
				Details: map[string]any{"user": g.ann.ID, "ended": "s-ann"}}))
		}, "entry 20 of the log: it ends a session of another user"},
		{"the password counts as typed again", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE sessions SET authenticated_at = authenticated_at + 1000000`)
		}, "user ann: the log does not say that the password was typed again in the session s-ann"},
		{"a password is swapped, typed again and put back", func(t *testing.T, g *governedLog) {
			g.exec(t, `UPDATE users SET password_hash = $1 WHERE name = 'ann'`, jobstest.PasswordHash+"x")
			require.NoError(t, g.Users.Confirm(ctx, actor(g.ann, "s-ann"), jobstest.PasswordHash+"x"))
			g.exec(t, `UPDATE users SET password_hash = $1 WHERE name = 'ann'`, jobstest.PasswordHash)
		}, "entry 19 of the log: ann typed a password that no entry of the log set"},
		{"a session lasts for ever", func(t *testing.T, g *governedLog) { g.exec(t, `UPDATE sessions SET expires_at = expires_at * 2`) },
			"user ann: the session s-ann lasts longer than it may"},
	})
}

// What happens in the ordinary way is no attack: neither what is recorded of a user who
// changes meanwhile, nor what was erased or removed since.
func TestUsersInOrdinaryWaysVerify(t *testing.T) {
	eachGovernedLog(t, func(t *testing.T, g *governedLog) {
		olga := g.signIn(t, g.olga, "s1")
		require.NoError(t, g.Users.SetRole(ctx, actor(g.ann, "s-ann"), g.olga.ID, auth.Auditor))
		// What she still may do had begun before.
		require.NoError(t, g.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: olga}))
		require.NoError(t, g.Users.SetDisabled(ctx, actor(g.ann, "s-ann"), g.olga.ID, true))
		sum := olga
		sum.Session = ""
		require.NoError(t, g.Audit.Record(ctx, audit.Entry{Code: audit.JobUploadRefused, Actor: sum}))
		// A verification that began before goes on, and an admin may change what she is herself.
		require.NoError(t, g.Users.SetDisabled(ctx, jobstest.Operator, g.olga.ID, false))
		require.NoError(t, g.Users.SetRole(ctx, jobstest.Operator, g.olga.ID, auth.Admin))
		olga = g.signIn(t, admin(g.olga), "s3")
		require.NoError(t, g.Users.SetRole(ctx, olga, g.olga.ID, auth.Auditor))
		g.signIn(t, g.ann, "s4")
		ann := g.signIn(t, g.ann, "s5")
		require.NoError(t, g.Users.EndSessions(ctx, ann, g.ann.ID, "s4"))
		require.NoError(t, g.Users.ChangePassword(ctx, ann, jobstest.PasswordHash, "the next"))
		g.ann.PasswordHash = "the next"
		ann = g.signIn(t, g.ann, "s-ann")
		require.NoError(t, g.Users.Confirm(ctx, ann, g.ann.PasswordHash))
		require.NoError(t, g.Users.EndSessions(ctx, ann, g.ann.ID, ""))
		require.NoError(t, g.Users.SetPassword(ctx, ann, g.ann.ID, "another"))
		require.NoError(t, g.Audit.SaveVerified(ctx, actor(g.ann, "s-ann"), audit.Verified{At: g.DB.Now()}))
		require.NoError(t, g.Users.SignOut(ctx, olga))
		require.Empty(t, g.found(t))
		require.Positive(t, erased(t, g.Console, jobstest.Operator, audit.Subject{Kind: audit.OfUser, Value: "olga"}))
		require.Empty(t, g.found(t))

		require.NoError(t, g.Audit.SetRetention(ctx, jobstest.Operator, 12))
		g.DB.ShiftClocks(time.Until(time.Now().AddDate(0, 13, 0)))
		require.NoError(t, g.Audit.Sweep(ctx, g.DB.Now()))
		g.ann.PasswordHash = "another"
		g.signIn(t, g.ann, "s2")
		require.NoError(t, g.ThrowKillSwitch(ctx, actor(g.ann, "s2"), "test"))
		require.Empty(t, g.found(t))
	})
}
