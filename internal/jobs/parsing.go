package jobs

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tagsweep/internal/accounts"
	"tagsweep/internal/heavy"
)

// A slice is saved when it holds so much, or so long after the last one.
const (
	sliceSetAsides = 1_000
	sliceBatches   = 50
	sliceNames     = 25
	sliceTags      = 1 << 20 // bytes
	sliceEvery     = 250 * time.Millisecond
)

// parsing turns the rows of one file into a plan. Sorting finds the duplicates,
// on disk, so that memory does not grow with the file:
//
//  1. Rows are parsed; rejected and protected ones are set aside, the others are
//     noted in file order and sorted by account.
//  2. In the order of accounts the first row of each becomes a name, and the
//     others are duplicates, sorted by row.
//  3. In file order again, what is no duplicate is planned into batches.
type parsing struct {
	*Importer
	im       *Import
	rows     *accounts.Reader
	imported Imported
	slice    ImportSlice
	tags     int            // bytes of the slice
	saving   errgroup.Group // of the slice before
	saved    time.Time
}

func (p *parsing) run(ctx context.Context) error {
	p.saved = time.Now()
	spool, err := newSpool(p.TempDir)
	if err != nil {
		return err
	}
	defer spool.close()
	ctx, stop := context.WithCancel(ctx)
	defer p.saving.Wait()
	defer stop() // ends the sorting and saving when something else fails
	accounts := newSorter(ctx, p.TempDir, byAccount)
	if err := p.parseRows(ctx, spool, accounts); err != nil {
		return err
	}
	duplicates := newSorter(ctx, p.TempDir, byRow)
	if err := p.name(ctx, accounts, duplicates); err != nil {
		return err
	}
	return p.plan(ctx, spool, duplicates)
}

func (p *parsing) parseRows(ctx context.Context, spool *spool, accounts *sorter) error {
	defer accounts.end()
	for {
		row, err := p.rows.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		p.imported.Rows++
		_, protected := p.im.untouchable[row.Account]
		switch {
		case row.Reason != "":
			p.setAside(SetAside{Row: row.Number, Line: row.Line, Kind: Rejected, Value: row.Value, Reason: string(row.Reason)})
		case protected:
			p.setAside(SetAside{Row: row.Number, Line: row.Line, Kind: Protected, Value: row.Account})
		default:
			if row.Unusual {
				u := &p.imported.Unusual
				if u.Rows++; len(u.First) < GroupFirst {
					u.First = append(u.First, Named{strings.Clone(row.Account), row.Number})
				}
			}
			// A clone, so that the row's other cells are not kept while it is sorted.
			account := strings.Clone(row.Account)
			if err := spool.add(Planned{row.Number, row.Line, account, row.Tags}); err != nil {
				return err
			}
			if err := accounts.add(ctx, sortable{account: account, row: row.Number}); err != nil {
				return err
			}
		}
		if p.imported.Rows%1024 == 0 || len(p.slice.SetAsides) >= sliceSetAsides {
			if err := p.save(ctx, p.rows.Read()*6/10, false); err != nil {
				return err
			}
		}
	}
}

// name saves the accounts in order and passes on the rows that repeat one.
func (p *parsing) name(ctx context.Context, accounts, duplicates *sorter) error {
	defer duplicates.end()
	var last sortable
	names, done := make(Names, 0, NamesSize), int64(0)
	for named, err := range accounts.sorted() {
		if err != nil {
			return err
		}
		if done++; last.row > 0 && named.account == last.account {
			if err := duplicates.add(ctx, sortable{row: named.row, repeats: last.row}); err != nil {
				return err
			}
			continue
		}
		last = named
		if names = append(names, Named{named.account, named.row}); len(names) < NamesSize {
			continue
		}
		p.slice.Names, names = append(p.slice.Names, names), make(Names, 0, NamesSize)
		if err := p.save(ctx, 600+p.share(done, 200), false); err != nil {
			return err
		}
	}
	if len(names) > 0 {
		p.slice.Names = append(p.slice.Names, names)
	}
	return p.save(ctx, 800, true)
}

func (p *parsing) plan(ctx context.Context, spool *spool, duplicates *sorter) error {
	nextRepeated, stop := iter.Pull2(duplicates.sorted())
	defer stop()
	next, err, _ := nextRepeated()
	if err != nil {
		return err
	}
	give, end, err := p.tagged(ctx)
	if err != nil {
		return err
	}
	defer end()
	batch := PlannedBatch{Number: 1}
	for planned, err := range spool.all() {
		if err != nil {
			return err
		}
		if planned.Row == next.row {
			p.setAside(SetAside{Row: planned.Row, Line: planned.Line, Kind: Duplicate, Value: planned.Account, Repeats: next.repeats})
			if next, err, _ = nextRepeated(); err != nil {
				return err
			}
		} else {
			if err := give(&planned); err != nil {
				return err
			}
			for _, tag := range planned.Tags {
				p.tags += len(tag)
			}
			p.imported.Accounts++
			batch.Accounts = append(batch.Accounts, planned)
		}
		if len(batch.Accounts) == BatchSize {
			p.slice.Batches = append(p.slice.Batches, batch)
			batch = PlannedBatch{Number: batch.Number + 1}
		}
		if err := p.save(ctx, 800+p.share(planned.Row, 190), false); err != nil {
			return err
		}
	}
	if len(batch.Accounts) > 0 {
		p.slice.Batches = append(p.slice.Batches, batch)
	}
	return p.save(ctx, 990, true)
}

var errNotOfSource = errors.New("jobs: an account is not where the job it was taken from has it")

// tagged returns what gives accounts their tags, in file order, where a row does
// not name them: both lists have one order, so one walk along each is enough.
func (p *parsing) tagged(ctx context.Context) (give func(*Planned) error, stop func(), err error) {
	if !p.im.Told() || p.im.tagColumn() {
		return func(*Planned) error { return nil }, func() {}, nil
	}
	d, err := p.Jobs.derivationOf(ctx, p.im.Job)
	if err != nil {
		return nil, nil, err
	}
	next, stop := iter.Pull2(p.Jobs.inOrder(ctx, d))
	return func(planned *Planned) error {
		for { // those that the file leaves out may stand between
			switch from, err, more := next(); {
			case err != nil:
				return err
			case !more:
				return FaultImport.Because(errNotOfSource)
			case from.Account.Account == planned.Account:
				planned.Tags = from.tags
				return nil
			}
		}
	}, stop, nil
}

// share is how much of a part of the work so many rows are.
func (p *parsing) share(rows int64, part int) int {
	return int(rows * int64(part) / max(1, p.imported.Rows))
}

func (p *parsing) setAside(a SetAside) {
	groups := &p.imported.Groups
	at := slices.IndexFunc(*groups, func(g SetAsideGroup) bool { return g.Kind == a.Kind && g.Reason == a.Reason })
	if at < 0 {
		at, *groups = len(*groups), append(*groups, SetAsideGroup{Kind: a.Kind, Reason: a.Reason})
	}
	group := &(*groups)[at]
	if group.Rows++; len(group.First) < GroupFirst {
		group.First = append(group.First, a.Row)
	}
	p.slice.SetAsides = append(p.slice.SetAsides, a)
}

// GroupFirst is how many rows a group names.
const GroupFirst = 10

// save writes the slice down when it is full, when it is time, or in any case,
// while parsing goes on. All waits for it.
func (p *parsing) save(ctx context.Context, read int, all bool) error {
	task := heavy.Of(ctx)
	if err := task.Turn(ctx); err != nil {
		return err
	}
	s := &p.slice
	full := len(s.SetAsides) >= sliceSetAsides || len(s.Batches) >= sliceBatches || p.tags >= sliceTags || len(s.Names) >= sliceNames
	if !all && !full && time.Since(p.saved) < sliceEvery {
		return nil
	}
	task.Rest()
	if err := p.saving.Wait(); err != nil {
		return err
	}
	if err := task.Work(ctx); err != nil {
		return err
	}
	slice := p.slice
	slice.Read, slice.Rows = read, p.imported.Rows
	p.slice, p.tags, p.saved = ImportSlice{}, 0, time.Now()
	p.saving.Go(func() error {
		if p.beforeSave != nil {
			if err := p.beforeSave(); err != nil {
				return err
			}
		}
		return p.Jobs.SaveSlice(ctx, p.im, slice)
	})
	if all {
		task.Rest()
		if err := p.saving.Wait(); err != nil {
			return err
		}
		return task.Work(ctx)
	}
	return nil
}
