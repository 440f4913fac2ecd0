package jobs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
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
}

// sourceAccount is an account of the other job as it may come into the new one.
type sourceAccount struct {
	Account
	seq  int64    // its place in the other job
	tags []string // that the new job would add or remove
}

// tags returns what a new job would add to or remove from the accounts of some
// batches, by place: a job of the same kind the same, any other what the job did.
func (s *Jobs) tags(ctx context.Context, m derivation, from, to int64) (map[int64][]string, error) {
	wanted := map[int64][]string{}
	var err error
	if m.of.Told() {
		wanted, err = s.snapshots.Tags(ctx, snapshot.Wanted, m.of.ID, from, to)
	}
	if err != nil || m.kind == m.of.Kind || m.checks == m.of.Kind || m.kind == m.of.Checks {
		return wanted, err
	}
	before, err := s.snapshots.Tags(ctx, snapshot.Before, m.of.ID, from, to)
	for seq, was := range before {
		before[seq] = m.of.Kind.Did(was, snapshot.Chosen(wanted[seq], m.of.Only))
	}
	return before, err
}

// told reports whether the new job is told tags for each account.
func (m derivation) told() bool { return m.kind.Tagged() || m.checks.Tagged() }

// calls is how many calls the tags of an account take.
func (m derivation) calls(tags []string) int {
	return (len(snapshot.Chosen(tags, m.only)) + tim.MaxTags - 1) / tim.MaxTags
}

// pages says for each page of the other job how many calls its accounts need,
// each number once; of a kind that is told no tags it is always 0.
func (s *Jobs) pages(ctx context.Context, m derivation) (pages [][]int, err error) {
	for number := int64(1); number <= m.of.Batches; number += pageBatches {
		calls := []int{0}
		if m.told() {
			tags, err := s.tags(ctx, m, number, number+pageBatches-1)
			if err != nil {
				return nil, err
			}
			calls = calls[:0]
			for _, tags := range tags {
				if n := m.calls(tags); n > 0 && !slices.Contains(calls, n) {
					calls = append(calls, n)
				}
			}
		}
		pages = append(pages, calls)
	}
	return pages, nil
}

// inOrder lists the accounts of the other job in the order of the new one's
// file, those left out for which it would have nothing to do.
func (s *Jobs) inOrder(ctx context.Context, m derivation) iter.Seq2[sourceAccount, error] {
	return func(yield func(sourceAccount, error) bool) {
		pages, err := s.pages(ctx, m)
		if err != nil {
			yield(sourceAccount{}, err)
			return
		}
		rounds := slices.Compact(slices.Sorted(slices.Values(slices.Concat(pages...))))
		for _, calls := range slices.Backward(rounds) {
			for i, page := range pages {
				if !slices.Contains(page, calls) {
					continue
				}
				accounts, err := s.page(ctx, m, int64(i)*pageBatches+1)
				if err != nil {
					yield(sourceAccount{}, err)
					return
				}
				for _, a := range accounts {
					if m.calls(a.tags) == calls && !yield(a, nil) {
						return
					}
				}
			}
		}
	}
}

func (s *Jobs) page(ctx context.Context, m derivation, number int64) ([]sourceAccount, error) {
	placed, err := s.placed(ctx, m.of.ID, number, number+pageBatches-1)
	if err != nil {
		return nil, err
	}
	tags := map[int64][]string{}
	if m.told() {
		if tags, err = s.tags(ctx, m, number, number+pageBatches-1); err != nil {
			return nil, err
		}
	}
	page := make([]sourceAccount, len(placed))
	for i, a := range placed {
		seq := (number-1)*BatchSize + 1 + int64(i)
		page[i] = sourceAccount{a, seq, tags[seq]}
	}
	return page, nil
}

// tagsOf is jobs.Import.TagsOf of a job that was made of another.
func (s *Jobs) tagsOf(jobID string) func(context.Context) iter.Seq2[Tagged, error] {
	return func(ctx context.Context) iter.Seq2[Tagged, error] {
		return func(yield func(Tagged, error) bool) {
			made, err := s.Get(ctx, jobID)
			var of Job
			if err == nil {
				of, err = s.Get(ctx, made.Source)
			}
			if err != nil {
				yield(Tagged{}, err)
				return
			}
			for a, err := range s.inOrder(ctx, derivation{of: of, kind: made.Kind, only: made.Only, checks: made.Checks}) {
				if !yield(Tagged{Account: a.Account.Account, Tags: a.tags}, err) || err != nil {
					return
				}
			}
		}
	}
}

// oneALine says of the file of a made job all that would else be detected: every
// line is an account between quotes.
var oneALine = accounts.Choices{
	Encoding:  accounts.UTF8,
	Separator: accounts.OnePerLine,
	Quote:     `"`,
	FirstLine: 1,
	Header:    accounts.No,
	Column:    1,
}

// derive keeps a new job with the accounts that are chosen. Its file is on its way
// in tempDir, "" for the system's, and called after the other job's. Entry is
// what the log says; none is the error when nothing was chosen.
func (s *Jobs) derive(ctx context.Context, by audit.Actor, m derivation, policy snapshot.Policy, prefix, tempDir string,
	chosen func(sourceAccount) bool, none error, entry func(accounts int64) audit.Entry) (made Job, err error) {
	file, err := os.CreateTemp(tempDir, "made-*")
	if err != nil {
		return made, err
	}
	defer file.Close()
	if err := os.Remove(file.Name()); err != nil { // accounts do not outlive the process that reads them
		return made, err
	}
	accounts, bytes, err := s.writeAccounts(ctx, file, m, chosen)
	if err == nil && accounts == 0 {
		err = none
	}
	if err != nil {
		return made, err
	}
	if now, err := s.Get(ctx, m.of.ID); err != nil || now.Reading != m.of.Reading || now.State != m.of.State {
		return made, errors.Join(err, FaultImporting.With()) // a draft that was read again meanwhile
	}
	choices, err := json.Marshal(oneALine)
	if err != nil {
		return made, err
	}
	name := path.Base(m.of.FileName)
	if m.of.Source != "" { // names do not pile up
		_, name, _ = strings.Cut(name, "-of-")
	}
	n := Upload{AppID: m.of.AppID, Kind: m.kind, Note: m.of.Note, File: io.NewSectionReader(file, 0, bytes),
		FileName: prefix + "-of-" + strings.TrimSuffix(name, path.Ext(name)) + ".csv"}
	if n.AccountBytes, err = s.accountBytes(ctx, m.of.ID); err != nil {
		return made, err
	}
	return s.insertJob(
		ctx,
		by,
		n,
		origin{m.of.ID, string(choices), policy, m.only, m.checks},
		func(Job) audit.Entry { return entry(accounts) },
	)
}

func (s *Jobs) accountBytes(ctx context.Context, jobID string) (longest int, err error) {
	return longest, s.db.Reader().QueryRowContext(ctx, `SELECT account_bytes FROM jobs WHERE id = $1`, jobID).Scan(&longest)
}

// writeAccounts writes the accounts that are chosen, and returns how many, and how many bytes.
func (s *Jobs) writeAccounts(
	ctx context.Context,
	to io.Writer,
	m derivation,
	chosen func(sourceAccount) bool,
) (written, bytes int64, err error) {
	out := bufio.NewWriterSize(to, 64<<10)
	for a, err := range s.inOrder(ctx, m) {
		if err != nil {
			return 0, 0, err
		}
		if a.Outcome == setAside || !chosen(a) {
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
	made, err := store.Collect(ctx, s.db.Reader(), scanJob,
		`SELECT `+jobColumns+` FROM jobs j WHERE j.source <> '' AND j.source = $1`, store.Clean(jobID, 100))
	slices.SortFunc(made, func(a, b Job) int { return strings.Compare(b.ID, a.ID) })
	return made, err
}
