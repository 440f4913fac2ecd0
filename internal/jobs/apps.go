package jobs

import (
	"context"
	"strings"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

// App is one SDKAppID with how to reach it.
type App struct {
	ID          string
	Name        string
	Environment string // such as "production"; shown on every page
	SDKAppID    uint32
	Domain      string // base URL
	Family      string // a tim.Family
	Identifier  string
	Rate        int // calls a second and command
}

// EnvironmentOf sorts the name of an environment: "simulator", "test", "production", or
// "unknown", which counts as production.
func EnvironmentOf(name string) string {
	switch strings.ToLower(name) {
	case "simulator", "simulation", "demo":
		return "simulator"
	case "test", "testing", "staging", "dev", "development", "sandbox":
		return "test"
	case "production", "prod", "live", "":
		return "production"
	}
	return "unknown"
}

// harmless reports whether jobs in an environment reach no real users.
func harmless(environment string) bool {
	kind := EnvironmentOf(environment)
	return kind == "simulator" || kind == "test"
}

// longestRegistrationID is what the timpush family also takes (docs/tim-api.md, "Accounts, domains, editions").
const longestRegistrationID = 64

// AccountBytes is the longest account the app takes.
func (a App) AccountBytes() int {
	if tim.Family(a.Family) == tim.TIMPush {
		return longestRegistrationID
	}
	return accounts.UserIDBytes
}

// FaultServedOtherwise says that another console makes calls of the same app elsewhere.
var FaultServedOtherwise = fault.Declare(fault.Conflict, "app.served_otherwise",
	"Another console on this database serves the SDKAppID %d as %s, at %s. Nothing was started, because both would "+
		"send the same jobs. Set the same CONSOLE_TIM_DOMAIN and CONSOLE_TIM_ENVIRONMENT, or use another database. If "+
		"you have just stopped that console, wait a few seconds.")

// configuration is what an app is configured as, as entries of the log have it.
type configuration struct {
	Name        string `json:"name"`
	Environment string `json:"environment"`
	SDKAppID    int64  `json:"sdkappid"`
	Domain      string `json:"domain"`
	Family      string `json:"family"`
	Identifier  string `json:"identifier"`
	Rate        int    `json:"configured_rate"`
}

// appState is all that an app is configured as and an admin chose of it.
type appState struct {
	Settings
	configuration
}

const appColumns = settingsColumns + `, name, environment, sdkappid, domain, family, identifier, rate`

func (a *appState) dest() []any {
	c := &a.configuration
	return append(a.Settings.dest(), &c.Name, &c.Environment, &c.SDKAppID, &c.Domain, &c.Family, &c.Identifier, &c.Rate)
}

// label is the app as entries of the log name it.
func (c configuration) label() string { return c.Name + " (" + c.Environment + ")" }

// lockState locks an app and returns how it is.
func lockState(ctx context.Context, tx *store.Tx, id string) (a appState, err error) {
	return a, tx.QueryRowContext(ctx, `UPDATE apps SET turns = turns WHERE id = $1 RETURNING `+appColumns, id).Scan(a.dest()...)
}

// FaultOpenElsewhere says that jobs which are not over were started at another address.
var FaultOpenElsewhere = fault.Declare(fault.Conflict, "app.open_elsewhere",
	"Nothing was started and nothing is sent: %[1]d jobs of the SDKAppID %[2]d were started as %[3]s, at %[4]s, and have not "+
		"ended. Set CONSOLE_TIM_DOMAIN and CONSOLE_TIM_ENVIRONMENT as they were, start the console, and let these jobs "+
		"finish or cancel them. Then change the settings.")

// SaveApp keeps an app under its id, as configured now. If that is new, the log says so.
// A job is sent to one address, in one environment, from its start to its end: SaveApp
// returns FaultOpenElsewhere while jobs are open that were started at another address or as
// another environment, and FaultServedOtherwise while another console serves the app so.
// Two consoles that start at the same moment may both get on; then the engine of the one
// whose app was replaced sends nothing.
func (s *Jobs) SaveApp(ctx context.Context, a App) error {
	to := configuration{a.Name, a.Environment, int64(a.SDKAppID), a.Domain, a.Family, a.Identifier, a.Rate}
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		details := map[string]any{"app_id": a.ID}
		switch before, err := lockState(ctx, tx, a.ID); {
		case err == nil && before.configuration == to:
			return nil
		case err == nil:
			details["before"] = before
			if err := s.mayReplace(ctx, tx, a, before.configuration); err != nil {
				return err
			}
		case store.IfNone(err, nil) != nil:
			return err
		}
		var after appState
		err := tx.QueryRowContext(ctx, `
			INSERT INTO apps (id, name, environment, sdkappid, domain, family, identifier, rate)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, environment = excluded.environment,
				sdkappid = excluded.sdkappid, domain = excluded.domain, family = excluded.family,
				identifier = excluded.identifier, rate = excluded.rate
			RETURNING `+appColumns,
			a.ID, to.Name, to.Environment, to.SDKAppID, to.Domain, to.Family, to.Identifier, to.Rate).Scan(after.dest()...)
		if err != nil {
			return err
		}
		details["after"] = after
		return s.log.RecordIn(ctx, tx,
			audit.Entry{Code: audit.AppChanged, Actor: audit.System, Target: to.label(), App: to.label(), Details: details})
	})
}

// mayReplace returns why an app that was configured otherwise may not be served as now.
func (s *Jobs) mayReplace(ctx context.Context, tx *store.Tx, a App, was configuration) error {
	if was.Domain == a.Domain && was.Environment == a.Environment {
		return nil
	}
	const alive = 5_000 // a heartbeat is written every second
	served, err := store.Value[bool](ctx, tx, `SELECT EXISTS (SELECT 1 FROM consoles WHERE app_id = $1 AND seen_at > $2)`,
		a.ID, store.Millis(s.db.Now())-alive)
	if err == nil && served && s.db.Shared() { // SQLite has one console
		err = FaultServedOtherwise.With(a.SDKAppID, was.label(), was.Domain)
	}
	if err != nil {
		return err
	}
	open, err := store.Value[int64](ctx, tx,
		`SELECT COUNT(*) FROM jobs WHERE app_id = $1 AND finished_at = 0 AND started_at > 0`, a.ID)
	if err == nil && open > 0 {
		err = FaultOpenElsewhere.With(open, a.SDKAppID, was.label(), was.Domain)
	}
	return err
}

// AppOf says of which app a job is, as the log names it: see audit.New.
func AppOf(ctx context.Context, q store.Querier, jobID string) (name, domain string, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT a.name || ' (' || a.environment || ')', a.domain FROM jobs j JOIN apps a ON a.id = j.app_id WHERE j.id = $1`, jobID).
		Scan(&name, &domain)
	return name, domain, store.IfNone(err, nil)
}

// App returns an app as it is kept, without what only calls need.
func (s *Jobs) App(ctx context.Context, id string) (a App, err error) {
	a.ID = id
	err = s.db.Reader().QueryRowContext(ctx, `SELECT name, environment, sdkappid, domain FROM apps WHERE id = $1`, id).
		Scan(&a.Name, &a.Environment, &a.SDKAppID, &a.Domain)
	return a, err
}

// Apps returns all apps by their ids, as App does.
func (s *Jobs) Apps(ctx context.Context) (map[string]App, error) {
	all, err := store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (a App, err error) {
		return a, row.Scan(&a.ID, &a.Name, &a.Environment, &a.SDKAppID, &a.Domain)
	}, `SELECT id, name, environment, sdkappid, domain FROM apps`)
	apps := map[string]App{}
	for _, a := range all {
		apps[a.ID] = a
	}
	return apps, err
}

// FaultOtherApp says that a job is of an app that this console does not serve.
var FaultOtherApp = fault.Declare(fault.Conflict, "job.other_app",
	"Nothing was changed and nothing is sent: the job belongs to the app %s, which this console does not serve. Use "+
		"the console of that app.")

// Serve says of which app this console makes calls. Jobs of other apps can then only be
// paused and cancelled here. Without it there are no calls, and any job may be changed.
func (s *Jobs) Serve(appID string) { s.serves = appID }

// mustServe returns FaultOtherApp for a job of another app than the one that is served.
func (s *Jobs) mustServe(ctx context.Context, q store.Querier, j Job) error {
	if s.serves == "" || s.serves == j.AppID {
		return nil
	}
	name, _, err := AppOf(ctx, q, j.ID)
	if err != nil {
		return err
	}
	return FaultOtherApp.With(name)
}

// Stranded are jobs that were started and wait for calls that no console makes.
type Stranded struct {
	AppID string
	Jobs  int64
}

// Stranded returns them by app. A console of another app that shared the database
// counts as gone a minute after its last heartbeat.
func (s *Jobs) Stranded(ctx context.Context) ([]Stranded, error) {
	if s.serves == "" {
		return nil, nil
	}
	const gone = 60_000
	return store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (st Stranded, err error) {
		return st, row.Scan(&st.AppID, &st.Jobs)
	}, `SELECT app_id, COUNT(*) FROM jobs
		WHERE finished_at = 0 AND started_at > 0 AND app_id <> $1
			AND (CAST($2 AS BIGINT) = 0 OR app_id NOT IN (SELECT app_id FROM consoles WHERE seen_at > $3))
		GROUP BY app_id ORDER BY app_id`,
		s.serves, store.Number(s.db.Shared()), store.Millis(s.db.Now())-gone)
}
