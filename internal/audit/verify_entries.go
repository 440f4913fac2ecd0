package audit

import (
	"fmt"
	"slices"
	"time"
)

// learn remembers what an entry says about others.
func (w *verifier) learn(e Entry) {
	if slices.Contains(NeverRemoved, e.Code) {
		w.retained = append(w.retained, e.Seq)
	}
	switch e.Code {
	case LogErased:
		w.erasures.add(e.Seq)
		text, _ := e.Details["entries"].(string)
		said, err := readRanges(text)
		if err != nil {
			w.v.Add("entry %d of the log: the list of erased entries cannot be read", e.Seq)
		}
		w.recordedErased = append(w.recordedErased, said...)
	case LogKeepSet:
		w.months = int(WholeNumber(e.Details["after"]))
	case LogRemoved:
		w.removed = WholeNumber(e.Details["to"])
		from, _ := slices.BinarySearch(w.retained, WholeNumber(e.Details["from"]))
		to, _ := slices.BinarySearch(w.retained, w.removed+1)
		if kept := WholeNumber(e.Details["kept"]); int64(to-from) != kept {
			w.v.Add("entries %d-%d of the log: %d must always be kept, but %d were found",
				WholeNumber(e.Details["from"]), w.removed, kept, to-from)
		}
		last, err := time.Parse(time.RFC3339, fmt.Sprint(e.Details["last_at"]))
		if w.months == 0 || err != nil || last.After(e.At.AddDate(0, -max(w.months, MinKeepMonths), 0)) {
			w.v.Add("entry %d of the log: entries were removed that must be kept", e.Seq)
		}
	case LogAccepted:
		w.losses = append(w.losses, loss{e.Seq, lostNames(e)})
	case JobFinished:
		w.ended[e.JobID] = e
	case JobSealed:
		delete(w.ended, e.JobID)
		w.sealedAt[e.Seq] = e.JobID
	}
}

// times finds times that go back: further than consoles differ that write to one log.
func (w *verifier) times(e Entry) {
	if back := w.lastAt.Sub(e.At); !w.lastAt.IsZero() && back > 10*time.Second {
		w.back = append(w.back, backStep{e.Seq, back})
	}
	if e.Code == ClockConfirmed {
		w.confirmed = e.Seq
	}
}

// backStep is an entry whose time is before that of the entry before it.
type backStep struct {
	seq  int64
	back time.Duration
}

// WholeNumber is a whole number of a detail; numbers of JSON are fractions.
func WholeNumber(value any) int64 {
	n, _ := value.(float64)
	return int64(n)
}
