package auth

import (
	"context"
	"slices"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Preferences are how a person wants to see the pages, on every device. They govern nothing.
type Preferences struct {
	Language string `json:"language"`  // BCP 47; "": that of the browser
	TimeZone string `json:"time_zone"` // of the IANA database, such as Asia/Shanghai; "": that of the console
	Theme    string `json:"theme"`     // Light or Dark; "": that of the device
}

// Themes of the pages.
const (
	Light = "light"
	Dark  = "dark"
)

// Faults of preferences.
var (
	FaultTimeZone = fault.Declare(fault.Invalid, "preferences.time_zone",
		"Nothing was changed: the time zone %q is not known. Enter a name such as Asia/Shanghai or Europe/London, or "+
			"leave it empty for the time zone of the console.")
	FaultTheme = fault.Declare(fault.Invalid, "preferences.theme",
		"Nothing was changed: the theme must be light, dark, or empty for that of the device.")
)

// SetPreferences keeps how the actor wants to see the pages.
func (us *Users) SetPreferences(ctx context.Context, by audit.Actor, to Preferences) error {
	if !slices.Contains([]string{"", Light, Dark}, to.Theme) {
		return FaultTheme.With()
	}
	if _, err := time.LoadLocation(to.TimeZone); err != nil || to.TimeZone == "Local" {
		return FaultTimeZone.With(store.Clean(to.TimeZone, 100))
	}
	return us.db.Tx(ctx, func(tx *store.Tx) error {
		user, err := find(ctx, tx, `u.id = $1`, by.ID)
		if err != nil || user.Preferences == to {
			return err
		}
		err = tx.Exec(ctx, `UPDATE users SET language = $2, time_zone = $3, theme = $4 WHERE id = $1`,
			by.ID, to.Language, to.TimeZone, to.Theme)
		if err != nil {
			return err
		}
		return us.log.RecordIn(ctx, tx, audit.Entry{Code: audit.PreferencesSet, Actor: by, Target: user.Name,
			Details: map[string]any{"user": by.ID, "language": to.Language, "time_zone": to.TimeZone, "theme": to.Theme}})
	})
}
