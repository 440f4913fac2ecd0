package snapshot

import (
	"slices"

	"tagsweep/internal/fault"
)

// storedTags is how many tags an account can have (docs/tim-api.md section 2).
const storedTags = 100

// Policy says what becomes of an account that has gained other tags since its
// snapshot. It is chosen before a restore begins.
type Policy string

const (
	Merge Policy = "merge" // its old tags are added to the new ones
	Skip  Policy = "skip"  // it is left as it is
	Stop  Policy = "stop"  // the restore stops, so that a person looks
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
	TooFull                    // it has gained so many that not all its old ones fit: add none
)

// Plan says what to do with an account, and which tags to add when it is Add:
// of those it had only those that are chosen, nil: all. Gained is what it had
// none of, chosen or not. Planned again from the tags as they are after some were
// added, it continues where it stopped. A policy that is none stops.
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
	if len(unique(now))+len(add) > max(storedTags, len(unique(was))) { // as many as it had before, it may have again
		return TooFull, nil
	}
	return Add, add
}

// Chosen returns those of tags that are in only, in their order; all of them when only is nil.
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

// Common returns those of tags that others hold too, in their order; nil when there are none.
func Common(tags, others []string) (common []string) {
	for _, tag := range tags {
		if slices.Contains(others, tag) {
			common = append(common, tag)
		}
	}
	return common
}
