package audit_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs/jobstest"
)

// Two admins confirm what they both saw: it is erased once, and recorded once.
func TestTwoAdminsEraseAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		of      [2]audit.Subject
		erased  []int // how many, in any order
		refused int
	}{
		"the same person":          {[2]audit.Subject{user("olga"), user("OLGA")}, []int{0, 1_198}, 1},
		"people of one entry":      {[2]audit.Subject{account("m-7"), account("m-9")}, []int{0, 2}, 1},
		"people of their own":      {[2]audit.Subject{account("m-7"), address("192.0.2.77")}, []int{2, 599}, 0},
		"one who acted on another": {[2]audit.Subject{account("own"), user("olga")}, []int{1, 1_198}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
				require.NoError(t, s.Audit.Fill(ctx, 1_800, func(seq int64) audit.Entry {
					e := audit.Entry{At: s.DB.Now(), Code: audit.LogRead, Actor: jobstest.Operator}
					switch {
					case seq == 1:
						e.Code, e.Actor, e.Target = audit.TagsRead, adam, "own"
					case seq < 4:
						e.Code, e.Actor, e.Target, e.Details = audit.AccountsProtected, adam, "m-7", map[string]any{"accounts": []any{"m-7", "m-9"}}
					case seq%3 == 1:
						e.Actor = audit.Actor{ID: "u7", Name: "zoe", Address: "192.0.2.77"}
					}
					return e
				}))
				var confirmed [2]audit.Confirmed
				for i, of := range c.of {
					preview, err := s.Audit.Erasure(ctx, of, 0)
					require.NoError(t, err)
					confirmed[i] = seen(preview)
				}
				var n [2]int
				var errs [2]error
				var both sync.WaitGroup
				for i, of := range c.of {
					both.Go(func() { n[i], errs[i] = erase(s, of, "request 12", confirmed[i]) })
				}
				both.Wait()
				refused, all := 0, 0
				for i, err := range errs {
					all += n[i]
					if err != nil {
						require.True(t, audit.FaultNothingErased.Is(err) || audit.FaultEraseCount.Is(err), "%v", err)
						refused++
					}
				}
				require.Equal(t, c.refused, refused)
				require.ElementsMatch(t, c.erased, n[:])
				gone, err := s.Count(ctx, `SELECT COUNT(*) FROM audit_lines WHERE personal = ''`)
				require.NoError(t, err)
				require.EqualValues(t, all, gone)
				said, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.LogErased, Limit: 100})
				require.NoError(t, err)
				times := map[int64]int{}
				for _, e := range said {
					list, _ := e.Details["entries"].(string)
					for seq := int64(1); seq <= 1_800; seq++ {
						if audit.Covers(list, seq) {
							times[seq]++
							require.Equal(t, 1, times[seq], "entry %d is recorded once", seq)
						}
					}
				}
				require.Len(t, times, all)
				verifies(t, s)
			})
		})
	}
}

// Whoever may no longer govern erases nothing on a page that was opened before.
func TestErasingAsksForTheRightAgain(t *testing.T) {
	for name, change := range map[string]func(s *jobstest.Console, u auth.User) error{
		"an operator now": func(s *jobstest.Console, u auth.User) error { return s.Users.SetRole(ctx, adam, u.ID, auth.Operator) },
		"an auditor now":  func(s *jobstest.Console, u auth.User) error { return s.Users.SetRole(ctx, adam, u.ID, auth.Auditor) },
		"disabled":        func(s *jobstest.Console, u auth.User) error { return s.Users.SetDisabled(ctx, adam, u.ID, true) },
		"signed out": func(s *jobstest.Console, u auth.User) error {
			return s.Users.SignOut(ctx, audit.Actor{ID: u.ID, Name: u.Name, Session: "s1"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
				_, err := s.Users.Create(ctx, adam, "other", auth.Admin, jobstest.PasswordHash)
				require.NoError(t, err)
				eve, err := s.Users.Create(ctx, adam, "eve", auth.Admin, jobstest.PasswordHash)
				require.NoError(t, err)
				by, now := audit.Actor{ID: eve.ID, Name: "eve", Role: "admin", Session: "s1", SignedIn: audit.ByPassword}, s.DB.Now()
				require.NoError(t, s.Users.SignIn(ctx, by, auth.Session{ID: "s1", UserID: eve.ID, Data: "{}", CreatedAt: now,
					SeenAt: now, ExpiresAt: now.Add(auth.SessionLife)}, eve.PasswordHash))
				require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: adam, Target: "vip"}))
				preview, err := s.Audit.Erasure(ctx, account("vip"), 0)
				require.NoError(t, err)
				require.NoError(t, s.Audit.AskErasure(ctx, adam, account("vip"), "request 12"))
				require.NoError(t, change(s, eve))
				_, err = s.Audit.Erase(ctx, by, account("vip"), seen(preview))
				require.True(t, auth.FaultDenied.Is(err) || auth.FaultNoSession.Is(err), "%v", err)
				require.Empty(t, jobstest.Codes(t, s, audit.Filter{Code: audit.LogErased, Limit: 1}))
				left, err := s.Audit.Erasure(ctx, account("vip"), 0)
				require.NoError(t, err)
				require.EqualValues(t, 1, left.Entries)
			})
		})
	}
}

// Nobody erases alone: not without a request, not by their own, not by one about somebody
// else, one that has expired or was carried out, or one that somebody wrote into the
// database, and not when the other one is no admin any more.
func TestErasingTakesTwoAdmins(t *testing.T) {
	vip := account("vip")
	for name, c := range map[string]struct {
		before func(t *testing.T, s *jobstest.Console, other audit.Actor)
		may    bool
	}{
		"asked by another": {func(t *testing.T, s *jobstest.Console, other audit.Actor) {
			require.NoError(t, s.Audit.AskErasure(ctx, other, vip, "request 12"))
		}, true},
		"asked by both": {func(t *testing.T, s *jobstest.Console, other audit.Actor) {
			require.NoError(t, s.Audit.AskErasure(ctx, other, vip, "request 12"))
			require.NoError(t, s.Audit.AskErasure(ctx, adam, vip, "request 12"))
		}, true},
		"not asked": {func(*testing.T, *jobstest.Console, audit.Actor) {}, false},
		"asked by themselves": {func(t *testing.T, s *jobstest.Console, _ audit.Actor) {
			require.NoError(t, s.Audit.AskErasure(ctx, adam, vip, "request 12"))
		}, false},
		"asked for another account": {func(t *testing.T, s *jobstest.Console, other audit.Actor) {
			require.NoError(t, s.Audit.AskErasure(ctx, other, account("ann"), "request 12"))
		}, false},
		"asked for a user of that name": {func(t *testing.T, s *jobstest.Console, other audit.Actor) {
			require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.SignInFailed, Actor: adam, Target: "vip"}))
			require.NoError(t, s.Audit.AskErasure(ctx, other, user("vip"), "request 12"))
		}, false},
		"asked a day ago": {func(t *testing.T, s *jobstest.Console, other audit.Actor) {
			require.NoError(t, s.Audit.AskErasure(ctx, other, vip, "request 12"))
			s.DB.ShiftClocks(25 * time.Hour)
		}, false},
		"carried out already": {func(t *testing.T, s *jobstest.Console, other audit.Actor) {
			require.NoError(t, s.Audit.AskErasure(ctx, other, vip, "request 12"))
			preview, err := s.Audit.Erasure(ctx, vip, 0)
			require.NoError(t, err)
			_, err = s.Audit.Erase(ctx, adam, vip, seen(preview))
			require.NoError(t, err)
			require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: adam, Target: "vip"}))
		}, false},
		"asked by somebody who is disabled now": {func(t *testing.T, s *jobstest.Console, other audit.Actor) {
			require.NoError(t, s.Audit.AskErasure(ctx, other, vip, "request 12"))
			require.NoError(t, s.Users.SetDisabled(ctx, adam, other.ID, true))
		}, false},
		"asked by somebody who is an operator now": {func(t *testing.T, s *jobstest.Console, other audit.Actor) {
			require.NoError(t, s.Audit.AskErasure(ctx, other, vip, "request 12"))
			require.NoError(t, s.Users.SetRole(ctx, adam, other.ID, auth.Operator))
		}, false},
		"another is said to have asked, without the key": {func(t *testing.T, s *jobstest.Console, other audit.Actor) {
			require.NoError(t, s.Audit.AskErasure(ctx, adam, vip, "request 12"))
			own, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.ErasureAsked, Limit: 1})
			require.NoError(t, err)
			s.Audit.UseKey([32]byte{9})
			require.NoError(t, s.Audit.Fill(ctx, 1, func(int64) audit.Entry {
				return audit.Entry{At: s.DB.Now(), Code: audit.ErasureAsked, Actor: other, Details: own[0].Details}
			}))
			s.Audit.UseKey(jobstest.LogKey)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
				_, err := s.Users.Create(ctx, adam, "adam", auth.Admin, jobstest.PasswordHash)
				require.NoError(t, err)
				u, err := s.Users.Create(ctx, adam, "other", auth.Admin, jobstest.PasswordHash)
				require.NoError(t, err)
				for _, of := range []string{"vip", "ann"} {
					require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: adam, Target: of}))
				}
				c.before(t, s, audit.Actor{ID: u.ID, Name: u.Name, Role: "admin", SignedIn: audit.ByPassword})
				preview, err := s.Audit.Erasure(ctx, vip, 0)
				require.NoError(t, err)
				_, err = s.Audit.Erase(ctx, adam, vip, seen(preview))
				require.Equal(t, c.may, err == nil, "%v", err)
				require.Equal(t, !c.may, audit.FaultEraseAlone.Is(err), "%v", err)
				left, err := s.Audit.Erasure(ctx, vip, 0)
				require.NoError(t, err)
				require.Equal(t, c.may, left.Entries == 0)
			})
		})
	}
}

// The log says that somebody is to be erased, and not whom.
func TestARequestToEraseNamesNobody(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: adam, Target: "vip-4711"}))
		before, err := s.Audit.Erasure(ctx, account("vip-4711"), 0)
		require.NoError(t, err)
		require.NoError(t, s.Audit.AskErasure(ctx, eve, account("vip-4711"), "request 12"))
		require.True(t, audit.FaultEraseAsked.Is(s.Audit.AskErasure(ctx, eve, account("vip-4711"), "request 12")))
		named, err := s.Count(ctx, `SELECT COUNT(*) FROM audit_lines WHERE code = 'log.erasure_asked' AND line || personal LIKE '%4711%'`)
		require.NoError(t, err)
		require.Zero(t, named)
		after, err := s.Audit.Erasure(ctx, account("vip-4711"), 0)
		require.NoError(t, err)
		require.Equal(t, before.Entries, after.Entries)
		waiting, err := s.Audit.ErasuresAsked(ctx)
		require.NoError(t, err)
		require.Len(t, waiting, 1)
		require.Equal(t, []any{"eve", audit.OfAccount, "request 12"}, []any{waiting[0].Asker.Name, waiting[0].Kind, waiting[0].Reason})
	})
}
