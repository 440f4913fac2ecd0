// Package snapshot saves the tags that accounts had just before a job changed them,
// reports on them, and plans how to restore them.
//
// A snapshot contains one batch: JSON, compressed, and encrypted with the job's own
// key, which is stored encrypted ([Wrap]). Deleting every copy of that key erases all
// snapshots of the job, in backups too. The [Digest] of each remains and reveals
// nothing. A snapshot can be decrypted only for its own job and batch, so it cannot be
// moved or replaced unnoticed.
//
// [Snapshots] stores the keys and the encrypted tags in the database: the earlier tags
// of accounts, and the tags that a job must add or remove. It erases them at the end of
// the retention period, which package jobs sets.
package snapshot

import "tagsweep/internal/fault"

// Limits of a snapshot. A batch has 100 accounts; the service documents 100
// tags of 50 bytes for each, but larger answers are saved unchanged.
const (
	MaxAccounts = 100      // accounts in a snapshot
	MaxTags     = 1_000    // tags of an account
	maxBytes    = 1 << 16  // of an account's tags together
	maxPacked   = 48 << 20 // bytes before compression, above what MaxAccounts with so many need
)

// Account is an account and the tags it had.
type Account struct {
	Seq  int64    // its place in the job
	Tags []string // UTF-8, in the service's order
}

// Fits reports whether the tags of an account can be saved. A batch can be saved if
// those of all its accounts can.
func Fits(tags []string) bool {
	length := 0
	for _, tag := range tags {
		length += len(tag)
	}
	return len(tags) <= MaxTags && length <= maxBytes
}

// Faults of snapshots. Decryption has three different ones: the key was erased, the key
// belongs to another key file, or the stored data was changed.
var (
	FaultErased = fault.Declare(fault.Conflict, "snapshot.erased",
		"The tag snapshot of job %s was erased, so it cannot be shown or restored. Counts and digests remain.")
	FaultOtherKey = fault.Declare(fault.Unavailable, "snapshot.other_key",
		"The tag snapshot of job %s cannot be read: it was encrypted with another key file. No data is lost. Start "+
			"the console with the key file that was used when the job ran.")
	FaultKeyChanged = fault.Declare(fault.Unavailable, "snapshot.key_changed",
		"The tag snapshot of job %s cannot be read: its key was damaged or changed, or belongs to another job. "+
			"Nothing was sent. Restore the database from a backup.")
	FaultChanged = fault.Declare(fault.Unavailable, "snapshot.changed",
		"The tag snapshot of batch %d of job %s cannot be read: it was damaged or changed, or belongs to another "+
			"batch. This batch was not sent. Restore the database from a backup.")
	FaultTooMany = fault.Declare(fault.Invalid, "snapshot.too_many",
		"The tag snapshot could not be saved, so no tags were removed: account number %d of the job has %d tags, "+
			"and the maximum is %d. Check this account in Tencent's console, or remove it from the file.")
	FaultTooLarge = fault.Declare(fault.Invalid, "snapshot.too_large",
		"The tag snapshot could not be saved, so no tags were removed: the tags of this batch are longer than %d "+
			"MiB in total. Check its accounts in Tencent's console.")
)
