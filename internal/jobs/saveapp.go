package jobs

import (
	"context"
)

// SaveApp keeps an app under its id, as configured now.
func (s *Jobs) SaveApp(ctx context.Context, a App) error {
	err := s.db.Exec(ctx, `
		INSERT INTO apps (id, name, environment, sdkappid, domain, family, identifier, rate)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, environment = excluded.environment,
			sdkappid = excluded.sdkappid, domain = excluded.domain, family = excluded.family,
			identifier = excluded.identifier, rate = excluded.rate`,
		a.ID, a.Name, a.Environment, int64(a.SDKAppID), a.Domain, a.Family, a.Identifier, a.Rate)
	return err
}
