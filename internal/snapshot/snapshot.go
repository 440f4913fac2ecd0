// Package snapshot keeps the tags accounts had just before a job changed them,
// reports on them, and says what putting them back takes.
//
// A snapshot holds one batch: JSON, compressed, and
// encrypted with a key of the job's own, which is kept encrypted in its turn
// ([Wrap]). Deleting every copy of that one small row erases all snapshots of the
// job, wherever they lie; the [Digest] of each stays and gives nothing away. A
// snapshot opens under its own job and batch only, so that none can be moved
// or replaced unnoticed.
//
// [Snapshots] keeps the keys and what they encrypt in the database: the tags that
// accounts had, and the tags that a job is to give or take. It erases them when
// their time has come. When that is, and for which job, package jobs says.
package snapshot

import "tagsweep/internal/fault"

// Limits of a snapshot. A batch has 100 accounts; the service documents 100
// tags of 50 bytes for each, but what it gave is kept as it came.
const (
	MaxAccounts = 100      // accounts in a snapshot
	MaxTags     = 1_000    // tags of an account
	maxBytes    = 1 << 16  // of an account's tags together
	maxForm     = 48 << 20 // bytes before compression, above what MaxAccounts with so many need
)

// Account is an account and the tags it had.
type Account struct {
	Seq  int64    // its place in the job
	Tags []string // UTF-8, in the service's order
}

// Fits reports whether the tags of an account can be kept. When those of each
// of its accounts can, so can a batch.
func Fits(tags []string) bool {
	length := 0
	for _, tag := range tags {
		length += len(tag)
	}
	return len(tags) <= MaxTags && length <= maxBytes
}

// Faults of snapshots. The three that keep one from being opened can be told
// apart: the key is gone, the key is another's, or what is stored has changed.
var (
	FaultErased     = fault.Declare(fault.Conflict, "snapshot.erased", "The tags kept for job %s have been erased, so they can neither be shown nor put back. Counts and digests stay.")
	FaultOtherKey   = fault.Declare(fault.Unavailable, "snapshot.other_key", "The tags kept for job %s cannot be read: they were encrypted under another key file. Nothing is lost; start the console with the key file it had when the job ran.")
	FaultKeyChanged = fault.Declare(fault.Unavailable, "snapshot.key_changed", "The tags kept for job %s cannot be read: their key is not as it was written down. It was damaged, changed, or belongs to another job. Nothing was sent; bring the database back from a backup.")
	FaultChanged    = fault.Declare(fault.Unavailable, "snapshot.changed", "The tags kept for batch %d of job %s cannot be read: they are not as they were written down. They were damaged, changed, or belong to another batch. Nothing was sent for this batch; bring the database back from a backup.")
	FaultTooMany    = fault.Declare(fault.Invalid, "snapshot.too_many", "The tags of a batch could not be kept, so none were removed: the account in place %d of the job has %d tags, and %d can be kept. Look at that account in Tencent's console, or take it out of the file.")
	FaultTooLarge   = fault.Declare(fault.Invalid, "snapshot.too_large", "The tags of a batch could not be kept, so none were removed: together they are longer than %d MiB. Look at its accounts in Tencent's console.")
)
