package jobs

import (
	"time"

	"tagsweep/internal/tim"
)

// ServiceLimit is how many calls of a command the service takes in any second
// (docs/tim-api.md).
const ServiceLimit = 100

// Gauge is the budget of one command of an app at a moment, in calls a second.
type Gauge struct {
	Command   tim.Command
	Limit     int       // what the service allows
	Set       float64   // what the app may use of it
	Allowed   float64   // what it uses for now: less than Set after the service found calls too frequent
	Used      float64   // over the last five seconds
	Reserved  int       // slots given away that have not come yet
	InFlight  int       // calls without an answer
	HeldUntil time.Time // no call leaves before; zero: not held
}

// Pace is how many calls of a command an app made a second when it was last
// slowed down. The zero pace was never.
type Pace struct {
	Rate float64
	At   time.Time
}

const (
	slowest     = 1.0
	slowerBy    = 0.85
	regained    = 0.03 // of the set rate, each second
	slowedEvery = time.Second
)

// Now is the pace at a time: what it was slowed down to, and a little of the
// set rate for each second since, up to all of it. A time well before it was
// slowed down means that the clock was set back, and nothing is known any more.
func (p Pace) Now(set float64, now time.Time) float64 {
	since := now.Sub(p.At)
	if p.Rate <= 0 || since < -slowedEvery {
		return set
	}
	return min(set, max(slowest, p.Rate)+regained*set*max(0, since.Seconds()))
}

// Slower is the pace after the service found calls too frequent. Those that
// left together are found so together, so it slows down once a second.
func (p Pace) Slower(set float64, now time.Time) Pace {
	if since := now.Sub(p.At); p.Rate > 0 && since > -slowedEvery && since < slowedEvery {
		return p
	}
	return Pace{max(min(slowest, set), slowerBy*p.Now(set, now)), now}
}
