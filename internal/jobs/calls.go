package jobs

import (
	"time"

	"tagsweep/internal/tim"
)

// BatchSize is the most accounts the service takes in one call (docs/tim-api.md, "The tag family").
const BatchSize = 100

// Call is a line of the ledger.
type Call struct {
	ID         string
	Batch      int64  // number in the plan
	Held       []byte // which accounts of the batch, see Held
	Accounts   int    // how many those are
	Command    tim.Command
	Random     uint32
	At         time.Time // when it left; of one that did not, when it was intended
	Duration   time.Duration
	Delivery   string // intended, not_sent, answered, lost
	HTTPStatus int
	Code       int
	Message    string
}

// Held reports whether a call held the account in a place of its batch, from 0:
// bits have one for each place, the lowest of the first byte for the first.
func Held(bits []byte, place int) bool {
	return place/8 < len(bits) && bits[place/8]&(1<<(place%8)) != 0
}
