package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine"
	"tagsweep/internal/heavy"
	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
	"tagsweep/web"
)

type serveCommand struct {
	database
	app
	Listen         string   `env:"CONSOLE_LISTEN" default:"127.0.0.1:8080" help:"Address to listen on."`
	KeyFile        string   `env:"CONSOLE_KEY_FILE" default:"data/console.key" help:"Key file, created on the first start. Keep it secret and back it up."`
	NewKey         bool     `env:"CONSOLE_NEW_KEY" help:"Start although the key file does not match the tag snapshots. They cannot be read or restored. Only needed until the next job."`
	WitnessFile    string   `env:"CONSOLE_WITNESS_FILE" help:"File in which this console remembers, outside the database, what it signed and how far it has sent. Each console needs its own, and no backup of the database may contain it. Default: the key file with .witness appended."`
	UploadLimit    int64    `env:"CONSOLE_UPLOAD_LIMIT" default:"2000000000" help:"Largest file, in bytes."`
	TempFolder     string   `env:"CONSOLE_TEMP_FOLDER" help:"Folder for temporary files, up to three times the largest upload. Default: /var/tmp, otherwise the system folder."`
	TrustedProxies []string `env:"CONSOLE_TRUSTED_PROXIES" help:"Address ranges, such as 10.0.0.0/8, of the proxies whose X-Forwarded-For is believed."`
	CheckpointFile string   `env:"CONSOLE_CHECKPOINT_FILE" default:"data/console.checkpoints" help:"File that log checkpoints are appended to. At start, the database must not be older than the last one. Keep the file on another disk, or collect it. Empty for none."`
	CheckpointHook string   `name:"checkpoint-webhook" env:"CONSOLE_CHECKPOINT_WEBHOOK" help:"An address, such as https://notary.example/tagsweep, that each checkpoint is posted to."`
	CheckpointLog  string   `name:"checkpoint-syslog" env:"CONSOLE_CHECKPOINT_SYSLOG" help:"A syslog server that each checkpoint is sent to, such as udp://127.0.0.1:514."`
	SessionIdle    string   `env:"CONSOLE_SESSION_IDLE" default:"12h" help:"People must sign in again this long after their last request, from 5m to 24h."`
	SessionLife    string   `env:"CONSOLE_SESSION_LIFE" default:"24h" help:"People must sign in again this long after they signed in, from 5m to 24h."`
	SecureCookies  bool     `env:"CONSOLE_SECURE_COOKIES" help:"Send cookies over HTTPS only. Turn it on if the console is used through HTTPS."`
}

func (c *serveCommand) Run(ctx context.Context, s *streams) error {
	console, err := c.open(ctx, s)
	if err != nil {
		return err
	}
	defer console.close()
	fmt.Fprintf(s.out, "Tagsweep listens on http://%s\n", console.listener.Addr())
	return console.run(ctx)
}

// console is the running program of serve and demo.
type console struct {
	*components
	release  func()
	client   *tim.Client
	witness  *audit.Witness
	engine   *engine.Engine
	importer *jobs.Importer
	logTasks *logTasks
	web      *web.Server
	listener net.Listener
	logger   *slog.Logger
}

// open checks all settings before anything runs.
func (c *serveCommand) open(ctx context.Context, s *streams) (_ *console, err error) {
	app, client, err := c.app.read()
	proxies, wrong := ranges(c.TrustedProxies)
	folder, unusable := tempFolder(c.TempFolder)
	idle, wrongIdle := sessionTime("CONSOLE_SESSION_IDLE", c.SessionIdle)
	life, wrongLife := sessionTime("CONSOLE_SESSION_LIFE", c.SessionLife)
	if err = errors.Join(err, wrong, unusable, wrongIdle, wrongLife); err != nil {
		return nil, err
	}
	keys, err := readKeys(c.KeyFile)
	if err != nil {
		return nil, err
	}
	con := &console{client: client, logger: s.log}
	defer func() {
		if err != nil {
			con.close()
		}
	}()
	if con.listener, err = listen(c.Listen); err != nil {
		return nil, err
	}
	witness := cmp.Or(c.WitnessFile, c.KeyFile+".witness")
	if con.witness, err = audit.OpenWitness(witness, keys.log); err != nil {
		return nil, err
	}
	warnTogether(c.Database, witness, s.log)
	if con.components, err = openComponents(ctx, c.Database); err != nil {
		return nil, err
	}
	con.audit.UseKey(keys.entries)
	con.snapshots.UseKey(keys.snapshots)
	own, err := con.snapshots.IsOwnKey(ctx)
	switch {
	case err != nil:
		return nil, err
	case !own && !c.NewKey:
		return nil, faultOtherKeyFile.With(c.KeyFile)
	case !own:
		s.log.Warn("the key file is another one: tags that were kept with the last cannot be read", "key_file", c.KeyFile)
	}
	if con.release, err = con.db.ExclusiveLock(ctx); err != nil {
		return nil, err
	}
	if err = clean(ctx, con.components, s.log); err != nil {
		return nil, err
	}
	con.jobs.Serve(app.ID)
	con.jobs.UseTempDir(folder)
	if err = warnStranded(ctx, con.jobs, s.log); err != nil {
		return nil, err
	}
	users, err := con.users.List(ctx)
	if err != nil {
		return nil, err
	}
	if len(users) == 0 {
		s.log.Warn("there is no user yet; make one with: console user add NAME --role admin")
	}
	if con.logTasks, err = c.openLogTasks(ctx, con.components, con.witness, s.log); err != nil {
		return nil, err
	}
	if err = con.jobs.SaveApp(ctx, app); err != nil {
		return nil, err
	}
	con.engine = engine.New(engine.Config{App: app, Client: client, Store: con.db, Jobs: con.jobs, Audit: con.audit,
		Snapshots: con.snapshots, Log: s.log, Witness: sendsWitness{con.witness, con.logTasks.origin, time.Now()}})
	con.logTasks.sends = con.engine.Sends
	limits := heavy.New()
	con.importer = &jobs.Importer{Jobs: con.jobs, TempDir: folder, Log: s.log, Heavy: limits}
	con.web, err = web.New(
		web.Config{
			DB:             con.db,
			Audit:          con.audit,
			Users:          con.users,
			Jobs:           con.jobs,
			Evidence:       con.evidence,
			Heavy:          limits,
			App:            app,
			Trouble:        con.engine.Trouble,
			ReadTags:       con.engine.ReadTags,
			Verify:         con.logTasks.verify,
			CookieKey:      keys.cookies,
			Log:            s.log,
			Version:        version,
			UploadLimit:    c.UploadLimit,
			TempDir:        folder,
			SecureCookies:  c.SecureCookies,
			SessionIdle:    idle,
			SessionLife:    life,
			TrustedProxies: proxies,
		},
	)
	return con, err
}

// warnStranded says which jobs nobody makes calls for, because the app of this console was changed.
func warnStranded(ctx context.Context, j *jobs.Jobs, log *slog.Logger) error {
	stranded, err := j.Stranded(ctx)
	for _, each := range stranded {
		app, unknown := j.App(ctx, each.AppID)
		err = errors.Join(err, unknown)
		log.Warn("jobs of another app are open and no console serves it: start one for that app, or cancel them",
			"app", app.Name, "environment", app.Environment, "sdkappid", app.SDKAppID, "jobs", each.Jobs)
	}
	return err
}

// clean ends what an earlier console left unfinished. If other consoles may be running,
// it only touches what is surely abandoned.
func clean(ctx context.Context, r *components, log *slog.Logger) error {
	before := time.Now()
	if r.db.Shared() {
		before = before.Add(-24 * time.Hour)
	} else if err := r.jobs.ReleaseImports(ctx); err != nil {
		return err
	}
	n, err := r.jobs.DiscardUploads(ctx, before)
	if n > 0 {
		log.Warn("uploads that were cut off by the end of the console are discarded; upload the files again", "files", n)
	}
	return err
}

// run serves and works until ctx ends, then stops in order: no new requests, no
// new calls, then the open calls answered and saved.
func (c *console) run(ctx context.Context) error {
	server := c.web.HTTP()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.engine.Run(ctx) })
	group.Go(func() error { return c.importer.Run(ctx) })
	group.Go(func() error { c.sweep(ctx); return nil })
	group.Go(func() error { c.logTasks.run(ctx); return nil })
	group.Go(func() error { c.web.Run(ctx); return nil })
	group.Go(func() error {
		if err := server.Serve(c.web.Listen(c.listener)); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		c.logger.Info("stopping: the calls in hand are finished and written down")
		c.web.Close()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			return server.Close()
		}
		return nil
	})
	err := group.Wait()
	c.logTasks.markLast(ctx)
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, c.web.Flush(within))
}

// sweepEvery is how often expired data is erased.
const sweepEvery = time.Minute

// sweep erases expired tags, entries and sessions until ctx ends. Errors are retried, and logged once until
// another one follows.
func (c *console) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for said := ""; ctx.Err() == nil; {
		switch err := c.sweepOnce(ctx); {
		case err == nil:
			said = ""
		case err.Error() != said && ctx.Err() == nil:
			said = err.Error()
			c.logger.Error("some expired data could not be erased; it will be tried again", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// sweepOnce erases nothing while the clock is not trusted: what is gone is gone.
func (c *console) sweepOnce(ctx context.Context) error {
	now, err := c.audit.TrustedTime(ctx)
	return errors.Join(err, c.jobs.Sweep(ctx, now), c.audit.Sweep(ctx, now), c.users.Sweep(ctx))
}

func (c *console) close() {
	if c.listener != nil {
		c.listener.Close()
	}
	if c.client != nil {
		c.client.Close()
	}
	if c.release != nil {
		c.release()
	}
	if c.witness != nil {
		c.witness.Close()
	}
	if c.components != nil {
		if err := c.db.Close(); err != nil {
			c.logger.Error("the database could not be closed", "err", err)
		}
	}
}
