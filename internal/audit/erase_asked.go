package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Erasing takes two admins. The first one asks; the second one enters the name once more,
// sees what goes, and erases. In place of the name, the log has a digest of it, made with
// the key file: nobody can try names on it, and a slip of the first admin is found.

// erasureWaits is how long another admin can erase what was asked for.
const erasureWaits = 24 * time.Hour

// Faults of asking.
var (
	FaultEraseAlone = fault.Declare(fault.Conflict, "audit.erase_alone",
		"Nothing was erased: another admin has to ask for it first, and not more than 24 hours ago.")
	FaultEraseAsked = fault.Declare(fault.Conflict, "audit.erase_asked",
		"Nothing was changed: you have asked for this already. Another admin has to erase it now.")
)

// ErasureRequest is a request to erase, which another admin can carry out until it expires.
type ErasureRequest struct {
	Entry     int64 // of the log
	Asker     Actor
	AskedAt   time.Time
	ExpiresAt time.Time
	Kind      SubjectKind
	Reason    string

	digest string // of the subject
}

// AskErasure asks other admins to erase a subject. Faults: those of RecordIn, FaultEraseName,
// FaultEraseNoReason, FaultEraseReason, FaultNothingErased, FaultEraseAsked.
func (l *Log) AskErasure(ctx context.Context, by Actor, of Subject, reason string) error {
	of, err := of.valid()
	if err != nil {
		return err
	}
	reason = strings.TrimSpace(reason)
	switch {
	case reason == "":
		return FaultEraseNoReason.With()
	case contains(reason, of.Value):
		return FaultEraseReason.With()
	}
	return l.db.Tx(ctx, func(tx *store.Tx) error {
		if _, err := lockHead(ctx, tx); err != nil {
			return err
		}
		now, err := erasure(ctx, tx, of)
		if err != nil {
			return err
		}
		if now.Entries == 0 {
			return FaultNothingErased.With(of.Value)
		}
		waiting, err := l.erasuresAsked(ctx, tx)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(waiting, func(r ErasureRequest) bool { return r.Asker.ID == by.ID && r.digest == l.digestOf(of) }) {
			return FaultEraseAsked.With()
		}
		return l.RecordIn(ctx, tx, Entry{Code: ErasureAsked, Actor: by,
			Details: map[string]any{"kind": of.Kind, "subject_hmac": l.digestOf(of), "reason": reason}})
	})
}

// digestOf stands for a subject in the log. Without the key file it tells nothing.
func (l *Log) digestOf(of Subject) string {
	mac := hmac.New(sha256.New, l.key[:])
	mac.Write([]byte("erase\n" + of.term()))
	return hex.EncodeToString(mac.Sum(nil))
}

// ErasuresAsked lists the requests that wait, the newest first.
func (l *Log) ErasuresAsked(ctx context.Context) (waiting []ErasureRequest, err error) {
	err = l.db.ReadTx(ctx, func(tx *store.Tx) error {
		waiting, err = l.erasuresAsked(ctx, tx)
		return err
	})
	return waiting, err
}

func (l *Log) erasuresAsked(ctx context.Context, q store.Querier) (waiting []ErasureRequest, err error) {
	entries, err := store.Collect(ctx, q, scanEntry, selectLines+`code IN ($1, $2) AND at > $3 ORDER BY seq DESC`,
		ErasureAsked, LogErased, store.Millis(l.db.Now().Add(-erasureWaits)))
	carriedOut := map[int64]bool{}
	for _, e := range entries {
		if e.Code == LogErased {
			carriedOut[e.Asked()] = true
			continue
		}
		if carriedOut[e.Seq] {
			continue
		}
		r := ErasureRequest{Entry: e.Seq, Asker: e.Actor, AskedAt: e.At, ExpiresAt: e.At.Add(erasureWaits)}
		r.digest, _ = e.Details["subject_hmac"].(string)
		r.Reason, _ = e.Details["reason"].(string)
		kind, _ := e.Details["kind"].(string)
		r.Kind = SubjectKind(kind)
		waiting = append(waiting, r)
	}
	return waiting, err
}

// Asked is the entry of the request that an erasure carried out; 0: none.
func (e Entry) Asked() int64 {
	asked, _ := e.Details["asked"].(float64)
	return int64(asked)
}

// AskedFor returns the request of another admin to erase a subject, which they could still
// make, or FaultEraseAlone.
func (l *Log) AskedFor(ctx context.Context, by Actor, of Subject) (r ErasureRequest, err error) {
	err = l.db.ReadTx(ctx, func(tx *store.Tx) error {
		r, err = l.askedFor(ctx, tx, by, of)
		return err
	})
	return r, err
}

func (l *Log) askedFor(ctx context.Context, q store.Querier, by Actor, of Subject) (ErasureRequest, error) {
	waiting, err := l.erasuresAsked(ctx, q)
	if err != nil {
		return ErasureRequest{}, err
	}
	for _, r := range waiting {
		if r.digest != l.digestOf(of) || r.Asker.ID == by.ID {
			continue
		}
		asker := r.Asker
		asker.Session = "" // it may have ended
		_, err := l.still(ctx, q, asker, LogErased)
		if err == nil {
			_, err = l.Proven(ctx, q, r.Entry)
		}
		switch {
		case err == nil:
			return r, nil
		case fault.KindOf(err) != fault.Forbidden && !Unproven(err):
			return ErasureRequest{}, err
		}
	}
	return ErasureRequest{}, FaultEraseAlone.With()
}
