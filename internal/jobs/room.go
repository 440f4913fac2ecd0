package jobs

import (
	"sync"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

// Jobs keeps the jobs of a database. Its methods may be called at the same time.
type Jobs struct {
	db     *store.DB
	master [32]byte                                   // see UseKey
	signer func(origin string) (*audit.Signer, error) // see SignWith; nil: no checkpoints are made

	reports reports // of running jobs

	protectedMu sync.Mutex
	protected   map[string]protectedList // by app, as last read
}

// New returns the jobs of a database.
func New(db *store.DB) *Jobs { return &Jobs{db: db} }
