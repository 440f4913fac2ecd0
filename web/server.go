// Package web is the HTTP edge: the pages, the forms behind them, the JSON for
// scripts, downloads and live progress. This file holds the route table, which
// is the site map and the access policy at once; each noun has a file of its
// own, here and in templates.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/evidence"
	"tagsweep/internal/heavy"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
)

// Config is what a Server needs.
type Config struct {
	DB            *store.DB
	Audit         *audit.Log
	Users         *auth.Users
	Jobs          *jobs.Jobs
	Evidence      *evidence.Evidence
	App           jobs.App                                                    // shown on every page; new jobs are for it
	ReadTags      func(ctx context.Context, account string) ([]string, error) // asks the service for the tags an account has now
	Verify        func(by audit.Actor) bool                                   // asks for a verification of the database; false: one runs
	Trouble       func() *jobs.Trouble                                        // what keeps the engine from sending; nil: nothing ever does
	CookieKey     []byte                                                      // 64 bytes: 32 to sign and 32 to encrypt
	Log           *slog.Logger                                                // what people see as one sentence, in detail
	Version       string
	UploadLimit   int64  // the largest file, in bytes; 0 = DefaultUploadLimit
	TempDir       string // for uploads on their way; "" = the system's
	SecureCookies bool   // cookies travel over HTTPS only; false is for this machine alone

	SessionIdle    time.Duration // how long a session lasts after its last request; 0 = 12 h
	SessionLife    time.Duration // and after signing in; 0 = 24 h, which is the most
	Heavy          *heavy.Limits // of work that costs much; nil: its own
	PaceWait       time.Duration // see pacedBody; 0 = 30 s
	TrustedProxies []*net.IPNet  // whose X-Forwarded-For is believed; from others it could be made up
}

// DefaultUploadLimit holds tens of millions of accounts.
const DefaultUploadLimit = 2_000_000_000

// Server serves the console. Make it with New.
type Server struct {
	Config
	echo          *echo.Echo
	sessions      *sessionStore
	live          *live
	status        *statusCache
	verifyRequest verifyRequest
	origin        *http.CrossOriginProtection
	devices       *devices
	refusals      *audit.Refusals
	rights        rights
	rates         requestRates

	visitors, people, proxies connections
}

type route struct {
	method     string
	path       string
	permission auth.Permission
	handle     func(*Server, *request) error
}

var routes = []route{
	{http.MethodGet, "/", auth.SignedIn, (*Server).home},

	{http.MethodGet, "/login", auth.Public, (*Server).signInForm},
	{http.MethodPost, "/login", auth.Public, (*Server).signIn},
	{http.MethodPost, "/logout", auth.SignedIn, (*Server).signOut},
	{http.MethodPost, "/language", auth.Public, (*Server).setLanguage},
	{http.MethodGet, accountPath, auth.SignedIn, (*Server).showAccount},
	{http.MethodPost, passwordPath, auth.SignedIn, (*Server).changePassword},
	{http.MethodPost, accountPath + "/preferences", auth.SignedIn, (*Server).setPreferences},
	{http.MethodPost, accountPath + "/end", auth.SignedIn, (*Server).endOwnSession},
	{http.MethodGet, tokensPath, auth.SignedIn, (*Server).listTokens},
	{http.MethodPost, tokensPath, auth.SignedIn, (*Server).createToken},
	{http.MethodPost, tokensPath + "/revoke", auth.SignedIn, (*Server).revokeOwnToken},

	{http.MethodGet, "/jobs", auth.ReadJobs, (*Server).listJobs},
	{http.MethodPost, "/jobs", auth.RunJobs, limited((*Server).createJob)},
	{http.MethodGet, "/jobs/new", auth.RunJobs, (*Server).newJob},
	{http.MethodGet, "/jobs/:id", auth.ReadJobs, (*Server).showJob},
	{http.MethodPost, rereadPath, auth.RunJobs, limited((*Server).rereadJob)},
	{http.MethodPost, "/jobs/:id/start", auth.RunJobs, (*Server).startJob},
	{http.MethodPost, "/jobs/:id/ask", auth.RunJobs, (*Server).askApproval},
	{http.MethodPost, "/jobs/:id/emergency", auth.Govern, (*Server).startInEmergency},
	{http.MethodPost, "/jobs/:id/pause", auth.RunJobs, actOnJob(jobs.Pause)},
	{http.MethodPost, "/jobs/:id/resume", auth.RunJobs, (*Server).resumeJob},
	{http.MethodPost, "/jobs/:id/cancel", auth.RunJobs, actOnJob(jobs.Cancel)},
	{http.MethodPost, "/jobs/:id/start-now", auth.RunJobs, actOnJob(jobs.StartNow)},
	{http.MethodPost, "/jobs/:id/decide", auth.RunJobs, (*Server).decideJob},
	{http.MethodPost, "/jobs/:id/retry", auth.RunJobs, limited((*Server).retryJob)},
	{http.MethodPost, undoPath, auth.RunJobs, limited((*Server).undoJob)},
	{http.MethodPost, "/jobs/:id/erase", auth.Govern, (*Server).eraseTags},
	{http.MethodPost, "/jobs/:id/first", auth.Govern, (*Server).putJobFirst},
	{http.MethodGet, "/jobs/:id/events", auth.ReadJobs, (*Server).followJob},
	{http.MethodGet, "/jobs/:id/rows", auth.ReadJobs, (*Server).listRows},
	{http.MethodGet, "/jobs/:id/log", auth.ReadJobs, (*Server).showJobLog},
	{http.MethodGet, "/jobs/:id/results.csv", auth.ReadJobs, limited((*Server).downloadResults)},
	{http.MethodGet, "/jobs/:id/rejects.csv", auth.ReadJobs, limited((*Server).downloadRejects)},
	{http.MethodGet, "/jobs/:id/restored.csv", auth.ReadJobs, limited((*Server).downloadRestored)},
	{http.MethodGet, "/jobs/:id/report.csv", auth.ReadJobs, limited((*Server).downloadReport)},
	{http.MethodGet, "/jobs/:id/tags.csv", auth.ReadJobs, limited((*Server).downloadTags)},
	{http.MethodGet, "/jobs/:id/evidence.zip", auth.ReadAudit, limited((*Server).downloadEvidence)},
	{http.MethodGet, "/jobs/:id/sample", auth.ReadAudit, limited((*Server).drawSample)},

	{http.MethodGet, approvalsPath, auth.ReadJobs, (*Server).listApprovals},
	{http.MethodPost, approvalsPath + "/:id/approve", auth.Approve, (*Server).approve},
	{http.MethodPost, approvalsPath + "/:id/refuse", auth.Approve, (*Server).decline},
	{http.MethodPost, approvalsPath + "/:id/withdraw", auth.RunJobs, (*Server).withdraw},

	{http.MethodGet, "/accounts", auth.ReadJobs, (*Server).findAccounts},
	{http.MethodPost, readTagsPath, auth.ReadJobs, (*Server).readAccount},
	{http.MethodGet, protectPath, auth.ReadJobs, (*Server).listProtected},
	{http.MethodPost, protectPath, auth.Protect, (*Server).protectAccounts},
	{http.MethodPost, protectPath + "/remove", auth.Protect, (*Server).unprotectAccount},
	{http.MethodGet, auditPath, auth.ReadAudit, (*Server).listAudit},
	{http.MethodGet, auditPath + "/:seq", auth.ReadAudit, (*Server).showEntry},
	{http.MethodGet, auditPath + "/export.csv", auth.ReadAudit, limited(exportAudit(csvExport))},
	{http.MethodGet, auditPath + "/export.jsonl", auth.ReadAudit, limited(exportAudit(jsonLinesExport))},
	{http.MethodGet, reviewPath, auth.Review, (*Server).showReview},
	{http.MethodPost, reviewPath, auth.Review, (*Server).signOff},
	{http.MethodGet, proofPath, auth.ReadAudit, (*Server).showProof},
	{http.MethodGet, auditPath + "/checkpoint.txt", auth.ReadAudit, (*Server).downloadCheckpoint},
	{http.MethodPost, auditPath + "/verify", auth.Review, (*Server).verifyAll},
	{http.MethodPost, keepPath, auth.Govern, (*Server).keepAudit},
	{http.MethodGet, erasePath, auth.Govern, limited((*Server).showErasure)},
	{http.MethodPost, erasePath + "/ask", auth.Govern, limited((*Server).askErasure)},
	{http.MethodPost, erasePath, auth.Govern, limited((*Server).erase)},
	{http.MethodPost, confirmClockPath, auth.Govern, (*Server).confirmClock},
	{http.MethodPost, resumeSigningPath, auth.Govern, (*Server).resumeSigning},

	{http.MethodGet, sendingPath, auth.ReadJobs, (*Server).showSending},
	{http.MethodPost, sendingPath, auth.Govern, (*Server).changeSending},
	{http.MethodPost, sendingPath + "/approvals", auth.Govern, (*Server).changeApprovals},
	{http.MethodPost, stopPath, auth.Govern, (*Server).stopSending},
	{http.MethodGet, restoredPath, auth.ReadJobs, (*Server).showRestored},
	{http.MethodPost, sendingPath + "/lift", auth.Govern, (*Server).liftSending},

	{http.MethodGet, "/users", auth.ManageUsers, (*Server).listUsers},
	{http.MethodPost, "/users", auth.ManageUsers, (*Server).createUser},
	{http.MethodPost, "/users/:id/role", auth.ManageUsers, (*Server).setRole},
	{http.MethodPost, "/users/:id/password", auth.ManageUsers, (*Server).setPassword},
	{http.MethodPost, "/users/:id/end", auth.ManageUsers, (*Server).endSessions},
	{http.MethodPost, "/users/:id/revoke", auth.ManageUsers, (*Server).revokeToken},
	{http.MethodPost, "/users/:id/disable", auth.ManageUsers, setDisabled(true)},
	{http.MethodPost, "/users/:id/enable", auth.ManageUsers, setDisabled(false)},

	{http.MethodGet, "/healthz", auth.Public, (*Server).health},
	{http.MethodHead, "/healthz", auth.Public, (*Server).health},
	{http.MethodGet, "/static/*", auth.Public, (*Server).static},
	{http.MethodHead, "/static/*", auth.Public, (*Server).static},
}

// New makes a server. Call Close before the HTTP server shuts down.
func New(c Config) (*Server, error) {
	switch {
	case c.DB == nil || c.Audit == nil || c.Users == nil || c.Jobs == nil || c.Evidence == nil:
		return nil, errors.New("web: Config.DB, Config.Audit, Config.Users or Config.Jobs is missing")
	case c.ReadTags == nil:
		return nil, errors.New("web: Config.ReadTags is missing")
	case len(c.CookieKey) != 64:
		return nil, errors.New("web: Config.CookieKey must be 64 bytes")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.UploadLimit == 0 {
		c.UploadLimit = DefaultUploadLimit
	}
	if c.Heavy == nil {
		c.Heavy = heavy.New()
	}
	if c.PaceWait == 0 {
		c.PaceWait = paceWait
	}
	c.SessionIdle, c.SessionLife = sessionLimits(c.SessionIdle, c.SessionLife)
	if c.Trouble == nil {
		c.Trouble = func() *jobs.Trouble { return nil }
	}
	if c.Verify == nil {
		c.Verify = func(audit.Actor) bool { return false }
	}
	status := &statusCache{Config: c}
	s := &Server{
		Config:   c,
		echo:     echo.New(),
		sessions: newSessionStore(c),
		status:   status,
		live:     newLive(c, status),
		origin:   http.NewCrossOriginProtection(),
		devices:  newDevices(c),
		refusals: audit.NewRefusals(c.Audit),
		rates:    requestRates{of: map[string]*rate.Limiter{}},
		rights:   rights{users: c.Users, held: map[*heldRight]bool{}},
		visitors: connections{bounds: boundsOfVisitors},
		people:   connections{bounds: boundsOfPeople},
		proxies:  connections{bounds: boundsOfProxies},
	}
	s.echo.IPExtractor = addressOf(c.TrustedProxies)
	s.echo.HTTPErrorHandler = func(err error, c echo.Context) { s.fail(s.requestOf(c), err) }
	s.echo.Use(s.enter)
	for _, r := range routes {
		s.echo.Add(r.method, r.path, s.guard(r))
	}
	return s, nil
}

// addressOf returns the address of a client: that of the connection, or behind trusted
// proxies the last one that none of them added.
func addressOf(proxies []*net.IPNet) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range proxies {
		trust = append(trust, echo.TrustIPRange(p))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}

// Handler returns the handler of all routes.
func (s *Server) Handler() http.Handler { return s.echo }

// Run does what goes on beside requests, until ctx ends.
func (s *Server) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { s.refusals.Run(ctx) })
	both.Go(func() { s.rights.run(ctx) })
	both.Wait()
}

// Flush records what was refused lately. Call it once nothing is served any more.
func (s *Server) Flush(ctx context.Context) error { return s.refusals.Flush(ctx) }

// Close ends the event streams, which would otherwise delay a shutdown.
func (s *Server) Close() { s.live.close() }

func (s *Server) home(v *request) error { return v.Redirect(http.StatusSeeOther, "/jobs") }
