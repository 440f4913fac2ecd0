package snapshot

import (
	"slices"

	"tagsweep/internal/fault"
)

// storedTags is how many tags an account can have (docs/tim-api.md section 2).
const storedTags = 100

// Policy says what happens to an account that has new tags since its snapshot. It is
// chosen before a restore begins.
type Policy string

const (
	Merge Policy = "merge" // its old tags are added to the new ones
	Skip  Policy = "skip"  // it is left as it is
	Stop  Policy = "stop"  // the restore stops, and a person decides
)

// FaultPolicy says that no policy was chosen.
var FaultPolicy = fault.Declare(fault.Invalid, "snapshot.policy",
	"No tags were restored. Choose what to do if an account has new tags: add the earlier tags, skip the account, "+
		"or halt the job.")

// ParsePolicy returns the policy of a name, else FaultPolicy.
func ParsePolicy(name string) (Policy, error) {
	if policy := Policy(name); policy == Merge || policy == Skip || policy == Stop {
		return policy, nil
	}
	return "", FaultPolicy.With()
}

// Action is what to do with one account of a restore.
type Action int

const (
	Complete Action = iota + 1 // it has all its old tags: nothing to add
	Add                        // add the missing tags
	Leave                      // it has gained other tags: skip it
	Halt                       // it has gained other tags: stop the restore
	TooFull                    // with its new tags, not all old ones fit: add none
)

// Plan decides what to do with an account, and which tags to Add: those of only, or all
// if it is nil. Any tag that the account did not have counts as new. Called again after
// some tags were added, Plan continues where it stopped. An unknown policy stops.
func (p Policy) Plan(was, only, now []string) (Action, []string) {
	add, gained := Missing(was, now)
	add = Chosen(add, only)
	switch {
	case len(add) == 0:
		return Complete, nil
	case len(gained) == 0 || p == Merge:
	case p == Skip:
		return Leave, nil
	default:
		return Halt, nil
	}
	if len(unique(now))+len(add) > max(storedTags, len(unique(was))) { // it may have as many tags as before
		return TooFull, nil
	}
	return Add, add
}

// Chosen returns the tags that are in only, in their order; all if only is nil.
func Chosen(tags, only []string) []string {
	if only == nil {
		return tags
	}
	return Common(tags, only)
}

// Missing compares the tags an account had with those it has: add are the old
// ones it lacks, gained the new ones it did not have, both without repetitions
// and in their order.
func Missing(was, now []string) (add, gained []string) { return without(was, now), without(now, was) }

func without(tags, taken []string) []string {
	skip := make(map[string]bool, len(tags)+len(taken))
	for _, tag := range taken {
		skip[tag] = true
	}
	var left []string
	for _, tag := range tags {
		if !skip[tag] {
			skip[tag] = true
			left = append(left, tag)
		}
	}
	return left
}

// unique returns tags without repetitions, in their order.
func unique(tags []string) []string { return without(tags, nil) }

// Common returns the tags that are also in others, in their order; nil for none.
func Common(tags, others []string) (common []string) {
	for _, tag := range tags {
		if slices.Contains(others, tag) {
			common = append(common, tag)
		}
	}
	return common
}
