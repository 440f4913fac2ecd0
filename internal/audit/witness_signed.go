package audit

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// signedState is the last checkpoint of a log that a console signed, or saw signed.
type signedState struct {
	Checkpoint
	note string // "": there is none
}

func (w *Witness) signedOf(origin string) signedState {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	note := w.of(origin).checkpoint
	c, _ := OpenCheckpoint(note, "") // it was verified when it was read
	return signedState{c, note}
}

// of returns what is remembered of a log.
func (w *Witness) of(origin string) (r remembered) {
	if at := slices.IndexFunc(w.logs, func(r remembered) bool { return r.origin == origin }); at >= 0 {
		return w.logs[at]
	}
	return r
}

// begin remembers that a log was new when this console first saw it.
func (w *Witness) begin(origin string, at time.Time) error {
	if w.begun(origin) {
		return nil
	}
	return w.save(origin, func(r *remembered) { r.fields["begun"] = at.UTC().Format(timeFormat) })
}

func (w *Witness) begun(origin string) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.of(origin).fields["begun"] != ""
}

// knowsOthers reports whether other logs were signed.
func (w *Witness) knowsOthers(origin string) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.ContainsFunc(w.logs, func(r remembered) bool { return r.origin != origin })
}

// remember saves a checkpoint that continues the last one.
func (w *Witness) remember(c Checkpoint, note string) error {
	if last := w.signedOf(c.Origin); last.note != "" && last.Size >= c.Size {
		return nil
	}
	return w.save(c.Origin, func(r *remembered) {
		if last, err := OpenCheckpoint(r.checkpoint, ""); err != nil || last.Size < c.Size {
			r.checkpoint = note
		}
	})
}

// saveAlarm keeps an alarm of a log that is known here. Every other one is found again
// at each start.
func (w *Witness) saveAlarm(origin string, a Alarm) error {
	if w.lock == nil || w.signedOf(origin).note == "" || w.Damaged() != nil {
		return nil
	}
	return w.save(origin, func(r *remembered) {
		r.fields["alarm"], r.fields["alarm_at"] = string(a.Why), a.At.UTC().Format(timeFormat)
		r.fields["alarm_found"] = strconv.FormatInt(a.Found, 10)
		r.fields["alarm_known"] = lostName(a.Known.Size, a.Known.Root)
	})
}

// alarmOf returns the alarm that was saved; nil: none.
func (w *Witness) alarmOf(origin string) *Alarm {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	r := w.of(origin)
	if r.fields["alarm"] == "" {
		return nil
	}
	a := &Alarm{Why: Why(r.fields["alarm"]), Known: Checkpoint{Origin: origin}}
	a.At, _ = time.Parse(timeFormat, r.fields["alarm_at"])
	a.Found, _ = strconv.ParseInt(r.fields["alarm_found"], 10, 64)
	size, root, _ := strings.Cut(r.fields["alarm_known"], " ")
	a.Known.Size, _ = strconv.ParseInt(size, 10, 64)
	a.Known.Root, _ = tlog.ParseHash(root)
	return a
}

// acceptedOf returns up to which entry an admin has accepted a log as it is.
func (w *Witness) acceptedOf(origin string) int64 {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	size, _ := strconv.ParseInt(w.of(origin).fields["accepted"], 10, 64)
	return size
}

// inheritedOf returns up to which entry an admin has accepted a log that was written with
// another key, or that this witness did not know.
func (w *Witness) inheritedOf(origin string) int64 {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	size, _ := strconv.ParseInt(w.of(origin).fields["inherited"], 10, 64)
	return size
}

// accept remembers a checkpoint whatever was remembered before, and ends the alarm. The
// entries before it are accepted as they are. A damaged file is put aside, under a name
// with the time.
func (w *Witness) accept(c Checkpoint, note string, why Why, before int64, at time.Time) error {
	if w.Damaged() != nil {
		if err := os.Rename(w.path, w.path+".damaged-"+at.UTC().Format("20060102T150405")); err != nil {
			return err
		}
		w.mutex.Lock()
		w.logs, w.wrong = nil, nil
		w.mutex.Unlock()
	}
	return w.save(c.Origin, func(r *remembered) {
		r.checkpoint = note
		maps.DeleteFunc(r.fields, func(name, _ string) bool { return strings.HasPrefix(name, "alarm") })
		r.fields["accepted"] = strconv.FormatInt(before, 10)
		if why == Damaged || why == NoWitness || why == OtherLog {
			r.fields["inherited"] = r.fields["accepted"]
		}
	})
}
