package jobs

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tagsweep/internal/accounts"
)

// A slice is saved when it holds so much, or so long after the last one.
const (
	sliceSetAsides = 1_000
	sliceBatches   = 50
	sliceNames     = 25
	sliceTags      = 1 << 20 // bytes
	sliceEvery     = 250 * time.Millisecond
)

// reading turns the rows of one file into a plan. Sorting finds the duplicates,
// on disk, so that memory does not grow with the file:
//
//  1. Rows are read; rejected and protected ones are set aside, the others are
//     noted in file order and sorted by account.
//  2. In the order of accounts the first row of each becomes a name, and the
//     others are duplicates, sorted by row.
//  3. In file order again, what is no duplicate is planned into batches.
type reading struct {
	*Importer
	im       *Import
	rows     *accounts.Reader
	imported Imported
	groups   map[groupKey]*SetAsideGroup
	slice    ImportSlice
	tags     int            // bytes of the slice
	saving   errgroup.Group // of the slice before
	saved    time.Time
}

// groupKey tells groups apart.
type groupKey struct {
	Kind   SetAsideKind
	Reason string
}

// duplicate is a row whose account stands in an earlier one.
type duplicate struct{ row, repeats int64 }

func (r *reading) run(ctx context.Context) error {
	r.groups = map[groupKey]*SetAsideGroup{}
	r.saved = time.Now()
	notes, err := newNotes(r.TempDir)
	if err != nil {
		return err
	}
	defer notes.close()
	ctx, stop := context.WithCancel(ctx)
	defer r.saving.Wait()
	defer stop() // ends the sorting and saving when something else fails
	byAccount := sortRows(ctx, r.TempDir)
	if err := r.readRows(ctx, notes, byAccount); err != nil {
		return err
	}
	byRow := sortDuplicates(ctx, r.TempDir)
	if err := r.name(ctx, byAccount, byRow); err != nil {
		return err
	}
	if err := r.plan(ctx, notes, byRow); err != nil {
		return err
	}
	for _, group := range r.groups {
		r.imported.Groups = append(r.imported.Groups, *group)
	}
	slices.SortFunc(r.imported.Groups, func(a, b SetAsideGroup) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Reason, b.Reason))
	})
	return nil
}

func (r *reading) readRows(ctx context.Context, notes *notes, byAccount *sorter[Named]) error {
	defer byAccount.end()
	for {
		row, err := r.rows.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.imported.Rows++
		_, protected := r.im.Protected[row.Account]
		switch {
		case row.Reason != "":
			r.setAside(SetAside{Row: row.Number, Line: row.Line, Kind: Rejected, Value: row.Value, Reason: string(row.Reason)})
		case protected:
			r.setAside(SetAside{Row: row.Number, Line: row.Line, Kind: Protected, Value: row.Account})
		default:
			if row.Unusual {
				u := &r.imported.Unusual
				if u.Rows++; len(u.First) < GroupFirst {
					u.First = append(u.First, Named{strings.Clone(row.Account), row.Number})
				}
			}
			// A clone, so that the row's other cells are not kept while it is sorted.
			account := strings.Clone(row.Account)
			if err := notes.add(Planned{row.Number, row.Line, account, row.Tags}); err != nil {
				return err
			}
			if err := byAccount.add(ctx, Named{account, row.Number}); err != nil {
				return err
			}
		}
		if r.imported.Rows%1024 == 0 || len(r.slice.SetAsides) >= sliceSetAsides {
			if err := r.save(ctx, r.rows.Read()*6/10, false); err != nil {
				return err
			}
		}
	}
}

// name saves the accounts in order and passes on the rows that repeat one.
func (r *reading) name(ctx context.Context, byAccount *sorter[Named], byRow *sorter[duplicate]) error {
	defer byRow.end()
	var last Named
	names, done := make(Names, 0, NamesSize), int64(0)
	for named, err := range byAccount.sorted() {
		if err != nil {
			return err
		}
		if done++; last.Row > 0 && named.Account == last.Account {
			if err := byRow.add(ctx, duplicate{named.Row, last.Row}); err != nil {
				return err
			}
			continue
		}
		last = named
		if names = append(names, named); len(names) < NamesSize {
			continue
		}
		r.slice.Names, names = append(r.slice.Names, names), make(Names, 0, NamesSize)
		if err := r.save(ctx, 600+r.share(done, 200), false); err != nil {
			return err
		}
	}
	if len(names) > 0 {
		r.slice.Names = append(r.slice.Names, names)
	}
	return r.save(ctx, 800, true)
}

func (r *reading) plan(ctx context.Context, notes *notes, byRow *sorter[duplicate]) error {
	repeated, stop := byRow.pull()
	defer stop()
	next, err := repeated()
	if err != nil {
		return err
	}
	give, end := r.tagged(ctx)
	defer end()
	batch := PlannedBatch{Number: 1}
	for planned, err := range notes.all() {
		if err != nil {
			return err
		}
		if planned.Row == next.row {
			r.setAside(SetAside{Row: planned.Row, Line: planned.Line, Kind: Duplicate, Value: planned.Account, Repeats: next.repeats})
			if next, err = repeated(); err != nil {
				return err
			}
		} else {
			if err := give(&planned); err != nil {
				return err
			}
			for _, tag := range planned.Tags {
				r.tags += len(tag)
			}
			r.imported.Accounts++
			batch.Accounts = append(batch.Accounts, planned)
		}
		if len(batch.Accounts) == BatchSize {
			r.slice.Batches = append(r.slice.Batches, batch)
			batch = PlannedBatch{Number: batch.Number + 1}
		}
		if err := r.save(ctx, 800+r.share(planned.Row, 190), false); err != nil {
			return err
		}
	}
	if len(batch.Accounts) > 0 {
		r.slice.Batches = append(r.slice.Batches, batch)
	}
	return r.save(ctx, 990, true)
}

var errNotOfSource = errors.New("jobs: an account is not where the job it was taken from has it")

// tagged returns what gives accounts their tags, in file order, where a row does
// not name them: both lists have one order, so one walk along each is enough.
func (r *reading) tagged(ctx context.Context) (give func(*Planned) error, stop func()) {
	if r.im.TagsOf == nil {
		return func(*Planned) error { return nil }, func() {}
	}
	next, stop := iter.Pull2(r.im.TagsOf(ctx))
	return func(p *Planned) error {
		for {
			switch from, err, more := next(); {
			case err != nil:
				return err
			case !more:
				return FaultReading.Because(errNotOfSource)
			case from.Account == p.Account:
				p.Tags = from.Tags
				return nil
			}
		}
	}, stop
}

// share is how much of a part of the work so many rows are.
func (r *reading) share(rows int64, part int) int {
	return int(rows * int64(part) / max(1, r.imported.Rows))
}

func (r *reading) setAside(a SetAside) {
	switch a.Kind {
	case Rejected:
		r.imported.Rejected++
	case Duplicate:
		r.imported.Duplicate++
	case Protected:
		r.imported.Protected++
	}
	key := groupKey{a.Kind, a.Reason}
	group := r.groups[key]
	if group == nil {
		group = &SetAsideGroup{Kind: a.Kind, Reason: a.Reason}
		r.groups[key] = group
	}
	group.Rows++
	if len(group.First) < GroupFirst {
		group.First = append(group.First, a.Row)
	}
	r.slice.SetAsides = append(r.slice.SetAsides, a)
}

// GroupFirst is how many rows a group names.
const GroupFirst = 10

// save writes the slice down when it is full, when it is time, or in any case,
// while reading goes on. All waits for it.
func (r *reading) save(ctx context.Context, read int, all bool) error {
	s := &r.slice
	full := len(s.SetAsides) >= sliceSetAsides || len(s.Batches) >= sliceBatches || r.tags >= sliceTags || len(s.Names) >= sliceNames
	if !all && !full && time.Since(r.saved) < sliceEvery {
		return nil
	}
	if err := r.saving.Wait(); err != nil {
		return err
	}
	slice := r.slice
	slice.Read, slice.Rows = read, r.imported.Rows
	r.slice, r.tags, r.saved = ImportSlice{}, 0, time.Now()
	r.saving.Go(func() error {
		if r.beforeSave != nil {
			if err := r.beforeSave(); err != nil {
				return err
			}
		}
		return r.Jobs.SaveSlice(ctx, r.im, slice)
	})
	if all {
		return r.saving.Wait()
	}
	return nil
}
