package audit

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"os"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/store"
)

// CheckpointsIn reads the notes of a file of published checkpoints; none when there is
// no file.
func CheckpointsIn(path string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		file, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			return
		}
		if err != nil {
			yield("", err)
			return
		}
		defer file.Close()
		Checkpoints(file)(yield)
	}
}

// PublishedIn returns up to which checkpoint of the log a file has them, and its mark of
// the most sends; zero for none. Notes that are not signed, or not included in the log,
// count for nothing.
func (l *Log) PublishedIn(ctx context.Context, path string) (size int64, most Mark, err error) {
	s, err := l.compareFile(ctx, path)
	return s.upTo, s.mark, err
}

// fileState is what a file of published checkpoints says of the log.
type fileState struct {
	upTo    int64        // the size of the last checkpoint that the log has
	lost    []Checkpoint // signed, and no longer in the log
	mark    Mark         // the one of the most sends
	foreign bool         // the key signed its notes, and all of them are of other logs
}

// lookedAt is how many of the last notes of a file are read before all are.
const lookedAt = 100

// compareFile compares a file with the log. If the log has the last signed checkpoint of
// the file, it has what the others cover too: whether it does is up to a verification,
// which takes longer.
func (l *Log) compareFile(ctx context.Context, path string) (s fileState, err error) {
	h, err := readHead(ctx, l.db.Reader())
	if err != nil {
		return s, err
	}
	public, err := l.publicKey(h.origin)
	if err != nil {
		return s, err
	}
	var end, others []string
	for note, err := range CheckpointsIn(path) {
		if err != nil {
			return s, err
		}
		c, err := OpenCheckpoint(note, "")
		switch {
		case err != nil:
			if m, err := OpenMark(note, public); err == nil && m.Sends >= s.mark.Sends {
				s.mark = m
			}
		case c.Origin == h.origin:
			end = append(end, note)
			end = end[max(0, len(end)-lookedAt):]
		default:
			others = append(others, note)
			others = others[max(0, len(others)-lookedAt):]
		}
	}
	s.foreign = s.mark.Sends == 0 && !l.signedAny(end) && l.signedAny(others)
	for _, note := range slices.Backward(end) {
		c, err := OpenCheckpoint(note, public)
		if err != nil {
			continue
		}
		if has, err := l.has(ctx, c, note); err != nil || has {
			s.upTo = c.Size
			return s, err
		}
		break
	}
	for note, err := range CheckpointsIn(path) {
		if err != nil {
			return s, err
		}
		c, err := OpenCheckpoint(note, public)
		if err != nil {
			continue
		}
		has, err := l.has(ctx, c, note)
		if err != nil {
			return s, err
		}
		if has {
			s.upTo = c.Size
		} else {
			s.lost = append(s.lost, c)
		}
	}
	return s, nil
}

// signedAny reports whether the key signed one of some checkpoints, of whatever log.
func (l *Log) signedAny(notes []string) bool {
	return slices.ContainsFunc(notes, func(note string) bool {
		origin, _, _ := strings.Cut(note, "\n")
		public, err := l.publicKey(origin)
		if err == nil {
			_, err = OpenCheckpoint(note, public)
		}
		return err == nil
	})
}

// has reports whether a checkpoint is one of the database, and the log continues it.
func (l *Log) has(ctx context.Context, c Checkpoint, note string) (bool, error) {
	has, err := l.hasCheckpoint(ctx, l.db.Reader(), c.Size, note)
	if err != nil || !has {
		return false, err
	}
	h, err := readHead(ctx, l.db.Reader())
	if err != nil || h.seq < c.Size {
		return false, err
	}
	root, err := tlog.TreeHash(c.Size, l.hashes(ctx, l.db.Reader()))
	if err != nil && (errors.Is(err, errHash) || store.IfNone(err, nil) == nil) {
		return false, nil
	}
	return root == c.Root, store.AsTrouble(err)
}

// compareFiles finds signed checkpoints of the files that the log lost, unless an admin
// has accepted that.
func (l *Log) compareFiles(ctx context.Context, h head) (*Alarm, error) {
	known := l.signing.witness.signedOf(h.origin)
	accepted, err := l.accepted(ctx, l.db.Reader(), known.Size)
	if err != nil {
		return nil, err
	}
	for _, path := range l.signing.files {
		s, err := l.compareFile(ctx, path)
		if err != nil {
			return nil, err
		}
		for _, c := range slices.Backward(s.lost) {
			switch {
			case accepted[lostName(c.Size, c.Root)]:
			case c.Size > h.seq:
				return &Alarm{Why: Shorter, Known: c}, nil
			default:
				return &Alarm{Why: Changed, Known: c}, nil
			}
		}
		if s.foreign && known.note == "" {
			return &Alarm{Why: OtherLog}, nil
		}
	}
	return nil, nil
}

// lost lists the signed states that this console knows of and the log does not have,
// except those that an earlier entry names.
func (l *Log) lost(ctx context.Context) (all []Checkpoint, err error) {
	h, err := readHead(ctx, l.db.Reader())
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	if known := l.signing.witness.signedOf(h.origin); known.note != "" {
		has, err := l.has(ctx, known.Checkpoint, known.note)
		if err == nil && has {
			named, err = l.accepted(ctx, l.db.Reader(), known.Size)
		}
		if err != nil {
			return nil, err
		}
		if !has {
			all = append(all, known.Checkpoint)
		}
	}
	for _, path := range l.signing.files {
		s, err := l.compareFile(ctx, path)
		if err != nil {
			return nil, err
		}
		all = append(all, s.lost...)
	}
	all = slices.DeleteFunc(all, func(c Checkpoint) bool { return named[lostName(c.Size, c.Root)] })
	slices.SortFunc(all, func(a, b Checkpoint) int {
		return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(string(a.Root[:]), string(b.Root[:])))
	})
	return slices.CompactFunc(all, func(a, b Checkpoint) bool { return a.Size == b.Size && a.Root == b.Root }), nil
}
