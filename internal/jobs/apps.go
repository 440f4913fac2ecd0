package jobs

import (
	"context"

	"tagsweep/internal/accounts"
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

// longestRegistrationID is what the timpush family also takes (docs/tim-api.md, "Accounts, domains, editions").
const longestRegistrationID = 64

// AccountBytes is the longest account the app takes.
func (a App) AccountBytes() int {
	if tim.Family(a.Family) == tim.TIMPush {
		return longestRegistrationID
	}
	return accounts.UserIDBytes
}

// SaveApp keeps an app under its id, as configured now.
func (s *Jobs) SaveApp(ctx context.Context, a App) error {
	return s.db.Exec(ctx, `
		INSERT INTO apps (id, name, environment, sdkappid, domain, family, identifier, rate)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, environment = excluded.environment,
			sdkappid = excluded.sdkappid, domain = excluded.domain, family = excluded.family,
			identifier = excluded.identifier, rate = excluded.rate`,
		a.ID, a.Name, a.Environment, int64(a.SDKAppID), a.Domain, a.Family, a.Identifier, a.Rate)
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
