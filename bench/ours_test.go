package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/internal/store"
)

func ourApp(l load) jobs.App {
	return jobs.App{ID: "1400000000", Name: "Bench", Environment: "test", SDKAppID: sdkAppID, Domain: l.Simulator,
		Family: "all_member_push", Identifier: "administrator", Rate: 50_000}
}

// keepingTags is ours when every batch's tags are read and kept before they are removed.
const keepingTags = "tagsweep keeping tags"

// openOurs opens the database with a key for the tags that are saved.
func openOurs(ctx context.Context, l load) (c engine.Config, err error) {
	if c.Store, err = store.Open(ctx, l.Database); err != nil {
		return c, err
	}
	c.App, c.Log = ourApp(l), slog.New(slog.DiscardHandler)
	c.Audit, c.Snapshots = audit.New(c.Store, jobs.AppOf), snapshot.New(c.Store)
	c.Snapshots.UseKey([32]byte{1})
	c.Audit.UseKey([32]byte{2})
	c.Jobs = jobs.New(c.Store, c.Audit, c.Snapshots)
	return c, nil
}

// prepareOurs uploads a file, lets it be read, and starts the job.
func prepareOurs(l load) error {
	ctx := context.Background()
	c, err := openOurs(ctx, l)
	if err != nil {
		return err
	}
	defer c.Store.Close()
	s, app, by := c.Jobs, c.App, audit.Actor{Name: "bench"}
	if err := s.SaveApp(ctx, app); err != nil {
		return err
	}
	sending, err := s.SendStatus(ctx, app.ID)
	if err != nil {
		return err
	}
	sending.Snapshot, sending.VerifyShare = l.Contender == keepingTags, 0 // the service only counts: tags would still be there
	if err := s.ChangeSettings(ctx, by, app.ID, sending.Settings); err != nil {
		return err
	}
	var file strings.Builder
	for b := range batches(l.Accounts) {
		for _, account := range b.Accounts {
			file.WriteString(account + "\n")
		}
	}
	j, err := s.Create(ctx, by, jobs.Upload{AppID: app.ID, Kind: jobs.Clear, FileName: "users.csv", AccountBytes: app.AccountBytes(),
		File: io.NewSectionReader(strings.NewReader(file.String()), 0, int64(file.Len()))})
	if err != nil {
		return err
	}
	importer := jobs.Importer{Jobs: s, Log: c.Log}
	if _, err := importer.Next(ctx, 0); err != nil {
		return err
	}
	if j, err = s.Get(ctx, j.ID); err != nil {
		return err
	}
	_, err = s.Start(ctx, by, j.ID, jobs.StartRequest{Confirm: j.Accounts, Reading: j.Reading})
	return err
}

// drainOurs is the engine as the console runs it, except the service's limit.
func drainOurs(l load) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	c, err := openOurs(ctx, l)
	if err != nil {
		return err
	}
	defer c.Store.Close()
	release, err := c.Store.ExclusiveLock(ctx)
	if err != nil {
		return err
	}
	defer release()
	if c.Client, err = newClient(l, engine.Connections); err != nil {
		return err
	}
	found, err := c.Jobs.List(ctx, jobs.Filter{Limit: 1})
	if err != nil {
		return err
	}
	runner := engine.New(c)
	var group errgroup.Group
	group.Go(func() error { return runner.Run(ctx) })
	group.Go(func() error {
		defer stop()
		for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
			j, err := c.Jobs.Get(ctx, found[0].ID)
			switch {
			case err != nil:
				return err
			case j.State == jobs.Finished && j.Counts.Done() == int64(l.Accounts):
				return nil
			case j.State != jobs.Queued && j.State != jobs.Running:
				return fmt.Errorf("the job is %s: %d %s", j.State, j.HaltCode, j.HaltInfo)
			}
		}
	})
	return group.Wait()
}
