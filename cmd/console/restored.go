package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
)

// markEvery is how often the count of sends is published while something is sent.
const markEvery = 5 * time.Second

// sendsWitness saves the sends in the witness file.
type sendsWitness struct {
	*audit.Witness
	origin  string
	started time.Time
}

// SaveSends implements engine.Witness.
func (w sendsWitness) SaveSends(n jobs.Sends) error {
	return w.SaveProgress(audit.Progress{Origin: w.origin, Sends: n.Number, Last: n.Last, Started: w.started, At: time.Now()})
}

// holdRestored compares the sends of the database with what was saved outside it, and
// holds all sending if the database is older, if its log lacks what was signed, or if
// it was used and nothing outside it says how far it had come: it may be a copy on another
// machine. What this console held already is not doubted again.
func (k *logTasks) holdRestored(ctx context.Context) error {
	has, err := k.jobs.Sent(ctx)
	if err != nil {
		return err
	}
	used, err := k.jobs.Used(ctx)
	if err != nil {
		return err
	}
	now, err := k.jobs.KillSwitch(ctx)
	if err != nil {
		return err
	}
	alarm := k.audit.Alarm()
	lacks := alarm != nil && alarm.Known.Size > 0
	saved, found := k.witness.Progress(k.origin)
	outside := jobs.Sends{Number: saved.Sends, Last: saved.Last, At: saved.At}
	behind, err := k.jobs.Older(ctx, outside)
	if err != nil {
		return err
	}
	if k.marked.Number > outside.Number {
		outside, behind = k.marked, behind || has.Number < k.marked.Number
	}
	unknown := !found && (has.Number > 0 || used)
	if unknown && !behind && !lacks { // perhaps a further console of a database that is in use
		other, err := k.jobs.OtherSends(ctx)
		if err != nil {
			return err
		}
		unknown = !other
	}
	if !behind {
		outside = jobs.Sends{}
	}
	switch same := now.Restored() && now.Hold == k.witness.Hold(k.origin); {
	case behind, (lacks || unknown) && !same:
		return k.hold(ctx, has.Number, outside, found)
	case !now.Restored() && k.witness.Damaged() == nil: // from now on it is known here, also before anything is sent
		return sendsWitness{k.witness, k.origin, time.Now()}.SaveSends(has)
	}
	return nil
}

// hold holds all sending, and remembers that it did.
func (k *logTasks) hold(ctx context.Context, has int64, outside jobs.Sends, found bool) error {
	held, err := k.jobs.HoldSending(ctx, outside)
	if err != nil || !held {
		return err
	}
	k.logger.Error("the database may be an older copy: accounts may have been sent that it does not know of. "+
		"Nothing is sent until an admin has looked at the page “Restored database”",
		"sends", has, "known_outside", outside.Number, "witness_found", found)
	now, err := k.jobs.KillSwitch(ctx)
	if err != nil || k.witness.Damaged() != nil {
		return err
	}
	return k.witness.SaveHold(k.origin, now.Hold)
}

// warnTogether warns if a copy of one folder has all that shows whether a database is older.
func warnTogether(database, witness string, log *slog.Logger) {
	if strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://") {
		return
	}
	one, err := filepath.Abs(database)
	other, wrong := filepath.Abs(witness)
	if err == nil && wrong == nil && filepath.Dir(one) == filepath.Dir(other) {
		log.Warn("the witness file is in the folder of the database: a copy of the folder that is restored cannot be noticed, and "+
			"accounts would be sent again. Set CONSOLE_WITNESS_FILE to a file on another disk, and publish checkpoints elsewhere",
			"witness_file", other)
	}
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
