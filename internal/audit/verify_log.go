package audit

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/store"
)

// sealedWithin is how long after its end a job may be without a seal.
const sealedWithin = time.Hour

// verifier replays the log from its first entry.
type verifier struct {
	tx      *store.Tx
	public  string
	v       *Verified
	tree    Tree
	reached int64
	words   uint64 // of the entries, summed up
	missing ranges // entries that are not there
	erased  ranges // entries whose personal part is not there

	recordedErased ranges           // what the log says was erased
	erasures       ranges           // the entries that say so
	retained       []int64          // entries that are never removed
	months         int              // for how many the log says that entries are kept; 0: for ever
	removed        int64            // up to which entry the log says that it was removed
	losses         []loss           // what the log says was lost
	ended          map[string]Entry // jobs that have no seal yet

	given     map[int64][]*publishedCheckpoint // published checkpoints by size
	signed    int64                            // the size of the largest checkpoint of the database that fits
	before    int64                            // the size of the checkpoint before
	sealedAt  map[int64]string                 // seals without a checkpoint, and their jobs
	origin    string
	known     signedState // what the witness remembers
	knownFits bool        // the log continues it
	changed   int64       // the first entry that was changed; 0: none
	back      []backStep
	confirmed int64 // the last entry in which an admin confirmed the clock
	lastAt    time.Time

	macs      *macs  // nil: there is no key to check MACs with
	inherited int64  // entries up to this one need none
	forged    ranges // entries that were not written with the key

	replays []Replay
}

// VerifyIn replays the log and compares it with its checkpoints. It returns the
// entries that end jobs which no entry seals, though their end is an hour ago.
func (l *Log) VerifyIn(ctx context.Context, tx *store.Tx, p Proofs, v *Verified, replays ...Replay) (unsealed []Entry, err error) {
	w := verifier{tx: tx, v: v, replays: replays, public: p.Key, ended: map[string]Entry{},
		given: map[int64][]*publishedCheckpoint{}, sealedAt: map[int64]string{}}
	h, err := readHead(ctx, l.db.Reader())
	if err != nil {
		return nil, err
	}
	// What is outside the database is read before the database: so that the log is no shorter.
	w.origin = h.origin
	if l.signing != nil {
		v.resumed = l.resumed()
		w.known = l.signing.witness.signedOf(h.origin)
		w.macs, w.inherited = l.macs(h.origin), l.signing.witness.inheritedOf(h.origin)
		if w.public == "" {
			if w.public, err = l.publicKey(h.origin); err != nil {
				return nil, err
			}
		}
	}
	v.Unsigned = w.public == ""
	if err := w.published(l, p, h.origin); err != nil {
		return nil, err
	}
	if h, err = readHead(ctx, tx); err != nil {
		return nil, err
	}
	var kept checkpointReader
	for from := int64(1); from <= h.seq; from += verifiedAtOnce {
		if err := w.page(ctx, from, min(from+verifiedAtOnce-1, h.seq), &kept); err != nil {
			return nil, err
		}
	}
	v.Entries = h.seq
	if err := w.afterLast(ctx, h.seq); err != nil {
		return nil, err
	}
	if string(h.edge) != string(w.tree.Edge()) && len(v.Wrong) == 0 {
		v.Add("audit log: the tree does not match the entries")
	}
	if h.reached != w.reached && len(v.Wrong) == 0 {
		v.Add("audit log: the time of the last entry does not match the entries")
	}
	if h.removed != w.removed {
		v.Add("audit log: entries up to %d are marked as removed, but the log says up to %d", h.removed, w.removed)
	}
	if h.months != w.months {
		v.Add("audit log: the retention period is %d months, but the log says %d", h.months, w.months)
	}
	if err := w.checkpointsBeyond(ctx, h.seq, &kept); err != nil {
		return nil, err
	}
	for _, seq := range slices.Sorted(maps.Keys(w.sealedAt)) {
		if w.public != "" {
			v.Add("job %s: the checkpoint of its seal, entry %d of the log, is missing", w.sealedAt[seq], seq)
		}
	}
	if l.signing != nil {
		w.withoutKey(l.signing.witness.acceptedOf(h.origin))
	}
	if err := w.witnessed(ctx, l, h.seq); err != nil {
		return nil, err
	}
	return w.unsealed(), w.conclude(ctx)
}

// verifiedAtOnce is how many entries are replayed between two queries.
const verifiedAtOnce = 2_000

// storedLine is an entry with what it is found by.
type storedLine struct {
	Stored
	at, reached, failed int64
	code, actor, job    string
}

// page replays the entries from … to.
func (w *verifier) page(ctx context.Context, from, to int64, kept *checkpointReader) error {
	lines, err := store.Collect(ctx, w.tx, func(row store.Scanner) (l storedLine, err error) {
		return l, row.Scan(&l.Seq, &l.Line, &l.Personal, &l.at, &l.reached, &l.code, &l.failed, &l.actor, &l.job, &l.MAC)
	}, `
			SELECT seq, line, personal, at, reached, code, failed, actor, job_id, mac FROM audit_lines
			WHERE seq >= $1 AND seq <= $2 ORDER BY seq`,
		from, to)
	if err != nil {
		return err
	}
	type stored struct {
		number int64
		hash   []byte
	}
	first := tlog.StoredHashIndex(0, from-1)
	hashes, err := store.Collect(ctx, w.tx, func(row store.Scanner) (h stored, err error) { return h, row.Scan(&h.number, &h.hash) },
		`SELECT number, hash FROM audit_hashes WHERE number >= $1 AND number < $2 ORDER BY number`, first, tlog.StoredHashIndex(0, to))
	if err != nil {
		return err
	}
	for seq := from; seq <= to; seq++ {
		at := tlog.StoredHashIndex(0, seq-1)
		for len(hashes) > 0 && hashes[0].number < at {
			hashes = hashes[1:]
		}
		var leaf tlog.Hash
		known := len(hashes) > 0 && hashes[0].number == at && len(hashes[0].hash) == tlog.HashSize
		if known {
			leaf = tlog.Hash(hashes[0].hash)
		}
		switch there := len(lines) > 0 && lines[0].Seq == seq; {
		case !there:
			w.missing.add(seq)
		default:
			w.entry(lines[0], leaf, known)
			if !known {
				leaf = lines[0].Leaf()
			}
			lines = lines[1:]
		}
		// What came of the leaf is compared with what was stored then.
		for i, hash := range w.tree.Grow(leaf) {
			if len(hashes) == 0 || hashes[0].number != at+int64(i) || string(hashes[0].hash) != string(hash[:]) {
				w.v.Add("entry %d of the log: hash %d of the tree does not match the entries", seq, at+int64(i))
				break
			}
			hashes = hashes[1:]
		}
		if err := w.checkpoint(ctx, kept); err != nil {
			return err
		}
	}
	return nil
}

// entry checks one entry by itself.
func (w *verifier) entry(l storedLine, leaf tlog.Hash, known bool) {
	if known && l.Leaf() != leaf {
		if w.changed == 0 {
			w.changed = l.Seq
		}
		w.v.Add("entry %d of the log: the entry was changed", l.Seq)
		return
	}
	if w.macs != nil && l.Seq > w.inherited && !w.macs.fits(l.Stored) {
		w.forged.add(l.Seq)
	}
	e, err := l.Read()
	switch {
	case errors.Is(err, ErrPersonal):
		w.v.Add("entry %d of the log: the personal data was changed", l.Seq)
		return
	case err != nil:
		w.v.Add("entry %d of the log: the entry cannot be read", l.Seq)
		return
	case e.Seq != l.Seq:
		w.v.Add("entry %d of the log: the entry was written as number %d", l.Seq, e.Seq)
		return
	}
	after := max(w.reached, l.at)
	if w.missing.holds(l.Seq - 1) { // times of removed entries went with them
		after = max(after, l.reached)
	}
	if l.at != e.At.UnixMilli() || l.code != string(e.Code) || l.failed != store.Number(e.Code.Failure()) ||
		l.actor != strings.ToLower(e.Actor.Name) ||
		l.job != e.JobID ||
		l.reached != after {
		w.v.Add("entry %d of the log: the search fields do not match the entry", l.Seq)
	}
	w.times(e)
	w.reached, w.lastAt = after, e.At
	if e.Erased {
		w.erased.add(l.Seq)
		if slices.Contains(NeverErased, e.Code) {
			w.v.Add("entry %d of the log: the personal data is missing, but this entry is never erased", l.Seq)
		}
	}
	for _, word := range e.Terms() {
		w.words += wordSum(word, l.Seq)
	}
	w.learn(e)
	for _, r := range w.replays {
		r.Learn(e, w.v)
	}
}

// afterLast finds entries behind the last.
func (w *verifier) afterLast(ctx context.Context, head int64) error {
	beyond, err := store.Value[int64](ctx, w.tx, `
		SELECT (SELECT COUNT(*) FROM audit_lines WHERE seq > $1 OR seq < 1)
			+ (SELECT COUNT(*) FROM audit_hashes WHERE number >= $2 OR number < 0)`,
		head, tlog.StoredHashIndex(0, head))
	if err == nil && beyond > 0 {
		w.v.Add("audit log: %d entries or hashes are outside the %d counted entries", beyond, head)
	}
	return err
}

// conclude compares what is not there with what the log says was taken away, and
// the words entries are found by with those they have.
func (w *verifier) conclude(ctx context.Context) error {
	for _, r := range w.missing {
		if r.to > w.removed {
			w.v.Add("entry %d of the log: the entry is missing", max(r.from, w.removed+1))
			break
		}
	}
	if len(w.missing) > 0 && w.removed > 0 {
		w.v.Notes = append(w.v.Notes, fmt.Sprintf(
			"Entries up to %d were removed at the end of the retention period. Their hashes were verified. Entries "+
				"that seal jobs were kept.", w.removed))
	}
	for _, b := range w.back {
		text := fmt.Sprintf("entry %d of the log: its time is before that of the entry before it, by %d seconds", b.seq, b.back/time.Second)
		if b.back > maxDrift && b.seq > w.confirmed {
			w.v.Add("%s", text)
		} else if len(w.v.Notes) < maxFindings {
			w.v.Notes = append(w.v.Notes, text)
		}
	}
	w.recordedErased = w.recordedErased.merged()
	for _, r := range w.erased {
		if at := w.recordedErased.firstOutside(r); at > 0 {
			w.v.Add("entry %d of the log: the personal data is missing, but no entry says that it was erased", at)
		}
	}
	if len(w.erasures) > 0 {
		w.v.Notes = append(w.v.Notes, fmt.Sprintf(
			"Personal data was erased from %d entries. Which, by whom and why is recorded in entries: %s.", w.erased.count(), w.erasures))
	}
	err := store.Each(ctx, w.tx, func(row store.Scanner) error {
		var word string
		var seq int64
		err := row.Scan(&word, &seq)
		w.words -= wordSum(word, seq)
		return err
	}, `SELECT word, seq FROM audit_words`)
	if err == nil && w.words != 0 {
		w.v.Add("audit log: the search keywords do not match the entries")
	}
	return err
}

var wordSeed = maphash.MakeSeed()

func wordSum(word string, seq int64) uint64 {
	type place struct {
		word string
		seq  int64
	}
	return maphash.Comparable(wordSeed, place{word, seq})
}

// unsealed returns the entries that end jobs, of those that no entry seals though
// their end is an hour ago, sorted by job.
func (w *verifier) unsealed() (ends []Entry) {
	for _, id := range slices.Sorted(maps.Keys(w.ended)) {
		if e := w.ended[id]; w.lastAt.Sub(e.At) > sealedWithin {
			ends = append(ends, e)
		}
	}
	return ends
}
