package bench

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"tagsweep/internal/tim"
)

func prepareRiver(l load) error {
	ctx := context.Background()
	db, err := openSQLite(l.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	driver := riversqlite.New(db)
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	if _, err := db.Exec(outcomes); err != nil {
		return err
	}
	client, err := river.NewClient(driver, &river.Config{})
	if err != nil {
		return err
	}
	var many []river.InsertManyParams
	for b := range batches(l.Accounts) {
		if many = append(many, river.InsertManyParams{Args: b}); len(many) == 1000 || (b.Number+1)*batchSize == l.Accounts {
			if _, err := client.InsertMany(ctx, many); err != nil {
				return err
			}
			many = many[:0]
		}
	}
	return nil
}

// remover makes the call of a batch and writes the outcome. River completes jobs
// in groups by itself, which is quicker here than within the same transaction.
type remover struct {
	river.WorkerDefaults[batch]
	db     *sql.DB
	client *tim.Client
	done   chan<- struct{}
}

func (r *remover) Work(ctx context.Context, job *river.Job[batch]) error {
	code, refused, err := remove(ctx, r.client, job.Args)
	if err != nil {
		return err
	}
	if _, err := r.db.ExecContext(ctx, writeOutcome, job.Args.Number, code, refused); err != nil {
		return err
	}
	r.done <- struct{}{}
	return nil
}

func drainRiver(l load) error {
	ctx := context.Background()
	db, err := openSQLite(l.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	caller, err := newClient(l, inFlight)
	if err != nil {
		return err
	}
	done := make(chan struct{}, inFlight)
	workers := river.NewWorkers()
	river.AddWorker(workers, &remover{db: db, client: caller, done: done})
	client, err := river.NewClient(riversqlite.New(db), &river.Config{
		Logger: slog.New(slog.DiscardHandler), Workers: workers,
		// It fetches as often as it may: with its defaults it waits between fetches.
		FetchCooldown: time.Millisecond, FetchPollInterval: time.Millisecond,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: inFlight}},
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	for range l.Accounts / batchSize {
		<-done
	}
	return client.Stop(ctx)
}
