package audit

import (
	"context"
	"errors"
	"slices"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// FaultReview: the sign-off is for an entry that does not exist or is signed off already.
var FaultReview = fault.Declare(fault.Invalid, "audit.review",
	"Nothing was signed off: the entry number must be from %d to %d. Check the entries, then sign off again.")

// Review is an auditor's statement that all entries up to one were reviewed.
type Review struct {
	By   string
	At   time.Time
	UpTo int64
	Note string
	Seq  int64 // the entry that says so
}

// SignOff signs off all entries up to one. It can only go further.
func (l *Log) SignOff(ctx context.Context, by Actor, upTo int64, note string) error {
	last, err := l.FurthestReview(ctx, by.Name)
	if err != nil {
		return err
	}
	head, err := l.Size(ctx)
	if err != nil {
		return err
	}
	if upTo <= last.UpTo || upTo > head {
		return FaultReview.With(last.UpTo+1, head)
	}
	return l.Record(ctx, Entry{Code: LogReviewed, Actor: by, Details: map[string]any{"from": last.UpTo + 1, "to": upTo, "note": note}})
}

// FurthestReview returns the sign-off of an auditor, or of any for "", that goes
// furthest. It is zero when there is none.
func (l *Log) FurthestReview(ctx context.Context, actor string) (furthest Review, err error) {
	err = l.each(ctx, Filter{Code: LogReviewed, Actor: actor}, func(e Entry) bool {
		if upTo := WholeNumber(e.Details["to"]); upTo > furthest.UpTo {
			note, _ := e.Details["note"].(string)
			furthest = Review{By: e.Actor.Name, At: e.At, UpTo: upTo, Note: note, Seq: e.Seq}
		}
		return true
	})
	return furthest, err
}

// mostUnreviewed is how many entries Unreviewed looks at, the newest ones.
const mostUnreviewed = 5

// Unreviewed returns entries of an event that nobody has signed off but, at most, who
// caused it: the newest first, and few.
func (l *Log) Unreviewed(ctx context.Context, code Code) ([]Entry, error) {
	entries, err := l.Entries(ctx, Filter{Code: code, Limit: mostUnreviewed})
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	reviewed := map[string]int64{} // up to which entry, by who signed off
	oldest := entries[len(entries)-1].Seq
	err = l.each(ctx, Filter{Code: LogReviewed}, func(e Entry) bool {
		reviewed[e.Actor.ID] = max(reviewed[e.Actor.ID], WholeNumber(e.Details["to"]))
		return e.Seq > oldest
	})
	return slices.DeleteFunc(entries, func(e Entry) bool {
		for by, upTo := range reviewed {
			if by != e.Actor.ID && upTo >= e.Seq {
				return true
			}
		}
		return false
	}), err
}

// LastRead returns the newest entry that says that a person read or searched the
// log in another session than this; zero when there is none.
func (l *Log) LastRead(ctx context.Context, by Actor) (last Entry, err error) {
	for _, code := range []Code{LogRead, LogSearched} {
		err = errors.Join(err, l.each(ctx, Filter{Code: code, Actor: by.Name}, func(e Entry) bool {
			other := e.Actor.Session != by.Session
			if other && e.Seq > last.Seq {
				last = e
			}
			return !other
		}))
	}
	return last, err
}

// SaveVerified records the result of a verification in the log. It raises the alarm if the
// log does not continue what this console signed.
func (l *Log) SaveVerified(ctx context.Context, by Actor, v Verified) error {
	e, err := v.entry(by, l.db.Now())
	if err == nil {
		err = l.raiseVerified(ctx, v)
	}
	if err != nil {
		return err
	}
	return l.db.Tx(ctx, func(tx *store.Tx) error {
		_, err := lockHead(ctx, tx)
		if err == nil {
			e.Actor, err = l.orSystem(ctx, tx, by, e.Code)
		}
		if err != nil {
			return err
		}
		return l.RecordIn(ctx, tx, e)
	})
}

// LastVerified returns the result of the last verification, as the log proves it; nil when
// there is none.
func (l *Log) LastVerified(ctx context.Context) (*Verified, error) {
	well, err := l.LastOf(ctx, l.db.Reader(), LogVerified)
	if err != nil {
		return nil, err
	}
	wrong, err := l.LastOf(ctx, l.db.Reader(), LogUnverified)
	if err != nil || max(well, wrong) == 0 {
		return nil, err
	}
	e, err := l.Proven(ctx, l.db.Reader(), max(well, wrong))
	switch {
	case Unproven(err):
		return nil, nil
	case err != nil:
		return nil, err
	case e.Code != LogVerified && e.Code != LogUnverified:
		return nil, nil
	}
	v := verifiedIn(e)
	return &v, nil
}
