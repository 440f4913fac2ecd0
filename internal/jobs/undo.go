package jobs

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

// What a person may choose to undo a part by.
const (
	mostListed   = 1_000_000 // accounts
	mostTags     = 100
	longestTag   = 200 // bytes
	mostOutcomes = 20
)

// Faults of undoing.
var (
	FaultNoSnapshot = fault.Declare(fault.Conflict, "undo.not_kept",
		"No job was created: no tag snapshot was saved for job %s, so it cannot be undone.")
	FaultNothingToUndo = fault.Declare(fault.Conflict, "undo.nothing",
		"No job was created: there is nothing to undo. The job changed nothing, or nothing of what you selected. "+
			"Select other tags, outcomes or accounts.")
	FaultUndoPolicy = fault.Declare(fault.Invalid, "undo.policy",
		"No job was created: this job removed only some tags and left the others, so the earlier tags can only be "+
			"added to those. Choose “Add the earlier tags to the new ones”.")
	FaultUndoTags = fault.Declare(fault.Invalid, "undo.tags",
		"No job was created: you can enter at most %d tags of at most %d bytes each. Enter fewer, or none to undo "+
			"all.")
	FaultUndoList = fault.Declare(fault.Invalid, "undo.list",
		"No job was created: the list contains more than %d accounts. Split it and undo the parts one by one, or "+
			"remove it to undo the whole job.")
)

// UndoRequest says what of a job is to be taken back.
type UndoRequest struct {
	Policy   snapshot.Policy   // what to do with accounts that have gained other tags; needed when a clear job is undone
	Tags     []string          // only these; nil: all
	Outcomes []Outcome         // of accounts that ended so; nil: those that were, or may have been, changed
	List     *io.SectionReader // of the accounts in this file; nil: all
	ListName string
}

// Undo makes a new job that takes back what an ended one did, from the tags that
// were kept. It is read and reviewed like an upload. Its file is on its way in
// tempDir, "" for the system's.
func (s *Jobs) Undo(ctx context.Context, by audit.Actor, jobID string, u UndoRequest, tempDir string) (derived Job, err error) {
	of, err := s.Get(ctx, jobID)
	if err != nil {
		return derived, err
	}
	if !of.Settled() {
		return derived, FaultUnsettled.With()
	}
	d := derivation{of: of, kind: of.Kind.Undo(), prefix: "undo", none: FaultNothingToUndo.With()}
	if d.kind == "" || len(u.Outcomes) > mostOutcomes {
		return derived, d.none
	}
	if d.only, err = u.only(); err == nil {
		d.policy, err = u.policy(of.Kind)
	}
	switch {
	case err != nil:
		return derived, err
	case !of.Snapshot:
		return derived, FaultNoSnapshot.With(of.ID)
	}
	details := map[string]any{"of": of.ID, "kind": d.kind, "outcomes": named([]Outcome{of.Kind.Done(), InDoubt})}
	if u.Outcomes != nil {
		details["outcomes"] = named(u.Outcomes)
	}
	if d.policy != "" {
		details["policy"] = d.policy
	}
	if d.only != nil {
		details["tags"], details["tag_count"] = strings.Join(d.only, ", "), len(d.only)
	}
	var list *undoList
	if u.List != nil {
		if list, err = readList(u.List, of.AccountBytes, tempDir); err != nil {
			return derived, err
		}
		details["list"] = map[string]any{"file": store.Clean(u.ListName, 300), "sha256": list.sha256, "bytes": u.List.Size(),
			"rows": list.rows, "rejected": list.rejected, "accounts": len(list.accounts)}
	}
	d.chosen = func(a Account) bool { return u.ended(of.Kind, a) && list.holds(a.Account) }
	d.entry = func(accounts int64) audit.Entry {
		details["accounts"] = accounts
		return audit.Entry{Code: audit.JobUndone, Details: details}
	}
	return s.derive(ctx, by, d, tempDir)
}

// policy returns what the new job is to do with accounts that have gained other
// tags. Where only some tags were removed the others are no sign of anything.
func (u UndoRequest) policy(of Kind) (snapshot.Policy, error) {
	switch {
	case of.Undo() != Restore:
		return "", nil
	case of == Clear:
		return snapshot.ParsePolicy(string(u.Policy))
	case u.Policy != "" && u.Policy != snapshot.Merge:
		return "", FaultUndoPolicy.With()
	}
	return snapshot.Merge, nil
}

// only returns the tags that were named, each once.
func (u UndoRequest) only() (only []string, err error) {
	for _, tag := range u.Tags {
		if !utf8.ValidString(tag) { // what names it is kept as text
			return nil, FaultNothingToUndo.With()
		}
		if tag != "" && !slices.Contains(only, tag) {
			only = append(only, tag)
		}
		if len(only) > mostTags || len(tag) > longestTag {
			return nil, FaultUndoTags.With(mostTags, longestTag)
		}
	}
	return only, nil
}

// ended reports whether what became of an account is what was chosen.
func (u UndoRequest) ended(of Kind, a Account) bool {
	if u.Outcomes != nil {
		return slices.Contains(u.Outcomes, a.Outcome)
	}
	return a.Outcome == of.Done() || a.Outcome == Failed && Uncertain(a.Code)
}

// undoList is a file of accounts that narrows an undo down. A nil list holds every account.
type undoList struct {
	accounts       map[string]struct{}
	rows, rejected int64
	sha256         string
}

func (l *undoList) holds(account string) bool {
	if l == nil {
		return true
	}
	_, holds := l.accounts[account]
	return holds
}

// readList reads a file of accounts of any form that jobs are uploaded in.
func readList(file *io.SectionReader, longest int, tempDir string) (*undoList, error) {
	digest, err := digestOf(file)
	if err != nil {
		return nil, err
	}
	list := &undoList{accounts: map[string]struct{}{}, sha256: digest}
	answers := accounts.AcceptAll() // only accounts of the job count
	delete(answers, accounts.SeveralValues)
	rows, err := accounts.Open(file, accounts.Options{AccountBytes: longest, Choices: accounts.Choices{Rows: answers}, TempDir: tempDir})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		if list.rows++; row.Reason != "" {
			list.rejected++
			continue
		}
		if list.accounts[strings.Clone(row.Account)] = struct{}{}; len(list.accounts) > mostListed {
			return nil, FaultUndoList.With(mostListed)
		}
	}
}
