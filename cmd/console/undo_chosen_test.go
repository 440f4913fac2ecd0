package main

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// outcomes is the result of each account of a job.
func (u *undoTest) outcomes(id string) map[string]string {
	_, body := u.olga.get("/jobs/" + id + "/results.csv")
	names, found := column(u.t, body, "account"), column(u.t, body, "outcome")
	outcomes := make(map[string]string, len(names))
	for i, name := range names {
		outcomes[name] = found[i]
	}
	require.Len(u.t, outcomes, len(names))
	return outcomes
}

// Accounts that somebody has given other tags since are treated as was chosen
// before the undo began: they get their old tags beside the new ones, they are
// left alone, or the job stops, until a person says how to continue.
func TestUndoPolicyForAccountsWithNewTags(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		_, tags := tagged(3_000)
		u := newUndoTest(t, database, tags, nil)
		all := u.withTags()
		for i, policy := range []string{"merge", "skip", "stop"} {
			names := all[i*800 : (i+1)*800]
			clearing := u.cleared(names...)
			want := map[string][]string{}
			for n, name := range names {
				old := tags[name]
				switch {
				case n%10 == 0: // other tags
					gained := []string{"new", "again"}
					u.simulator.SetTags(name, gained...)
					want[name] = gained
					if policy == "merge" {
						want[name] = slices.Concat(gained, old)
					}
				case n%10 == 1: // some of its own, and nothing else: it has gained none
					u.simulator.SetTags(name, old[:len(old)/2]...)
					want[name] = old
				default:
					want[name] = old
				}
			}
			full := names[5]
			want[full] = numberedTags(100)
			u.simulator.SetTags(full, want[full]...)

			undo := u.undo(clearing, url.Values{"policy": {policy}}, nil)
			u.olga.start(undo)
			if policy == "stop" {
				until(t, "the job stops", func() bool { return u.olga.job(undo).State == "halted" })
				require.Equal(t, jobs.CodeGained, u.olga.job(undo).Halt.Code)
				for n, name := range names {
					if n%10 == 0 {
						require.ElementsMatch(t, want[name], u.simulator.Tags(name), "nothing is done to it before a person says so")
					}
				}
				answer, body := u.olga.post("/jobs/"+undo+"/resume", nil)
				require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode, "without a choice it does not go on")
				require.Contains(t, body, "Choose what to do if an account has new tags: ")
				u.olga.must("/jobs/"+undo+"/resume", url.Values{"policy": {"skip"}})
			}
			j := u.finished(undo)
			u.requireTags(want)
			outcomes := u.outcomes(undo)
			if policy == "merge" {
				require.Equal(t, []int64{799, 0, 1}, []int64{j.Outcomes["restored"], j.Outcomes["skipped"], j.Outcomes["failed"]})
				require.Equal(t, "failed", outcomes[full], "its old tags do not fit beside so many new ones")
			} else {
				require.Equal(t, []int64{719, 81, 0}, []int64{j.Outcomes["restored"], j.Outcomes["skipped"], j.Outcomes["failed"]})
				require.Equal(t, "skipped", outcomes[full])
			}
		}
		u.requireMatch()
	})
}

// without leaves out of tags those of others.
func without(tags, others []string) []string {
	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return slices.Contains(others, tag) })
}

func numberedTags(n int) (tags []string) {
	for i := range n {
		tags = append(tags, "tag-"+strconv.Itoa(i))
	}
	return tags
}

// What an undo gave back is taken away again, and that given back once more:
// each undo brings the tags to where they were before, and touches no others.
func TestAnUndoCanBeUndone(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		_, tags := tagged(1_000)
		u := newUndoTest(t, database, tags, nil)
		names := u.withTags()
		clearing := u.cleared(names...)
		between := map[string][]string{}
		for i, name := range names {
			between[name] = nil
			if i%3 == 0 { // one tag it had, and one it had not
				between[name] = []string{tags[name][0], "own"}
				u.simulator.SetTags(name, between[name]...)
			}
		}
		undo := u.undo(clearing, url.Values{"policy": {"merge"}}, nil)
		u.run(undo)
		after := map[string][]string{}
		for _, name := range names {
			after[name] = slices.Concat(tags[name], without(between[name], tags[name]))
		}
		u.requireTags(after)

		again := u.undo(undo, nil, nil)
		u.run(again)
		u.requireTags(between)

		u.run(u.undo(again, url.Values{"policy": {"merge"}}, nil))
		u.requireTags(after)
		u.requireMatch()
	})
}

// A part of a job is undone: single tags, accounts with an outcome, those of
// a list. The rest stays as it is.
func TestAPartOfAJobIsTakenBack(t *testing.T) {
	t.Parallel()
	_, tags := tagged(2_000)
	u := newUndoTest(t, databaseOf(t, "sqlite"), tags, nil)
	names := u.withTags()
	clearing := u.cleared(names...)
	want := map[string][]string{}
	for _, name := range names {
		want[name] = nil
	}

	// Two tags.
	chosen := []string{"city-0", "a,b-3"}
	had := 0
	for _, name := range names {
		want[name] = without(tags[name], without(tags[name], chosen))
		if len(want[name]) > 0 {
			had++
		}
	}
	require.Positive(t, had)
	undo := u.undo(clearing, url.Values{"policy": {"merge"}, "tags": {strings.Join(chosen, "\n")}}, nil)
	require.EqualValues(t, had, u.olga.job(undo).Accounts, "only those that lost one of them")
	u.run(undo)
	u.requireTags(want)

	// The accounts of a list, of which one is not of the job.
	list := names[100:300]
	for _, name := range list {
		want[name] = tags[name]
	}
	others := u.simulator.Tags("somebody_else")
	undo = u.undo(clearing, url.Values{"policy": {"merge"}}, []byte(strings.Join(list, "\n")+"\nsomebody_else\n"))
	require.EqualValues(t, len(list), u.olga.job(undo).Accounts)
	u.run(undo)
	u.requireTags(want)
	require.Equal(t, others, u.simulator.Tags("somebody_else"))

	// An outcome nobody has, and those that were cleared.
	answer, _ := u.olga.postForm("/jobs/"+clearing+"/undo", url.Values{"policy": {"merge"}, "outcome": {"failed"}}, nil)
	require.Contains(t, []int{http.StatusConflict, http.StatusUnprocessableEntity}, answer.StatusCode)
	undo = u.undo(clearing, url.Values{"policy": {"merge"}, "outcome": {"cleared"}}, nil)
	require.EqualValues(t, len(names), u.olga.job(undo).Accounts)
	j := u.run(undo)
	whole := int64(0)
	for _, name := range names {
		if slices.Contains(list, name) || len(without(tags[name], chosen)) == 0 {
			whole++
		}
		want[name] = tags[name]
	}
	require.Equal(t, whole, j.Outcomes["unchanged"], "what is there is not sent again")
	u.requireTags(want)
	u.requireMatch()
}

// Files with a column of tags: the tags named are added, or removed, and no
// others; undone, every account has what it had.
func TestUndoOfAddedAndRemovedTags(t *testing.T) {
	t.Parallel()
	plain := strings.NewReplacer("a,b", "city", `"q"`, "plan") // nothing that would part a cell
	onEachDatabase(t, func(t *testing.T, database string) {
		_, tags := tagged(1_500)
		u := newUndoTest(t, database, tags, nil)
		names := slices.Sorted(maps.Keys(tags))
		for _, kind := range []string{"add_tags", "remove_tags"} {
			var file strings.Builder
			file.WriteString("account,tags\n")
			want := map[string][]string{}
			changes := int64(0)
			for i, name := range names {
				own := tags[name]
				named := []string{"spring", "summer"}
				if i%4 == 0 {
					named = append(named, numberedTags(15)...) // more than fit one call
				}
				if len(own) > 0 {
					named = append(named, plain.Replace(own[0]))
				}
				if i%5 == 0 {
					named = named[len(named)-1:]
				}
				file.WriteString(name + "," + strings.Join(named, ";") + "\n")
				want[name] = slices.Concat(own, without(named, own))
				if kind == "remove_tags" {
					want[name] = without(own, named)
				}
				if strings.HasPrefix(name, "unknown") {
					want[name] = nil
				}
				if len(want[name]) != len(own) {
					changes++
				}
			}
			id := u.upload(kind, []byte(file.String()))
			j := u.run(id)
			u.requireTags(want)
			require.Equal(t, changes, j.Outcomes["changed"])
			form := url.Values{}
			if kind == "remove_tags" {
				form.Set("policy", "merge")
			}
			undo := u.undo(id, form, nil)
			require.Equal(t, changes, u.olga.job(undo).Accounts)
			u.run(undo)
			u.requireTags(tags)
		}
		for _, call := range slices.Concat(u.calls(tim.AddTags), u.calls(tim.RemoveTags)) {
			for _, list := range call.Tags {
				require.LessOrEqual(t, len(list), tim.MaxTags)
			}
		}
		require.Empty(t, u.calls(tim.RemoveAllTags))
		u.requireMatch()
	})
}
