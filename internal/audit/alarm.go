package audit

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Faults of ResumeSigning.
var (
	FaultResumeReason = fault.Declare(fault.Invalid, "audit.resume_reason",
		"Signing was not resumed: enter the reason. It stays in the log.")
	FaultLogBroken = fault.Declare(fault.Conflict, "audit.broken",
		"Signing was not resumed: the stored hashes of the log contradict each other. Restore a backup of the "+
			"database.")
)

// Why says what does not continue what was signed.
type Why string

const (
	Changed        Why = "changed"         // entries that were signed are no longer the same
	Shorter        Why = "shorter"         // entries that were signed are missing
	CheckpointGone Why = "checkpoint_gone" // the last checkpoint is not in the database
	OtherLog       Why = "other_log"       // this console has signed another log with its key, and never this one
	NoWitness      Why = "no_witness"      // the log was used, and the witness file knows nothing of it
	Damaged        Why = "damaged"         // the witness file was changed
	Forged         Why = "forged"          // entries were written without the key
)

// Alarm says why this console signs nothing. It stays, also after a restart, until an
// admin accepts the log as it is: see ResumeSigning.
type Alarm struct {
	Why   Why
	Known Checkpoint // the signed state that the log does not continue; zero: not known
	Found int64      // how many entries the log had instead
	At    time.Time
}

// Alarm returns why this console signs nothing; nil: it signs, or there is no key.
func (l *Log) Alarm() *Alarm {
	if l.signing == nil {
		return nil
	}
	l.signing.mutex.Lock()
	defer l.signing.mutex.Unlock()
	return l.signing.alarm
}

// raise stops signing for what a comparison found that began when signing had been resumed
// so often: what is older than the last time is settled. The first alarm stays.
func (l *Log) raise(h head, a *Alarm, resumed int) error {
	l.signing.mutex.Lock()
	defer l.signing.mutex.Unlock()
	if a == nil || l.signing.alarm != nil || l.signing.resumed != resumed {
		return nil
	}
	raised := *a
	raised.At, raised.Found = l.db.Now(), h.seq
	l.signing.alarm = &raised
	return l.signing.witness.saveAlarm(h.origin, raised)
}

// raiseVerified stops signing for what a verification found.
func (l *Log) raiseVerified(ctx context.Context, v Verified) error {
	if v.Alarm == "" || l.signing == nil {
		return nil
	}
	h, err := readHead(ctx, l.db.Reader())
	if err != nil {
		return err
	}
	return l.raise(h, &Alarm{Why: v.Alarm, Known: l.signing.witness.signedOf(h.origin).Checkpoint}, v.resumed)
}

// resumed is how often an admin resumed signing. Ask before you ask what was signed.
func (l *Log) resumed() int {
	l.signing.mutex.Lock()
	defer l.signing.mutex.Unlock()
	return l.signing.resumed
}

// ResumeSigning accepts the log as it is, and signs it: for an admin who has looked. An
// entry says why, what was signed before, and exactly which signed states are lost with
// it. Without an alarm it changes nothing. Faults: FaultResumeReason, FaultLogBroken.
func (l *Log) ResumeSigning(ctx context.Context, by Actor, reason string) error {
	reason = strings.TrimSpace(store.Clean(reason, maxText))
	if reason == "" {
		return FaultResumeReason.With()
	}
	a := l.Alarm()
	if a == nil {
		return nil
	}
	lost, err := l.lost(ctx)
	if err != nil {
		return err
	}
	var c Checkpoint
	var note string
	var before int64 // entries that are accepted as they are
	err = l.db.Tx(ctx, func(tx *store.Tx) error {
		h, err := lockHead(ctx, tx)
		if err != nil {
			return err
		}
		before = h.seq
		root, err := tlog.TreeHash(h.seq, l.hashes(ctx, tx))
		tree, wrong := TreeAt(h.seq, h.edge)
		if err != nil || wrong != nil || root != tree.Root() {
			return FaultLogBroken.Because(err)
		}
		details := map[string]any{"why": string(a.Why), "reason": reason, "found_size": a.Found, "known_size": a.Known.Size}
		if a.Known.Size > 0 {
			details["known_root"] = a.Known.Root.String()
		}
		entries := []Entry{}
		for len(lost) > 0 || len(entries) == 0 {
			some := lost[:min(lostAtOnce, len(lost))]
			lost = lost[len(some):]
			said := maps.Clone(details)
			said["lost"] = listLost(some)
			entries = append(entries, Entry{Code: LogAccepted, Actor: by, Details: said})
		}
		if err := l.RecordIn(ctx, tx, entries...); err != nil {
			return err
		}
		if h, err = lockHead(ctx, tx); err != nil {
			return err
		}
		if tree, err = TreeAt(h.seq, h.edge); err != nil {
			return err
		}
		c, note, err = l.signAs(ctx, tx, h.origin, tree)
		return err
	})
	if err != nil {
		return err
	}
	l.signing.mutex.Lock()
	defer l.signing.mutex.Unlock()
	if err := l.signing.witness.accept(c, note, a.Why, before, l.db.Now()); err != nil {
		return err
	}
	l.signing.alarm = nil
	l.signing.resumed++
	return nil
}

// lostAtOnce is how many signed states one entry names.
const lostAtOnce = 250

// listLost names signed states: the size and the root of each.
func listLost(lost []Checkpoint) string {
	names := make([]string, len(lost))
	for i, c := range lost {
		names[i] = lostName(c.Size, c.Root)
	}
	return strings.Join(names, ", ")
}

func lostName(size int64, root tlog.Hash) string {
	return strconv.FormatInt(size, 10) + " " + root.String()
}

// lostNames are the signed states that an entry names.
func lostNames(e Entry) []string {
	text, _ := e.Details["lost"].(string)
	if text == "" {
		return nil
	}
	return strings.Split(text, ", ")
}

// accepted returns the lost states that entries up to one name. These entries are
// proved by their hashes.
func (l *Log) accepted(ctx context.Context, q store.Querier, upTo int64) (map[string]bool, error) {
	names := map[string]bool{}
	h, err := readHead(ctx, q)
	if err != nil {
		return nil, err
	}
	for after := int64(0); ; {
		some, err := l.StoredAfter(ctx, q, LogAccepted, after, 100)
		if err != nil || len(some) == 0 {
			return names, err
		}
		for _, s := range some {
			if after = s.Seq; s.Seq > upTo {
				return names, nil
			}
			hash, err := storedHash(ctx, q, tlog.StoredHashIndex(0, s.Seq-1))
			if err = store.IfNone(err, nil); err != nil {
				return nil, err
			}
			own, err := l.isOwn(ctx, q, h.origin, s)
			if err != nil {
				return nil, err
			}
			leaf := s.Leaf()
			e, err := s.Read()
			if err != nil || !own || string(hash) != string(leaf[:]) {
				continue // it was changed or forged, and excuses nothing
			}
			for _, name := range lostNames(e) {
				names[name] = true
			}
		}
	}
}
