package jobs

import (
	"tagsweep/internal/snapshot"
	"tagsweep/internal/tim"
)

// operations say what a job of a kind does with an account. A new kind begins here, beside
// its constant in jobs.go.
var operations = map[Kind]struct {
	command       tim.Command
	done, nothing Outcome
	undo          Kind
}{
	Clear:      {tim.RemoveAllTags, Cleared, Untagged, Restore},
	Inspect:    {"", Inspected, Untagged, ""},
	Restore:    {tim.AddTags, Restored, Unchanged, RemoveTags},
	AddTags:    {tim.AddTags, Changed, Unchanged, RemoveTags},
	RemoveTags: {tim.RemoveTags, Changed, Unchanged, Restore},
}

// Command is the call that changes tags; "" when a kind changes nothing.
func (k Kind) Command() tim.Command { return operations[k].command }

// Done is the outcome of an account that was changed; of Inspect, of one that has tags.
func (k Kind) Done() Outcome { return operations[k].done }

// Nothing is the outcome of an account for which there was nothing to do.
func (k Kind) Nothing() Outcome { return operations[k].nothing }

// Undo is the kind of a job that takes back what a job of this kind did; ""
// when there is nothing to take back.
func (k Kind) Undo() Kind { return operations[k].undo }

// Tagged reports whether a job of the kind needs to be told tags for each account.
func (k Kind) Tagged() bool { return k == Restore || k == AddTags || k == RemoveTags }

// ForbidsReading reports whether the code says that the app may not read tags.
func ForbidsReading(code int) bool { return tim.RuleOf(code).Reading }

// First is the command a new batch waits for.
func (k Kind) First(snapshot bool) tim.Command {
	if k == Clear && !snapshot {
		return tim.RemoveAllTags
	}
	return tim.GetTags
}

// Did returns the tags of an account that a job of the kind removed or added,
// given those it had before and those the job was told.
func (k Kind) Did(was, wanted []string) []string {
	switch k {
	case Clear:
		return was
	case RemoveTags:
		return snapshot.Common(wanted, was)
	case Restore, AddTags:
		add, _ := snapshot.Missing(wanted, was)
		return add
	}
	return nil
}

// IsDone reports whether an account with these tags is as a job of the kind wants it.
func (k Kind) IsDone(wanted, now []string) bool {
	switch k {
	case Clear:
		return len(now) == 0
	case RemoveTags:
		return len(snapshot.Common(wanted, now)) == 0
	case Restore, AddTags:
		add, _ := snapshot.Missing(wanted, now)
		return len(add) == 0
	}
	return true
}
