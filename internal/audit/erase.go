package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Faults of erasing.
var (
	FaultEraseName = fault.Declare(fault.Invalid, "audit.erase_name",
		"Nothing was erased: choose whether it is a user, an account or an address, and enter it in full.")
	FaultNothingErased = fault.Declare(fault.NotFound, "audit.nothing_to_erase",
		"Nothing was erased: no log entry has exactly the value %s. Enter it in full, as shown in the log.")
	FaultEraseNoReason = fault.Declare(fault.Invalid, "audit.erase_no_reason",
		"Nothing was erased: enter the reason, for example the request number.")
	FaultEraseReason = fault.Declare(fault.Invalid, "audit.erase_reason",
		"Nothing was erased: the reason contains the name to erase, and it stays in the log. Change the reason, "+
			"for example to the request number.")
	FaultEraseConfirm = fault.Declare(fault.Invalid, "audit.erase_confirm",
		"Nothing was erased: you did not confirm. Check the entries, and enter their number: %d.")
	FaultEraseCount = fault.Declare(fault.Conflict, "audit.erase_count",
		"Nothing was erased: the entries are no longer the ones that you confirmed. There are %d now. Check them, and "+
			"enter their number.")
)

// NeverErased are the events whose entries keep their personal part: who erased, removed
// or lost what, and what seals a job, is never forgotten.
var NeverErased = []Code{LogErased, LogRemoved, LogAccepted, JobSealed}

// Erase erases the personal part of every entry about a subject, as another admin has
// asked, and returns how many there were. What stays is verified as before; the log says
// which entries were erased, by whom and why, and not whose. Faults: those of RecordIn,
// FaultEraseName, FaultEraseConfirm, FaultNothingErased, FaultEraseAlone, FaultEraseCount
// when others would be erased than were confirmed.
func (l *Log) Erase(ctx context.Context, by Actor, of Subject, seen Confirmed) (erased int, err error) {
	if of, err = of.valid(); err != nil {
		return 0, err
	}
	if seen.Entries <= 0 {
		now, err := erasure(ctx, l.db.Reader(), of)
		switch {
		case err != nil:
			return 0, err
		case now.Entries == 0:
			return 0, FaultNothingErased.With(of.Value)
		}
		return 0, FaultEraseConfirm.With(now.Entries)
	}
	var asked ErasureRequest
	for last := int64(0); ; {
		var some []Entry
		err := l.db.Tx(ctx, func(tx *store.Tx) (err error) {
			if _, err = lockHead(ctx, tx); err == nil && last == 0 {
				if err = confirm(ctx, tx, of, seen); err == nil {
					asked, err = l.askedFor(ctx, tx, by, of)
				}
			}
			if err == nil {
				some, err = l.eraseSome(ctx, tx, by, of, asked, last, seen.Last)
			}
			return err
		})
		if err != nil {
			return erased, err
		}
		if len(some) == 0 {
			break
		}
		ctx = context.WithoutCancel(ctx) // half of it is of no use, though whoever asked has gone
		last, erased = some[len(some)-1].Seq, erased+len(some)
	}
	return erased, store.AsTrouble(l.db.Scrub(ctx, "audit_lines", "audit_words"))
}

// confirm checks that a person saw what would be erased now. The log is locked.
func confirm(ctx context.Context, tx *store.Tx, of Subject, seen Confirmed) error {
	switch now, err := erasure(ctx, tx, of); {
	case err != nil:
		return err
	case now.Entries == 0:
		return FaultNothingErased.With(of.Value)
	case seen != Confirmed{now.Entries, now.Last}:
		return FaultEraseCount.With(now.Entries)
	}
	return nil
}

// eraseSome erases some of the entries after one, up to another. It erases nothing whose
// line and personal part do not say themselves that they are about the subject. The log is
// locked.
func (l *Log) eraseSome(ctx context.Context, tx *store.Tx, by Actor, of Subject, asked ErasureRequest, after, upTo int64) ([]Entry, error) {
	some, err := store.Collect(ctx, tx, scanEntry, selectLines+aboutSubject+`
		AND code NOT IN `+listOf(NeverErased)+` AND seq > $5 AND seq <= $6 ORDER BY seq LIMIT $7`, of.args(after, upTo, entriesAtOnce)...)
	if err != nil || len(some) == 0 {
		return nil, err
	}
	var seqs ranges
	for _, e := range some {
		if !e.is(of) {
			return nil, fmt.Errorf("audit: entry %d of the log is found by a word that it does not have: it is not erased", e.Seq)
		}
		seqs.add(e.Seq)
		if err := erasePersonal(ctx, tx, e); err != nil {
			return nil, err
		}
	}
	if after > 0 { // it was begun, and half of it is of no use
		if by, err = l.orSystem(ctx, tx, by, LogErased); err != nil {
			return nil, err
		}
	}
	return some, l.RecordIn(ctx, tx, Entry{Code: LogErased, Actor: by,
		Details: map[string]any{"kind": of.Kind, "entries": seqs.String(), "reason": asked.Reason, "asked": asked.Entry}})
}

func erasePersonal(ctx context.Context, tx *store.Tx, e Entry) error {
	left, err := scanEntry(tx.QueryRowContext(ctx,
		`UPDATE audit_lines SET personal = '', actor = '' WHERE seq = $1 RETURNING seq, line, personal, mac`, e.Seq))
	if errors.Is(err, sql.ErrNoRows) {
		return nil // removed meanwhile, at the end of the retention period
	}
	if err != nil {
		return err
	}
	if err := forgetWords(ctx, tx, e); err != nil {
		return err
	}
	return saveWords(ctx, tx, left)
}
