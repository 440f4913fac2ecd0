package web

import (
	"net/http"
	"time"

	"tagsweep/internal/accounts"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
)

// appJSON is an app; Served is false when this console makes no calls of it.
type appJSON struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Environment string `json:"environment"`
	Served      bool   `json:"served"`
}

// jobJSON is a job for scripts.
type jobJSON struct {
	ID         string                 `json:"id"`
	App        appJSON                `json:"app"`
	Kind       jobs.Kind              `json:"kind"`
	State      jobs.State             `json:"state"`
	Note       string                 `json:"note"`
	File       fileJSON               `json:"file"`
	Rows       int64                  `json:"rows"`
	Rejected   int64                  `json:"rejected"`
	Duplicate  int64                  `json:"duplicate"`
	Protected  int64                  `json:"protected"`
	Accounts   int64                  `json:"accounts"`
	Outcomes   map[jobs.Outcome]int64 `json:"outcomes"`
	Batches    int64                  `json:"batches"`
	Calls      int64                  `json:"calls"`
	CreatedBy  string                 `json:"created_by"`
	StartedBy  *string                `json:"started_by"`
	ApprovedBy *string                `json:"approved_by"` // the second person
	Emergency  *string                `json:"emergency"`   // why an admin started it without one
	CreatedAt  time.Time              `json:"created_at"`
	StartedAt  *time.Time             `json:"started_at"`
	FinishedAt *time.Time             `json:"finished_at"`
	StartAt    *time.Time             `json:"start_at"` // nothing is sent before
	Canary     bool                   `json:"canary"`   // only its first batch may be sent yet
	Source     *string                `json:"source"`   // the job whose accounts these are
	Read       *int                   `json:"read"`     // in thousandths, while the file is being read
	ReadRows   *int64                 `json:"read_rows"`
	Refusal    *refusalJSON           `json:"refusal"` // why the file could not be read
	Halt       *haltJSON              `json:"halt"`
	Snapshot   bool                   `json:"snapshot"`  // tags are saved before they are changed
	Policy     *snapshot.Policy       `json:"policy"`    // of a restore: what becomes of accounts that have gained other tags
	OnlyTags   []string               `json:"only_tags"` // of what is restored or taken away: these alone; null: all
	Verify     *verificationJSON      `json:"verification"`
	Checks     *jobs.Kind             `json:"checks"` // of an inspection that verifies its source: the kind of that job
}

type verificationJSON struct {
	Share  int64   `json:"share"` // of the batches, in millionths
	Seed   string  `json:"seed"`
	Job    *string `json:"job"`    // the job that inspects the sample; null: none yet, or there is nothing to inspect
	Read   int64   `json:"read"`   // accounts that it has inspected
	Differ int64   `json:"differ"` // of them: those that are not as they should be
}

// wholeJobJSON has more fields, for a single job.
type wholeJobJSON struct {
	jobJSON
	Retries      []string          `json:"retries"`       // ids of all jobs made of accounts of this one
	SnapshotInfo *snapshotInfoJSON `json:"snapshot_info"` // earlier tags; null: none are, or the job has not come to rest
	NeedsReview  *needsReviewJSON  `json:"needs_review"`  // accounts in doubt that wait for a person
	WaitsFor     *overlapJSON      `json:"waits_for"`     // the job that goes first, since both hold the same accounts

	SecondPerson *secondPersonJSON `json:"second_person"` // null: nothing needs one, and nobody was asked
}

// secondPersonJSON says what needs a second person, and the last request for one.
type secondPersonJSON struct {
	Action  *jobs.Action  `json:"action"` // what cannot be done without one; null: nothing
	Limit   int64         `json:"limit"`  // accounts for which it could
	Request *approvalJSON `json:"request"`
}

// orNull is a text, or null when there is none.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

type needsReviewJSON struct {
	Accounts   int64 `json:"accounts"`
	Tagged     int64 `json:"tagged"`     // they have tags that were not there before
	Unreadable int64 `json:"unreadable"` // their tags may not be read
	Lost       int64 `json:"lost"`       // every call for them stayed without an answer
	Code       int   `json:"code"`       // why not
}

type snapshotInfoJSON struct {
	Batches  int64      `json:"batches"`
	Bytes    int64      `json:"bytes"`
	Digest   string     `json:"digest"`
	EraseAt  *time.Time `json:"erase_at"`
	ErasedAt *time.Time `json:"erased_at"`
}

// draftJSON also has what a person reviews of a draft.
type draftJSON struct {
	wholeJobJSON
	Unsure        []accounts.Question    `json:"unsure"` // open questions about the file: the job cannot be started
	Understanding accounts.Understanding `json:"understanding"`
	Warnings      warningsJSON           `json:"warnings"`
}

type warningsJSON struct {
	SameFile []string      `json:"same_file"` // ids of jobs
	Overlaps []overlapJSON `json:"overlaps"`
	Unusual  int64         `json:"unusual"` // rows whose account holds rare characters
}

type overlapJSON struct {
	Job      string `json:"job"`
	Accounts int64  `json:"accounts"`
}

type refusalJSON struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type fileJSON struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

type haltJSON struct {
	Code     int    `json:"code"`
	Message  string `json:"message"`  // in plain words
	Info     string `json:"info"`     // what the service said
	Recovers bool   `json:"recovers"` // it continues by itself
}

func (s *Server) asAppJSON(v *request, id string) appJSON {
	app := s.App
	if id != s.App.ID {
		app = s.status.now(v.Request().Context()).Apps[id]
	}
	return appJSON{id, app.Name, app.Environment, id == s.App.ID}
}

func (s *Server) asJobJSON(v *request, j jobs.Job) (jobJSON, error) {
	out := jobJSON{
		ID: j.ID, App: s.asAppJSON(v, j.AppID), Kind: j.Kind, State: j.State, Note: j.Note,
		File: fileJSON{Name: j.FileName, SHA256: j.FileSHA256, Bytes: j.FileBytes},
		Rows: j.Rows, Rejected: j.Rejected, Duplicate: j.Duplicate, Protected: j.Protected, Accounts: j.Accounts,
		Outcomes: map[jobs.Outcome]int64{}, Batches: j.Batches, Calls: j.Calls,
		CreatedBy: j.CreatedBy, CreatedAt: j.CreatedAt.UTC(), StartedAt: moment(j.StartedAt), FinishedAt: moment(j.FinishedAt),
		StartAt: moment(j.StartAt), Canary: j.Careful,
	}
	for _, o := range jobs.Outcomes {
		out.Outcomes[o] = j.Counts[o]
	}
	if j.Source != "" {
		out.Source = &j.Source
	}
	out.StartedBy, out.ApprovedBy, out.Emergency = orNull(j.StartedBy), orNull(j.ApprovedBy), orNull(j.Emergency)
	if j.State == jobs.Halted {
		out.Halt = &haltJSON{Code: j.HaltCode, Message: v.text.Service(j.HaltCode), Info: j.HaltInfo, Recovers: jobs.Recovers(j.HaltCode)}
	}
	out.Snapshot, out.OnlyTags = j.Snapshot, j.Only
	if j.Policy != "" {
		out.Policy = &j.Policy
	}
	if j.Verify.Share > 0 {
		out.Verify = &verificationJSON{Share: int64(j.Verify.Share), Seed: j.Verify.Seed}
	}
	if j.Verify.Share > 0 && j.State == jobs.Finished {
		inspection, err := s.Jobs.InspectionOf(v.Request().Context(), j.ID)
		if err != nil {
			return out, err
		}
		if inspection != nil {
			out.Verify.Job, out.Verify.Differ = &inspection.ID, inspection.Counts[jobs.Inspected]
			out.Verify.Read = out.Verify.Differ + inspection.Counts[inspection.Checks.Nothing()]
		}
	}
	if j.Checks != "" {
		out.Checks = &j.Checks
	}
	if j.State == jobs.Reading {
		out.Read, out.ReadRows = &j.Read, &j.ReadRows
	}
	if j.Refusal != nil {
		out.Refusal = &refusalJSON{Code: j.Refusal.Code, Message: v.text.Fault(j.Refusal)}
	}
	return out, nil
}

func (s *Server) jobAsJSON(v *request, j jobs.Job) error {
	shown, err := s.asJobJSON(v, j)
	if err != nil {
		return err
	}
	whole := wholeJobJSON{jobJSON: shown, Retries: []string{}}
	made, err := s.Jobs.DerivedFrom(v.Request().Context(), j.ID)
	if err != nil {
		return err
	}
	for _, m := range made {
		whole.Retries = append(whole.Retries, m.ID)
	}
	second, err := s.Jobs.SecondPerson(v.Request().Context(), v.actor(), j)
	if err != nil {
		return err
	}
	if second.Action != "" || second.Request != nil {
		whole.SecondPerson = &secondPersonJSON{Limit: second.Limit}
		if second.Action != "" {
			whole.SecondPerson.Action = &second.Action
		}
		if second.Request != nil {
			request := asApprovalJSON(*second.Request)
			whole.SecondPerson.Request = &request
		}
	}
	if atRest(j) {
		kept, err := s.Jobs.SnapshotInfo(v.Request().Context(), j)
		if err != nil {
			return err
		}
		if kept.Batches > 0 {
			whole.SnapshotInfo = &snapshotInfoJSON{Batches: kept.Batches, Bytes: kept.Bytes, Digest: kept.Digest,
				EraseAt: moment(kept.EraseAt), ErasedAt: moment(kept.ErasedAt)}
		}
	}
	if j.Counts[jobs.InDoubt] > 0 {
		asked, err := s.Jobs.NeedsReview(v.Request().Context(), j.ID)
		if err != nil {
			return err
		}
		if n := asked.Sum(); n > 0 {
			whole.NeedsReview = &needsReviewJSON{Accounts: n, Tagged: asked.Tagged, Unreadable: asked.Unreadable, Lost: asked.Lost, Code: asked.Code}
		}
	}
	waits, err := s.live.waitsFor(v.Request().Context(), j)
	if err != nil {
		return err
	}
	if waits != nil {
		whole.WaitsFor = &overlapJSON{Job: waits.Job.ID, Accounts: waits.Accounts}
	}
	if j.State != jobs.Draft {
		return v.JSON(http.StatusOK, whole)
	}
	out := draftJSON{wholeJobJSON: whole, Warnings: warningsJSON{SameFile: []string{}, Overlaps: []overlapJSON{}}}
	understood, err := s.Jobs.Understanding(v.Request().Context(), j.ID)
	if err != nil {
		return err
	}
	warnings, err := s.Jobs.Warnings(v.Request().Context(), j.ID)
	if err != nil {
		return err
	}
	out.Understanding = understood.Understanding
	out.Unsure, out.Understanding.Unsure = append([]accounts.Question{}, understood.Unsure...), nil
	out.Warnings.Unusual = warnings.Unusual.Rows
	for _, same := range warnings.SameFile {
		out.Warnings.SameFile = append(out.Warnings.SameFile, same.ID)
	}
	for _, o := range warnings.Overlaps {
		out.Warnings.Overlaps = append(out.Warnings.Overlaps, overlapJSON{Job: o.Job.ID, Accounts: o.Accounts})
	}
	return v.JSON(http.StatusOK, out)
}
