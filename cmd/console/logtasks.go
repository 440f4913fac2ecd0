package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
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
}

// openLogTasks holds sending when the database is older than the last published
// checkpoint of its log, or than what was saved outside it of the count of sends.
func (c *serveCommand) openLogTasks(ctx context.Context, r *components, witness *audit.Witness, k keys, logger *slog.Logger) (
	*logTasks, error) {
	r.audit.SignWith(k.log)
	destinations, err := c.destinations()
	if err != nil {
		return nil, err
	}
	tasks := &logTasks{components: r, destinations: destinations, witness: witness, sends: func() int64 { return 0 },
		verifyRequests: make(chan audit.Actor, 1),
		logger:         logger, lastErrors: map[string]string{}}
	public, err := r.audit.Key(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range destinations {
		if d.file == "" {
			continue
		}
		if err := tasks.resume(ctx, d, public); err != nil {
			return nil, err
		}
	}
	tasks.origin, _, _ = strings.Cut(public, "+")
	return tasks, tasks.holdRestored(ctx)
}

// resume reads which checkpoints a file already has, and whether the database lacks
// some of them.
func (k *logTasks) resume(ctx context.Context, d *destination, public string) error {
	p, err := readPublished(ctx, k.audit, d.file, public)
	if err != nil {
		return err
	}
	if p.last.Size == 0 && p.notes > 0 {
		k.logger.Warn("the checkpoint file belongs to another log and cannot check this database", "checkpoint_file", d.file)
	}
	before, err := k.audit.PublishedUpTo(ctx, d.name)
	if err != nil {
		return err
	}
	if d.sent = p.known; d.sent == 0 {
		d.sent = before
	}
	if d.marked = p.marked.Number; p.marked.Number > k.marked.Number {
		k.marked = p.marked
	}
	if p.included || p.last.Size == 0 {
		return nil
	}
	lost, err := readLost(ctx, k.audit, d.file, public)
	if err != nil {
		return err
	}
	if before > 0 { // an earlier part of the file may have been put elsewhere
		lost.After = min(lost.After, before)
	}
	held, err := k.audit.HoldRestored(ctx, p.last,
		audit.Lost{After: min(lost.After, p.last.Size-1), UpTo: max(lost.UpTo, p.last.Size)},
		func(ctx context.Context) error { _, err := k.jobs.HoldSending(ctx, jobs.Sends{}); return err })
	if held {
		k.logger.Error(
			"the database is older than the last published checkpoint: it is an older copy, and accounts shown as "+
				"waiting may already have been sent. Nothing is sent until an admin resumes sending",
			"published", p.last.Size, "published_at", p.last.At)
	}
	return err
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
	all.Go(func() { k.repeat(ctx, checkpointEvery, "sign", k.audit.Checkpoint) })
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

// repeat runs a task now and then regularly, after an error with a longer wait.
func (k *logTasks) repeat(ctx context.Context, every time.Duration, what string, do func(context.Context) error) {
	for ctx.Err() == nil {
		wait := every
		err := do(ctx)
		if k.report(ctx, what, err); err != nil {
			wait = max(every, retryEvery)
		}
		next := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			next.Stop()
		case <-next.C:
		}
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
			if err == nil && (last == nil || time.Since(last.At) > verifyEvery) {
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
