package evidence

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"tagsweep/internal/audit"
)

// Checked is the result of checking a pack.
type Checked struct {
	Wrong      []string // a sentence for each thing that is wrong, the place first
	More       int      // further things that are wrong
	OwnKey     bool     // no key was given: the key in the pack was used
	Key        string   // the public key that was used
	Checkpoint audit.Checkpoint
	Job        Job
	Entries    int64
	Erased     []int64 // of them: their personal part was erased
	Erasures   []int64 // of them: they say so
	Removed    int64   // entries up to this one were removed from the log, as it says, because they were old
	Rows       int64
	Calls      int64
}

// maxFindings is how many findings are listed.
const maxFindings = 50

// checker collects findings. A missing input was already reported by the check of its part.
type checker struct {
	called calledAccounts // nil: the calls were not read
	Checked
	pack    io.ReaderAt
	size    int64
	members map[string]*zip.File

	signed    bool         // Checkpoint was signed with Key
	described bool         // Job was read
	restored  bool         // the job comes from an older copy of the database
	seal      *audit.Entry // the one entry that seals the job
}

func (c *checker) wrong(place, what string, args ...any) {
	if len(c.Wrong) == maxFindings {
		c.More++
		return
	}
	c.Wrong = append(c.Wrong, place+": "+fmt.Sprintf(what, args...))
}

// Check verifies a pack with the public key of its log, or with the key in the pack when
// key is "". It uses bounded memory for any input.
func Check(pack io.ReaderAt, size int64, key string) Checked {
	c := &checker{pack: pack, size: size}
	if c.parts() {
		c.key(strings.TrimSpace(key))
		c.checkpoint()
		job := c.job()
		c.log(job)
		c.page()
		c.file()
		c.calls()
		c.rows()
	}
	return c.Checked
}

func (c *checker) key(given string) {
	c.Key, c.OwnKey = given, given == ""
	own, ok := c.whole(keyName, maxNote)
	switch {
	case !ok:
	case given == "":
		c.Key = strings.TrimSuffix(string(own), "\n")
	case string(own) != given+"\n":
		c.wrong(keyName, "this is not the key that you gave")
	}
}

func (c *checker) checkpoint() {
	note, ok := c.whole(checkpointName, maxNote)
	if !ok || c.Key == "" {
		return
	}
	var err error
	if c.Checkpoint, err = audit.OpenCheckpoint(string(note), c.Key); err != nil || !signedOnce(string(note)) {
		c.wrong(checkpointName, "this is not a checkpoint signed with the key")
		return
	}
	c.signed = true
}

// signedOnce reports whether a note has exactly one signature in the canonical form.
// Other readers of notes ignore additional ones.
func signedOnce(note string) bool {
	lines := strings.Split(note, "\n")
	if len(lines) != 8 || lines[7] != "" {
		return false
	}
	words := strings.Split(lines[6], " ")
	_, err := base64.StdEncoding.Strict().DecodeString(words[len(words)-1])
	return err == nil
}

// job reads job.json and returns its bytes.
func (c *checker) job() []byte {
	content, ok := c.whole(jobName, maxText)
	if !ok {
		return nil
	}
	err := json.Unmarshal(content, &c.Job)
	var again []byte
	if err == nil {
		again, err = c.Job.text()
	}
	if err != nil || !bytes.Equal(again, content) { // a name written otherwise would be read as well
		c.wrong(jobName, "the format is not valid")
	}
	c.described = err == nil && c.Job.ID != ""
	return content
}

func (c *checker) page() {
	if content, ok := c.whole(pageName, maxText); ok && c.described && digest(content) != c.Job.PageSHA256 {
		c.wrong(pageName, "the page does not match %s", jobName)
	}
}
