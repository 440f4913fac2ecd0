package jobs

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
	"tagsweep/internal/tim"
)

// A derived job gets its own file with the accounts, one per line, and is imported and
// reviewed like an upload. If it has tags for each account, accounts that need most
// calls come first, so that its batches need the fewest calls. The tags are not in the
// file: the import reads them from the source job again, in the same order.

// derivation is how a job is made of the accounts of another.
type derivation struct {
	of   Job
	kind Kind     // of the new job
	only []string // of the new job

	checks Kind // of an inspection that verifies the other job: its kind
	policy snapshot.Policy

	prefix string // of the file's name, before the name of the other job's
	chosen func(Account) bool
	none   error // when nothing is chosen
	entry  func(accounts int64) audit.Entry
}

// sourceAccount is an account of the other job as it may come into the new one.
type sourceAccount struct {
	Account
	tags []string // that the new job would add or remove
}

// told reports whether the new job is told tags for each account.
func (d derivation) told() bool { return d.kind.Tagged() || d.checks.Tagged() }

// tags returns what a new job would add to or remove from the accounts of a page from
// a batch on, by place: a job of the same kind the same, any other what the job did.
func (s *Jobs) tags(ctx context.Context, d derivation, number int64) (wanted map[int64][]string, err error) {
	if !d.told() {
		return nil, nil
	}
	if d.of.Told() {
		wanted, err = s.snapshots.Tags(ctx, snapshot.Wanted, d.of.ID, number, number+pageBatches-1)
	}
	if err != nil || d.kind == d.of.Kind || d.checks == d.of.Kind || d.kind == d.of.Checks {
		return wanted, err
	}
	before, err := s.snapshots.Tags(ctx, snapshot.Before, d.of.ID, number, number+pageBatches-1)
	for seq, was := range before {
		before[seq] = d.of.Kind.Did(was, snapshot.Chosen(wanted[seq], d.of.Only))
	}
	return before, err
}

// calls is how many calls the tags of an account take.
func (d derivation) calls(tags []string) int {
	return (len(snapshot.Chosen(tags, d.only)) + tim.MaxTags - 1) / tim.MaxTags
}

// pages returns the pages of the other job, by their first batches, for each number of
// calls that its accounts need; of a kind that is told no tags it is always 0.
func (s *Jobs) pages(ctx context.Context, d derivation) (map[int][]int64, error) {
	pages := map[int][]int64{}
	for number := int64(1); number <= d.of.Batches; number += pageBatches {
		if !d.told() {
			pages[0] = append(pages[0], number)
			continue
		}
		tags, err := s.tags(ctx, d, number)
		if err != nil {
			return nil, err
		}
		for _, tags := range tags {
			if n := d.calls(tags); n > 0 && (len(pages[n]) == 0 || pages[n][len(pages[n])-1] != number) {
				pages[n] = append(pages[n], number)
			}
		}
	}
	return pages, nil
}

// inOrder lists the accounts of the other job in the order of the new one's
// file, those left out for which it would have nothing to do.
func (s *Jobs) inOrder(ctx context.Context, d derivation) iter.Seq2[sourceAccount, error] {
	return sequence(func(give func(sourceAccount) bool) error {
		pages, err := s.pages(ctx, d)
		if err != nil {
			return err
		}
		for _, calls := range slices.Backward(slices.Sorted(maps.Keys(pages))) {
			for _, number := range pages[calls] {
				page, err := s.placed(ctx, d.of.ID, number, number+pageBatches-1)
				if err != nil {
					return err
				}
				tags, err := s.tags(ctx, d, number)
				if err != nil {
					return err
				}
				for _, a := range page {
					if tags := tags[a.Seq()]; d.calls(tags) == calls && !give(sourceAccount{a, tags}) {
						return nil
					}
				}
			}
		}
		return nil
	})
}

// derivationOf says how a job was derived; the accounts that were chosen are in its file.
func (s *Jobs) derivationOf(ctx context.Context, derived Job) (derivation, error) {
	of, err := s.Get(ctx, derived.Source)
	return derivation{of: of, kind: derived.Kind, only: derived.Only, checks: derived.Checks}, err
}

// oneALine says of the file of a derived job all that would else be detected or
// asked: every line is an account between quotes.
var oneALine = accounts.Choices{Encoding: accounts.UTF8, Separator: accounts.OnePerLine, Quote: `"`, FirstLine: 1, Header: accounts.No,
	Column: 1, Rows: accounts.AcceptAll()}

// derive makes a new job of the accounts that are chosen. Its file is on its way
// in tempDir, "" for the system's, and called after the other job's.
func (s *Jobs) derive(ctx context.Context, by audit.Actor, d derivation, tempDir string) (derived Job, err error) {
	err = s.mustServe(ctx, s.db.Reader(), d.of)
	if err == nil {
		err = mayDerive(ctx, s.db.Reader(), by, d.of) // and again when the job is stored
	}
	if err != nil {
		return derived, err
	}
	file, err := os.CreateTemp(tempDir, "derived-*")
	if err != nil {
		return derived, err
	}
	defer file.Close()
	if err := os.Remove(file.Name()); err != nil { // accounts do not outlive the process that reads them
		return derived, err
	}
	written, bytes, err := s.writeAccounts(ctx, file, d)
	if err == nil && written == 0 {
		err = d.none
	}
	if err != nil {
		return derived, err
	}
	now, err := s.Get(ctx, d.of.ID)
	if err != nil || now.Reading != d.of.Reading || now.State != d.of.State || len(now.Unsure) > 0 {
		return derived, errors.Join(err, FaultImporting.With()) // a draft that was imported again meanwhile
	}
	name := path.Base(d.of.FileName)
	if d.of.Source != "" { // names do not pile up
		_, name, _ = strings.Cut(name, "-of-")
	}
	n := Upload{AppID: d.of.AppID, Kind: d.kind, Note: d.of.Note, Choices: oneALine, File: io.NewSectionReader(file, 0, bytes),
		FileName: d.prefix + "-of-" + strings.TrimSuffix(name, path.Ext(name)) + ".csv", AccountBytes: d.of.AccountBytes}
	return s.insertJob(ctx, by, n, d, Mapping{Choices: oneALine}, "", func(Job) audit.Entry { return d.entry(written) })
}

// writeAccounts writes the accounts that are chosen, and returns how many, and how many bytes.
func (s *Jobs) writeAccounts(ctx context.Context, to io.Writer, d derivation) (written, bytes int64, err error) {
	out := bufio.NewWriterSize(to, 64<<10)
	for a, err := range s.inOrder(ctx, d) {
		if err != nil {
			return 0, 0, err
		}
		if a.Outcome == setAside || !d.chosen(a.Account) {
			continue
		}
		n, err := out.WriteString(accounts.OnOneLine(a.Account.Account))
		if err != nil {
			return 0, 0, err
		}
		written, bytes = written+1, bytes+int64(n)
	}
	return written, bytes, out.Flush()
}

// DerivedFrom returns the jobs made of accounts of a job, newest first.
func (s *Jobs) DerivedFrom(ctx context.Context, jobID string) ([]Job, error) {
	derived, err := store.Collect(ctx, s.db.Reader(), scanJob,
		`SELECT `+jobFields+` FROM jobs WHERE source <> '' AND source = $1`, store.Clean(jobID, 100))
	slices.SortFunc(derived, func(a, b Job) int { return strings.Compare(b.ID, a.ID) })
	return derived, err
}
