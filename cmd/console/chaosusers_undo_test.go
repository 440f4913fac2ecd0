package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	engine "tagsweep/internal/jobs"
)

// sentFile is a file the users have uploaded, and for what.
type sentFile struct {
	kind    string
	content []byte
}

// accounts are those of a file, in its order.
func (f sentFile) accounts() (names []string) {
	for _, line := range strings.Fields(string(f.content)) {
		if name, _, _ := strings.Cut(line, ","); name != "account" {
			names = append(names, name)
		}
	}
	return names
}

// upload sends a file that was sent before, or one that overlaps them: to remove
// all tags, to look at them, to add some or to remove some.
func (c *chaosUsers) upload(address string, n int) {
	file := c.files[c.random.IntN(len(c.files))]
	if c.random.IntN(2) == 0 {
		kind := []string{"clear", "clear", "clear", "inspect", "add_tags", "remove_tags"}[c.random.IntN(6)]
		file = sentFile{kind, accountsFrom(c.random.IntN(5_000), n)}
		if strings.HasSuffix(kind, "_tags") {
			file.content = c.taggedFile(file.accounts())
		}
		c.files = append(c.files, file)
	}
	request := c.client.formRequest(address+"/jobs", url.Values{"kind": {file.kind}}, map[string][]byte{"file": file.content})
	c.count("upload to "+file.kind, c.send(request))
}

// taggedFile names tags for accounts: some that the simulator gives, some new
// ones, for a few more than fit one call.
func (c *chaosUsers) taggedFile(names []string) []byte {
	var file strings.Builder
	file.WriteString("account,tags\n")
	for _, name := range names {
		tags := []string{"spring", "vip", "gold", "ios"}[c.random.IntN(4):]
		if c.random.IntN(20) == 0 {
			tags = append(slices.Clone(tags), numberedTags(12)...)
		}
		fmt.Fprintf(&file, "%s,%s\n", name, strings.Join(tags, ";"))
	}
	return []byte(file.String())
}

// undoOne makes a job that undoes one that has ended, an undo
// perhaps, whole or only a tag of it.
func (c *chaosUsers) undoOne(address string, jobs []jobJSON) {
	for _, at := range c.random.Perm(len(jobs)) {
		j := jobs[at]
		ended := j.State == "finished" || j.State == "cancelled"
		if !ended || c.undone[j.ID] || engine.Kind(j.Kind).Undo() == "" || j.Outcomes[string(engine.Kind(j.Kind).Done())] == 0 {
			continue
		}
		form := url.Values{"policy": {[]string{"merge", "skip", "stop"}[c.random.IntN(3)]}}
		if engine.Kind(j.Kind) == engine.RemoveTags { // it left its accounts the other tags
			form.Set("policy", "merge")
		}
		if c.random.IntN(4) == 0 {
			form.Set("tags", "vip\nspring")
		}
		status := c.send(c.client.formRequest(address+"/jobs/"+j.ID+"/undo", form, nil))
		c.count("undo of "+j.Kind, status)
		c.undone[j.ID] = status != 0
		return
	}
}

// resumeForm is what a person says who lets a job continue that has met accounts with
// other tags.
func (c *chaosUsers) resumeForm(j jobJSON) url.Values {
	if j.Halt == nil || j.Halt.Code != engine.CodeGained {
		return nil
	}
	return url.Values{"policy": {[]string{"merge", "skip"}[c.random.IntN(2)]}}
}

// decideAll answers what jobs ask about accounts in doubt. Those of a cancelled
// job cannot be sent again.
func (c *chaosUsers) decideAll(address string, jobs []jobJSON) {
	for _, j := range jobs {
		if j.Outcomes["in_doubt"] == 0 || !c.asks(address, j.ID) {
			continue
		}
		choices := []string{"leave", "read", "again", "again"}
		if j.State == "cancelled" {
			choices = choices[:2]
		}
		c.post(address, "/jobs/"+j.ID+"/decide", url.Values{"decision": {choices[c.random.IntN(len(choices))]}})
	}
}

// asks reports whether accounts of a job wait for a person; false when the
// console did not answer.
func (c *chaosUsers) asks(address, id string) bool {
	var j wholeJob
	return c.ask(address+"/jobs/"+id, &j) && j.NeedsReview != nil && j.NeedsReview.Accounts > 0
}

// accountsOf are those of the file that a job began with, its own or that of the
// job which it undoes.
func (c *chaosUsers) accountsOf(j jobJSON, jobs []jobJSON) []string {
	for j.Source != nil {
		at := slices.IndexFunc(jobs, func(other jobJSON) bool { return other.ID == *j.Source })
		require.GreaterOrEqual(c, at, 0)
		j = jobs[at]
	}
	sent := slices.IndexFunc(c.files, func(file sentFile) bool { return sumOf(file.content) == j.File.SHA256 })
	require.GreaterOrEqual(c, sent, 0, "job %s is of a file nobody sent", j.ID)
	return c.files[sent].accounts()
}

// missing are the names, which are sorted, that a list does not hold.
func missing(names, list []string) []string {
	held := make(map[string]bool, len(list))
	for _, name := range list {
		held[name] = true
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return held[name] })
}

// ask reads what a console says to scripts; false when it did not answer.
func (c *chaosUsers) ask(address string, into any) bool {
	request, err := http.NewRequest(http.MethodGet, address, nil)
	require.NoError(c, err)
	request.Header.Set("Accept", "application/json")
	answer, err := c.client.client.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		c.Errorf("%s was answered with status %d", address, answer.StatusCode)
		return false
	}
	return json.NewDecoder(answer.Body).Decode(into) == nil
}
