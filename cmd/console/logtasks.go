package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
)

const (
	sealEvery        = time.Second
	publishEvery     = time.Second
	retryEvery       = 10 * time.Second
	checkpointEvery  = time.Minute
	verifyEvery      = 12 * time.Hour
	verifyCheckEvery = time.Minute // whether it is time to verify
)

// logTasks runs the regular tasks of the log: it seals jobs that have
// ended, signs checkpoints, sends them away, and verifies all of it.
type logTasks struct {
	*components
	destinations   []*destination
	origin         string // of the log
	witness        *audit.Witness
	marked         jobs.Sends       // the last mark in the files of destinations
	sends          func() int64     // the count of sends, as far as this console knows
	verifyRequests chan audit.Actor // who wants it verified now
	logger         *slog.Logger

	mutex      sync.Mutex
	lastErrors map[string]string // what last failed, by what it was

	alarmed atomic.Bool // see tellAlarm
}

// openLogTasks compares the log with what this console signed before, and the count of
// sends with what was saved outside the database. Sending is held when the database may
// be an older copy.
func (c *serveCommand) openLogTasks(ctx context.Context, r *components, witness *audit.Witness, logger *slog.Logger) (*logTasks, error) {
	destinations, err := c.destinations()
	if err != nil {
		return nil, err
	}
	tasks := &logTasks{components: r, destinations: destinations, witness: witness, sends: func() int64 { return 0 },
		verifyRequests: make(chan audit.Actor, 1), logger: logger, lastErrors: map[string]string{}}
	var files []string
	for _, d := range destinations {
		files = append(files, withoutEmpty(d.file)...)
	}
	if err := r.audit.SignWith(ctx, witness, files...); err != nil {
		return nil, err
	}
	if tasks.origin, err = r.audit.Origin(ctx); err != nil {
		return nil, err
	}
	for _, d := range destinations {
		if err := tasks.resume(ctx, d); err != nil {
			return nil, err
		}
	}
	return tasks, tasks.holdRestored(ctx)
}

// resume reads which checkpoints and marks a destination already has.
func (k *logTasks) resume(ctx context.Context, d *destination) (err error) {
	var mark audit.Mark
	if d.file != "" {
		if d.sent, mark, err = k.audit.PublishedIn(ctx, d.file); err != nil {
			return faultCheckpointFile.Because(err, d.file)
		}
	}
	if d.sent == 0 { // an earlier part of the file may have been put elsewhere
		d.sent, err = k.audit.PublishedUpTo(ctx, d.name)
	}
	if d.marked = mark.Sends; d.marked > k.marked.Number {
		k.marked = jobs.Sends{Number: mark.Sends, At: mark.At}
	}
	return err
}

func withoutEmpty(path string) []string {
	if path == "" {
		return nil
	}
	return []string{path}
}

// compareLines compares the entries with what was signed, before anything is signed.
func (k *logTasks) compareLines(ctx context.Context) {
	for err := error(audit.FaultNotCompared.With()); err != nil && ctx.Err() == nil; {
		if err = k.audit.CompareLines(ctx); err != nil {
			k.report(ctx, "compare", err)
			sleep(ctx, retryEvery)
		}
	}
	k.tellAlarm(ctx)
}

// tellAlarm says once, at each start, that this console signs nothing, and has the
// database verified. The pages and the health say it all the time.
func (k *logTasks) tellAlarm(ctx context.Context) {
	a := k.audit.Alarm()
	if a == nil || k.alarmed.Swap(true) {
		return
	}
	k.logger.Error("the log is not signed: it does not continue what this console signed before, it has entries that were written "+
		"without the key file, or this console does not know it. Nothing is signed until an admin has looked at the page “Integrity proof”",
		"why", a.Why, "signed_entries", a.Known.Size, "entries", a.Found, "since", a.At)
	k.verify(audit.System)
}

// verify asks for a verification; false when one is asked for already.
func (k *logTasks) verify(by audit.Actor) bool {
	select {
	case k.verifyRequests <- by:
		return true
	default:
		return false
	}
}

// run runs the tasks until ctx ends. Nothing waits for verifying and publishing, which
// may take long.
func (k *logTasks) run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { k.repeat(ctx, sealEvery, "seal", k.evidence.Seal) })
	all.Go(func() { k.compareLines(ctx); k.repeat(ctx, checkpointEvery, "sign", k.sign) })
	for _, d := range k.destinations {
		all.Go(func() {
			k.repeat(ctx, publishEvery, "publish to "+d.name, func(ctx context.Context) error {
				return errors.Join(publish(ctx, k.audit, d), k.mark(ctx, d, false))
			})
		})
	}
	all.Go(func() { k.verifyRegularly(ctx) })
	all.Wait()
}

// sign signs the log. An alarm is told once, and is no error that is tried again.
func (k *logTasks) sign(ctx context.Context) error {
	err := k.audit.Checkpoint(ctx)
	if k.audit.Alarm() != nil {
		k.tellAlarm(ctx)
		return nil
	}
	k.alarmed.Store(false)
	return err
}

// repeat runs a task now and then regularly, after an error with a longer wait.
func (k *logTasks) repeat(ctx context.Context, every time.Duration, what string, do func(context.Context) error) {
	for ctx.Err() == nil {
		wait := every
		err := do(ctx)
		if k.report(ctx, what, err); err != nil {
			wait = max(every, retryEvery)
		}
		sleep(ctx, wait)
	}
}

func sleep(ctx context.Context, wait time.Duration) {
	next := time.NewTimer(wait)
	defer next.Stop()
	select {
	case <-ctx.Done():
	case <-next.C:
	}
}

// verifyRegularly verifies every few hours, and on request.
func (k *logTasks) verifyRegularly(ctx context.Context) {
	look := time.NewTicker(verifyCheckEvery)
	defer look.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case by := <-k.verifyRequests:
			k.report(ctx, "verify", k.verifyNow(ctx, by))
		case <-look.C:
			last, err := k.audit.LastVerified(ctx)
			if err == nil && (last == nil || time.Since(last.At).Abs() > verifyEvery) {
				err = k.verifyNow(ctx, audit.System)
			}
			k.report(ctx, "verify", err)
		}
	}
}

func (k *logTasks) verifyNow(ctx context.Context, by audit.Actor) error {
	found, err := k.evidence.Verify(ctx, audit.Proofs{})
	if err != nil {
		return err
	}
	for _, wrong := range found.Wrong {
		k.logger.Error("verification of the database failed", "place", wrong)
	}
	return k.audit.SaveVerified(ctx, by, found)
}

// report logs an error once, until another one follows.
func (k *logTasks) report(ctx context.Context, what string, err error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	switch {
	case err == nil:
		delete(k.lastErrors, what)
	case ctx.Err() == nil && k.lastErrors[what] != err.Error():
		k.lastErrors[what] = err.Error()
		k.logger.Error("a task of the audit log failed and will be retried", "what", what, "err", err)
	}
}
