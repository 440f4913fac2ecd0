package jobs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/snapshot"
)

// people are users of a console in production, each signed in.
type people struct {
	s                       *jobstest.Console
	olga, omar, adam, audra audit.Actor
}

func newPeople(t *testing.T, s *jobstest.Console) *people {
	app := jobstest.App
	app.Environment = "production"
	require.NoError(t, s.SaveApp(ctx, app))
	p := &people{s: s}
	for into, who := range map[*audit.Actor]auth.User{
		&p.olga: {Name: "olga", Role: auth.Operator}, &p.omar: {Name: "omar", Role: auth.Operator},
		&p.adam: {Name: "adam", Role: auth.Admin}, &p.audra: {Name: "audra", Role: auth.Auditor}} {
		u, err := s.Users.Create(ctx, operator, who.Name, who.Role, "hash")
		require.NoError(t, err)
		*into = p.signIn(t, u, "one")
	}
	require.NoError(t, s.UpdateSettings(ctx, p.adam, jobstest.App.ID, func(to *jobs.Settings) { to.OthersRun = true }))
	return p
}

// signIn opens a session.
func (p *people) signIn(t require.TestingT, u auth.User, session string) audit.Actor {
	now := time.Now()
	by := audit.Actor{ID: u.ID, Name: u.Name, Role: string(u.Role), SignedIn: audit.ByPassword, Session: u.Name + "-" + session}
	require.NoError(t, p.s.Users.SignIn(ctx, by, auth.Session{ID: by.Session, UserID: u.ID, Data: "{}", CreatedAt: now,
		SeenAt: now, ExpiresAt: now.Add(time.Hour)}, u.PasswordHash))
	return by
}

func (p *people) draft(t checker, by audit.Actor, n int) jobs.Job {
	t.Helper()
	file := strings.ReplaceAll(lines(n), "user_0", fmt.Sprintf("u%d_", jobstest.Serial()))
	j, err := jobstest.Draft(p.s, by, jobs.Upload{}, file)
	require.NoError(t, err)
	return j
}

func (p *people) ask(t checker, by audit.Actor, j jobs.Job) jobs.Approval {
	t.Helper()
	a, err := p.s.Ask(ctx, by, j.ID, jobs.AskRequest{Action: jobs.Start, Start: jobs.StartRequest{Confirm: j.Accounts}})
	require.NoError(t, err)
	return a
}

func (p *people) start(by audit.Actor, j jobs.Job) error {
	_, err := p.s.Start(ctx, by, j.ID, jobs.StartRequest{Confirm: j.Accounts})
	return err
}

func TestASecondPersonIsNeeded(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		p := newPeople(t, s)
		free(t, s)
		large := p.draft(t, p.olga, 1_001)
		for _, by := range []audit.Actor{p.olga, p.omar, p.adam} {
			require.True(t, jobs.FaultSecondPerson.Is(p.start(by, large)), "%s", by.Name)
		}
		require.NoError(t, p.start(p.olga, p.draft(t, p.olga, 1_000)))
		_, err := s.Ask(ctx, p.olga, p.draft(t, p.olga, 10).ID, jobs.AskRequest{Action: jobs.Start, Start: jobs.StartRequest{Confirm: 10}})
		require.True(t, jobs.FaultNotNeeded.Is(err), "%v", err)

		a := p.ask(t, p.olga, large)
		_, err = s.Ask(ctx, p.omar, large.ID, jobs.AskRequest{Action: jobs.Start, Start: jobs.StartRequest{Confirm: large.Accounts}})
		require.True(t, jobs.FaultAsked.Is(err), "%v", err)
		after, err := s.Approve(ctx, p.omar, a.ID)
		require.NoError(t, err)
		require.Equal(t, []any{jobs.Queued, "olga", "omar"}, []any{after.State, after.StartedBy, after.ApprovedBy})
		require.NoError(t, s.CheckStart(ctx, s.DB.Reader(), after))
		require.Equal(t, []audit.Code{audit.ApprovalAsked, audit.ApprovalGiven, audit.JobStarted},
			last(codes(t, s, audit.Filter{JobID: large.ID}), 3))
		_, err = s.Approve(ctx, p.adam, a.ID)
		require.True(t, jobs.FaultNoRequest.Is(err), "%v", err)
	})
}

func last[T any](all []T, n int) []T { return all[max(0, len(all)-n):] }

func TestManySmallJobsNeedASecondPerson(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		p := newPeople(t, s)
		require.NoError(t, s.ChangeSettings(ctx, operator, jobstest.App.ID, jobs.Settings{FailureLimit: 100, KeepDays: 30, OthersStop: true, OthersRun: true, DailyOperator: 50,
			OnceAdmin: 30}))
		require.NoError(t, p.start(p.olga, p.draft(t, p.olga, 30)))
		require.NoError(t, p.start(p.olga, p.draft(t, p.olga, 20)))
		require.True(t, jobs.FaultSecondPerson.Is(p.start(p.olga, p.draft(t, p.olga, 1))))
		require.NoError(t, p.start(p.omar, p.draft(t, p.olga, 50)), "each person has their own")
		require.True(t, jobs.FaultSecondPerson.Is(p.start(p.adam, p.draft(t, p.adam, 31))))

		another := p.draft(t, p.olga, 5)
		_, err := s.Approve(ctx, p.adam, p.ask(t, p.olga, another).ID)
		require.NoError(t, err)
		inspect, err := jobstest.Draft(s, p.olga, jobs.Upload{Kind: jobs.Inspect}, lines(60))
		require.NoError(t, err)
		require.NoError(t, p.start(p.olga, inspect), "reading changes nothing")
	})
}

func TestNobodyApprovesTheirOwn(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		p := newPeople(t, s)
		j := p.draft(t, p.olga, 1_200)
		a := p.ask(t, p.omar, j)
		olgaAgain := p.signIn(t, must(s.Users.ByName(ctx, "olga")), "two")
		omarAgain := p.signIn(t, must(s.Users.ByName(ctx, "omar")), "two")
		machine := audit.Actor{ID: "root", Name: "root", Role: audit.CommandLine, SignedIn: audit.ByCommandLine}
		for _, test := range []struct {
			by   audit.Actor
			want *fault.Sentence
		}{{p.olga, jobs.FaultOwn}, {p.omar, jobs.FaultOwn}, {olgaAgain, jobs.FaultOwn}, {omarAgain, jobs.FaultOwn}, {p.audra, auth.FaultDenied},
			{machine, auth.FaultDenied}, {audit.System, auth.FaultDenied}} {
			_, err := s.Approve(ctx, test.by, a.ID)
			require.True(t, test.want.Is(err), "%s: %v", test.by.Name, err)
			require.True(t, test.want.Is(s.Decline(ctx, test.by, a.ID, "no")), "%s", test.by.Name)
			may, err := s.MayApprove(ctx, test.by, a)
			require.NoError(t, err)
			require.False(t, may)
		}
		require.True(t, jobs.FaultNoRequest.Is(s.Withdraw(ctx, p.olga, a.ID)), "who did not ask")
		require.NoError(t, s.Withdraw(ctx, omarAgain, a.ID))

		// Who said how the file is read.
		_, err := s.Reread(ctx, p.adam, j.ID, accounts.Choices{Header: accounts.Yes})
		require.NoError(t, err)
		require.NoError(t, jobstest.ReadAll(s))
		a = p.ask(t, p.omar, jobNow(t, s, j.ID))
		_, err = s.Approve(ctx, p.adam, a.ID)
		require.True(t, jobs.FaultOwn.Is(err), "%v", err)

		// Admins alone; somebody who was disabled, or is no admin any more.
		require.NoError(t, s.ChangeSettings(ctx, operator, jobstest.App.ID, jobs.Settings{FailureLimit: 20, KeepDays: 30, OthersStop: true, OthersRun: true, Approvers: auth.Admin}))
		k := p.draft(t, p.olga, 1_200)
		a = p.ask(t, p.olga, k)
		_, err = s.Approve(ctx, p.omar, a.ID)
		require.True(t, auth.FaultDenied.Is(err), "%v", err)
		_, err = s.Users.Create(ctx, operator, "ada", auth.Admin, "hash")
		require.NoError(t, err)
		require.NoError(t, s.Users.SetRole(ctx, operator, p.adam.ID, auth.Operator))
		_, err = s.Approve(ctx, p.adam, a.ID)
		require.Error(t, err)
		require.NoError(t, s.Users.SetDisabled(ctx, operator, p.omar.ID, true))
		_, err = s.Approve(ctx, p.omar, a.ID)
		require.True(t, auth.FaultNoSession.Is(err), "%v", err)
		require.Equal(t, jobs.Draft, jobNow(t, s, k.ID).State)
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWhatIsApprovedIsWhatRuns(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		p := newPeople(t, s)
		for name, change := range map[string]func(j jobs.Job) error{
			"settings": func(jobs.Job) error {
				return s.ChangeSettings(ctx, operator, jobstest.App.ID, jobs.Settings{FailureLimit: 33, KeepDays: 30, OthersStop: true, OthersRun: true})
			},
			"asker is disabled": func(jobs.Job) error { return s.Users.SetDisabled(ctx, operator, p.olga.ID, true) },
			"cancelled":         func(j jobs.Job) error { _, err := s.Act(ctx, p.olga, j.ID, jobs.Cancel); return err },
		} {
			t.Run(name, func(t *testing.T) {
				j := p.draft(t, p.omar, 1_100)
				a := p.ask(t, p.olga, j)
				require.NoError(t, change(j))
				_, err := s.Approve(ctx, p.adam, a.ID)
				require.True(t, jobs.FaultVoid.Is(err) || jobs.FaultNoRequest.Is(err), "%v", err)
				require.Zero(t, jobNow(t, s, j.ID).StartedAt)
				if u := must(s.Users.ByName(ctx, "olga")); !u.DisabledAt.IsZero() {
					require.NoError(t, s.Users.SetDisabled(ctx, operator, p.olga.ID, false))
					p.olga = p.signIn(t, u, fmt.Sprint(jobstest.Serial()))
				}
			})
		}
		j := p.draft(t, p.omar, 1_100)
		a := p.ask(t, p.olga, j)
		require.NoError(t, s.DB.Exec(ctx, `UPDATE approvals SET expires_at = 1 WHERE id = $1`, a.ID))
		_, err := s.Approve(ctx, p.adam, a.ID)
		require.True(t, jobs.FaultExpired.Is(err), "%v", err)
		p.ask(t, p.olga, j)
	})
}

func TestAnEmergencyStaysOnTheJob(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		p := newPeople(t, s)
		j := p.draft(t, p.adam, 1_500)
		r := jobs.StartRequest{Confirm: j.Accounts}
		_, err := s.StartInEmergency(ctx, p.olga, j.ID, r, "customers are being called names")
		require.True(t, auth.FaultDenied.Is(err), "%v", err)
		_, err = s.StartInEmergency(ctx, p.adam, j.ID, r, "   hurry   ")
		require.True(t, jobs.FaultReason.Is(err), "%v", err)
		after, err := s.StartInEmergency(ctx, p.adam, j.ID, r, "customers are being called names")
		require.NoError(t, err)
		require.Equal(t, []string{"", "customers are being called names"}, []string{after.ApprovedBy, after.Emergency})
		require.Equal(t, []audit.Code{audit.JobEmergency, audit.JobStarted}, last(codes(t, s, audit.Filter{JobID: j.ID}), 2))
		small := p.draft(t, p.adam, 5)
		_, err = s.StartInEmergency(ctx, p.adam, small.ID, jobs.StartRequest{Confirm: 5}, "customers are being called names")
		require.True(t, jobs.FaultNotNeeded.Is(err), "%v", err)
		_, err = s.Act(ctx, p.adam, j.ID, jobs.Cancel)
		require.NoError(t, err)
		require.NotEmpty(t, jobNow(t, s, j.ID).Emergency)
	})
}

// Whatever four people do in whatever order: no job of more than 20 accounts is started,
// brought forward or sent again without a second person who was allowed.
func TestNobodyStartsAlone(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		p := newPeople(t, s)
		require.NoError(t, s.ChangeSettings(ctx, operator, jobstest.App.ID, jobs.Settings{FailureLimit: 20, KeepDays: 30, OthersStop: true, OthersRun: true, ApproveAbove: 20,
			DailyOperator: jobs.NoLimit, DailyAdmin: jobs.NoLimit}))
		rapid.Check(t, func(r *rapid.T) {
			everybody := map[string]*audit.Actor{"olga": &p.olga, "omar": &p.omar, "adam": &p.adam, "audra": &p.audra}
			roles := map[string]auth.Role{}
			for name, by := range everybody {
				u := must(s.Users.ByID(ctx, by.ID))
				if !u.DisabledAt.IsZero() {
					require.NoError(r, s.Users.SetDisabled(ctx, operator, u.ID, false))
					*by = p.signIn(r, u, fmt.Sprint(jobstest.Serial()))
				}
				roles[name] = u.Role
			}
			disabled := map[string]bool{}
			uploader := rapid.SampledFrom([]string{"olga", "omar", "adam"}).Draw(r, "uploader")
			if !roles[uploader].May(auth.RunJobs) {
				r.Skip()
			}
			j := p.draft(r, *everybody[uploader], rapid.SampledFrom([]int{20, 21, 40}).Draw(r, "accounts"))
			who := func(r *rapid.T) string {
				return rapid.SampledFrom([]string{"olga", "omar", "adam", "audra"}).Draw(r, "who")
			}
			var asked jobs.Approval
			moved := func(r *rapid.T, by, approver string, err error) {
				if err != nil {
					return
				}
				now := jobNow(r, s, j.ID)
				require.False(r, disabled[by], "%s is disabled", by)
				require.True(r, roles[by].May(auth.RunJobs), "%s is %s", by, roles[by])
				if now.Accounts > 20 {
					require.NotContains(r, []string{"", by, uploader, asked.Asker.Name}, approver)
					require.True(r, roles[approver].May(auth.Approve) && !disabled[approver])
				}
			}
			r.Repeat(map[string]func(*rapid.T){
				"start": func(r *rapid.T) {
					by := who(r)
					moved(r, by, "", p.start(*everybody[by], j))
				},
				"start later": func(r *rapid.T) {
					by := who(r)
					_, err := s.Start(ctx, *everybody[by], j.ID, jobs.StartRequest{Confirm: j.Accounts, At: time.Now().Add(time.Hour)})
					moved(r, by, "", err)
				},
				"ask": func(r *rapid.T) {
					at := rapid.SampledFrom([]time.Time{{}, time.Now().Add(time.Hour)}).Draw(r, "at")
					some := []jobs.Action{jobs.Start, jobs.Start, jobs.StartNow, jobs.Resume, jobs.SendAgain, jobs.Cancel}
					request := jobs.AskRequest{Action: rapid.SampledFrom(some).Draw(r, "action"),
						Start: jobs.StartRequest{Confirm: j.Accounts, At: at}}
					if a, err := s.Ask(ctx, *everybody[who(r)], j.ID, request); err == nil {
						asked = a
					}
				},
				"approve": func(r *rapid.T) {
					by := who(r)
					_, err := s.Approve(ctx, *everybody[by], asked.ID)
					moved(r, asked.Asker.Name, by, err)
				},
				"refuse":   func(r *rapid.T) { _ = s.Decline(ctx, *everybody[who(r)], asked.ID, "no") },
				"withdraw": func(r *rapid.T) { _ = s.Withdraw(ctx, *everybody[who(r)], asked.ID) },
				"bring forward": func(r *rapid.T) {
					by := who(r)
					_, err := s.Act(ctx, *everybody[by], j.ID, jobs.StartNow)
					moved(r, by, "", err)
				},
				"pause": func(r *rapid.T) { _, _ = s.Act(ctx, *everybody[who(r)], j.ID, jobs.Pause) },
				"resume": func(r *rapid.T) {
					was := jobNow(r, s, j.ID)
					by := who(r)
					if _, err := s.Resume(ctx, *everybody[by], j.ID, snapshot.Skip); was.HaltCode == jobs.CodeFailures {
						moved(r, by, "", err)
					}
				},
				"halt": func(r *rapid.T) {
					if j := jobNow(r, s, j.ID); j.State == jobs.Queued {
						require.NoError(r, s.Halts(ctx, j.ID, jobs.CodeFailures, "21/21"))
					}
				},
				"disable": func(r *rapid.T) {
					name := who(r)
					if s.Users.SetDisabled(ctx, operator, everybody[name].ID, true) == nil {
						disabled[name] = true
					}
				},
				"enable": func(r *rapid.T) {
					name := who(r)
					if disabled[name] {
						require.NoError(r, s.Users.SetDisabled(ctx, operator, everybody[name].ID, false))
						*everybody[name] = p.signIn(r, must(s.Users.ByID(ctx, everybody[name].ID)), fmt.Sprint(jobstest.Serial()))
						disabled[name] = false
					}
				},
				"change role": func(r *rapid.T) {
					name := rapid.SampledFrom([]string{"olga", "omar"}).Draw(r, "name")
					role := rapid.SampledFrom(auth.Roles).Draw(r, "role")
					if s.Users.SetRole(ctx, operator, everybody[name].ID, role) == nil {
						roles[name] = role
						u := must(s.Users.ByID(ctx, everybody[name].ID))
						if u.DisabledAt.IsZero() {
							*everybody[name] = p.signIn(r, u, fmt.Sprint(jobstest.Serial()))
						}
					}
				},
			})
			require.True(r, slices.Contains([]jobs.State{jobs.Draft, jobs.Queued, jobs.Paused, jobs.Halted}, jobNow(r, s, j.ID).State))
		})
	})
}
