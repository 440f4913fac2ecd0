package jobs

import (
	"time"

	"tagsweep/internal/fault"
)

// Trouble says why no calls are made: they could not be written down.
type Trouble struct {
	Since     time.Time
	Fault     *fault.Error
	Unwritten int // batches in hand whose end could not be written down yet
}
