package audit

import (
	"context"
	"encoding/json"
	"errors"
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

// reviewsAtOnce is how many entries are read between two queries.
const reviewsAtOnce = 200

// FurthestReview returns the sign-off of an auditor, or of any for "", that goes
// furthest. It is zero when there is none.
func (l *Log) FurthestReview(ctx context.Context, actor string) (furthest Review, err error) {
	for before := int64(0); ; {
		found, err := l.Entries(ctx, Filter{Code: LogReviewed, Actor: actor, Before: before, Limit: reviewsAtOnce})
		if err != nil || len(found) == 0 {
			return furthest, err
		}
		for _, e := range found {
			before = e.Seq
			if upTo := WholeNumber(e.Details["to"]); upTo > furthest.UpTo {
				note, _ := e.Details["note"].(string)
				furthest = Review{By: e.Actor.Name, At: e.At, UpTo: upTo, Note: note, Seq: e.Seq}
			}
		}
	}
}

// LastRead returns the newest entry that says that a person read or searched the
// log in another session than this; zero when there is none.
func (l *Log) LastRead(ctx context.Context, by Actor) (last Entry, err error) {
	for _, code := range []Code{LogRead, LogSearched} {
		e, err := l.lastRead(ctx, by, code)
		if err != nil {
			return Entry{}, err
		}
		if e.Seq > last.Seq {
			last = e
		}
	}
	return last, nil
}

func (l *Log) lastRead(ctx context.Context, by Actor, code Code) (e Entry, err error) {
	for before := int64(0); ; {
		found, err := l.Entries(ctx, Filter{Code: code, Actor: by.Name, Before: before, Limit: reviewsAtOnce})
		if err != nil || len(found) == 0 {
			return Entry{}, err
		}
		for _, e := range found {
			if e.Actor.Session != by.Session {
				return e, nil
			}
			before = e.Seq
		}
	}
}

// Size is the number of the last entry.
func (l *Log) Size(ctx context.Context) (size int64, err error) {
	err = l.db.Reader().QueryRowContext(ctx, `SELECT seq FROM audit_head WHERE id = 1`).Scan(&size)
	return size, store.AsTrouble(err)
}

// SaveVerified saves the result of a verification and records it in the log.
func (l *Log) SaveVerified(ctx context.Context, by Actor, v Verified) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return l.db.Tx(ctx, func(tx *store.Tx) error {
		if _, err := tx.ExecContext(ctx,
			`UPDATE audit_head SET checked_at = $1, checked = $2 WHERE id = 1`, store.Millis(v.At), string(text)); err != nil {
			return err
		}
		e := Entry{Code: LogVerified, Actor: by, Details: map[string]any{"to": v.Entries}}
		if len(v.Wrong) > 0 {
			e.Code = LogUnverified
			e.Details["wrong"] = len(v.Wrong) + v.More
		}
		return l.RecordIn(ctx, tx, e)
	})
}

// LastVerified returns the result of the last verification; nil when there was none.
func (l *Log) LastVerified(ctx context.Context) (*Verified, error) {
	var text string
	err := l.db.Reader().QueryRowContext(ctx, `SELECT checked FROM audit_head WHERE id = 1`).Scan(&text)
	if err != nil || text == "" {
		return nil, store.AsTrouble(err)
	}
	var v Verified
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, errors.Join(errors.New("audit: the last verification cannot be read"), err)
	}
	return &v, nil
}
