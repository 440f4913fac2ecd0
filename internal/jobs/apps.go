package jobs

import (
	"tagsweep/internal/accounts"
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
