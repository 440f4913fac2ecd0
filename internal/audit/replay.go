package audit

// Replay is what a noun ought to be by the log. A verification gives it every entry that
// is there and unchanged, the oldest first; then the noun compares its tables with it, as
// auth.Replay and jobs.Replay do. What governs stands in the line of an entry, or in
// entries of [NeverRemoved], so that erasing and removing hide none of it.
type Replay interface {
	// Learn takes in an entry. It says at once what no later entry can make right.
	Learn(e Entry, v *Verified)
}
