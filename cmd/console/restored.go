package main

import (
	"context"
	"sync"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
)

// markEvery is how often the count of sends is published while something is sent.
const markEvery = 5 * time.Second

// sendsWitness saves the count of sends in the witness file.
type sendsWitness struct {
	*audit.Witness
	origin  string
	started time.Time
}

// SaveSends implements engine.Witness.
func (w sendsWitness) SaveSends(number int64) error {
	return w.SaveProgress(audit.Progress{Origin: w.origin, Sends: number, Started: w.started, At: time.Now()})
}

// holdRestored compares the count of sends in the database with what was saved outside it,
// and holds all sending if the database is older, if its log lacks what was signed, or if
// nothing outside it says how far it had come: it may be a copy on another machine.
func (k *logTasks) holdRestored(ctx context.Context) error {
	has, err := k.jobs.Sent(ctx)
	if err != nil {
		return err
	}
	alarm := k.audit.Alarm()
	lacks := alarm != nil && alarm.Known.Size > 0
	saved, found := k.witness.Progress(k.origin)
	outside := k.marked
	if saved.Sends > outside.Number {
		outside = jobs.Sends{Number: saved.Sends, At: saved.At}
	}
	if has >= outside.Number && (found || has == 0) && !lacks {
		return nil
	}
	if has >= outside.Number && !lacks { // a further console of a database that is in use
		if other, err := k.jobs.OtherSends(ctx); err != nil || other {
			return err
		}
	}
	if has >= outside.Number {
		outside = jobs.Sends{}
	}
	held, err := k.jobs.HoldSending(ctx, outside)
	if held {
		k.logger.Error("the database may be an older copy: accounts may have been sent that it does not know of. "+
			"Nothing is sent until an admin has looked at the page “Restored database”",
			"sends", has, "known_outside", outside.Number, "witness_found", found)
	}
	return err
}

// mark publishes the count of sends to a destination if it has changed.
func (k *logTasks) mark(ctx context.Context, d *destination, last bool) error {
	number := k.sends()
	if number <= d.marked || !last && time.Since(d.markedAt) < markEvery {
		return nil
	}
	note, err := k.audit.Mark(ctx, number)
	if err != nil || note == "" {
		return err
	}
	if err := d.send(ctx, note); err != nil {
		return err
	}
	d.marked, d.markedAt = number, time.Now()
	return nil
}

// markLast publishes the count once nothing more is sent.
func (k *logTasks) markLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, d := range k.destinations {
		all.Go(func() { k.report(ctx, "mark "+d.name, k.mark(ctx, d, true)) })
	}
	all.Wait()
}
