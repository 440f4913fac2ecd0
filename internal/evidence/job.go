package evidence

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"path"
	"strings"
	"time"
	"unicode"
)

// Job is job.json: what the console knew of the job when the pack was made.
type Job struct {
	ID          string           `json:"id"`
	Kind        string           `json:"kind"`
	State       string           `json:"state"`
	Note        string           `json:"note"`
	App         App              `json:"app"`
	File        File             `json:"file"`
	Reading     Reading          `json:"reading"`
	Rows        int64            `json:"rows"`
	Rejected    int64            `json:"rejected"`
	Duplicate   int64            `json:"duplicate"`
	Protected   int64            `json:"protected"`
	Accounts    int64            `json:"accounts"`
	Outcomes    map[string]int64 `json:"outcomes"`
	Batches     int64            `json:"batches"`
	Calls       int64            `json:"calls"` // that were sent or may have been
	CreatedBy   string           `json:"created_by"`
	CreatedAt   time.Time        `json:"created_at"`
	StartedBy   string           `json:"started_by"`
	ApprovedBy  string           `json:"approved_by,omitempty"` // the second person
	Emergency   string           `json:"emergency,omitempty"`   // why there was none although one was needed
	StartedAt   time.Time        `json:"started_at"`
	StartAt     *time.Time       `json:"start_at,omitempty"` // nothing was sent before
	FinishedAt  time.Time        `json:"finished_at"`
	Source      string           `json:"source,omitempty"` // the job whose accounts these are
	Policy      string           `json:"policy,omitempty"` // what happens to accounts with new tags
	OnlyTags    []string         `json:"only_tags,omitempty"`
	Snapshot    bool             `json:"snapshot"` // tags were saved before they were changed
	VerifyShare int64            `json:"verify_share"`
	VerifySeed  string           `json:"verify_seed,omitempty"`
	Sealed      int64            `json:"sealed"`  // the number of the entry that seals the job
	Entries     []int64          `json:"entries"` // the numbers of those in log.jsonl, except the last
	PageSHA256  string           `json:"page_sha256"`
}

// App is the app a job was for.
type App struct {
	Name        string `json:"name"`
	Environment string `json:"environment"`
	SDKAppID    int64  `json:"sdkappid"`
	Domain      string `json:"domain"`
}

// File is the upload.
type File struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// Reading is how the file was read.
type Reading struct {
	Understood json.RawMessage `json:"understood"` // all that was found or said
	Said       json.RawMessage `json:"said"`       // what a person said of it; the rest was detected
	By         string          `json:"by,omitempty"`
	At         *time.Time      `json:"at,omitempty"`
	Earlier    bool            `json:"earlier,omitempty"` // it was said of an earlier file with the same header
}

func (j Job) text() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(j)
	return b.Bytes(), err
}

// maxName is how many characters of a file's name are in a pack.
const maxName = 100

// member is the path of the file in the pack. Its name is safe on every system: letters,
// digits, dots, hyphens and underscores.
func (f File) member() string {
	name := path.Base(strings.ReplaceAll(f.Name, `\`, "/"))
	name = strings.TrimLeft(strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || c == '.' || c == '_' {
			return c
		}
		return '-'
	}, name), ".-")
	if runes := []rune(name); len(runes) > maxName { // its end says what it is
		name = string(runes[len(runes)-maxName:])
	}
	if name == "" {
		name = "upload"
	}
	return fileFolder + name
}

//go:embed readme.html
var pageText string

var pageTemplate = template.Must(template.New(pageName).Parse(pageText))

// page is the page that explains the pack.
func page(j Job) ([]byte, error) {
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		Job
		Member string
	}{j, j.File.member()})
	return b.Bytes(), err
}
