package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/store"
	"tagsweep/internal/tim/timtest"
	"tagsweep/web"
)

var (
	faultDemoFolder = fault.Declare(fault.Conflict, "demo.folder",
		"The folder %s contains files that are not from an earlier demo. Nothing was changed. Choose another "+
			"folder with --data.")
	faultDemoRuns = fault.Declare(fault.Conflict, "demo.runs",
		"A demo is still running in the folder %s. Nothing was changed. Stop it first, or choose another folder "+
			"with --data.")
	faultDemoWrong = fault.Declare(fault.Conflict, "demo.disagree",
		"The console and the simulator disagree in %d places, listed above. The data was kept in %s.")
)

type demoCommand struct {
	Data     string `default:"data/demo" help:"Folder of the demo. An earlier demo in it is removed first."`
	Listen   string `env:"CONSOLE_LISTEN" default:"127.0.0.1:8080" help:"Address to listen on."`
	Accounts int    `default:"25000" help:"Accounts of the sample job."`
	Rate     int    `default:"0" help:"Calls per second; 0 means 97 with --once, otherwise 5, which is slow enough to watch."`
	Once     bool   `help:"Run the sample job without the web console, compare its results with the simulator, exit 0 only if they agree."`
	simulation
}

// demoFaults are the default faults of a demo: enough of each kind to show accounts in
// doubt.
const demoFaults = "server_error=0.02,timeout=0.01,bad_gateway=0.01,reset_before=0.01,reset_after=0.01,half_answer=0.005"

func (c *demoCommand) Run(ctx context.Context, s *streams) error {
	if c.FaultShares == "" {
		c.FaultShares = demoFaults
	}
	if c.Rate == 0 {
		c.Rate = map[bool]int{true: 97, false: 5}[c.Once]
	}
	if err := c.prepareFolder(ctx); err != nil {
		return err
	}
	config, err := c.config(sampleSDKAppID, sampleKey, "administrator")
	if err != nil {
		return err
	}
	simulator, base, err := startSimulator(config, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer simulator.Close()

	logFile, err := os.Create(filepath.Join(c.Data, "console.log"))
	if err != nil {
		return err
	}
	defer logFile.Close()
	quiet := *s
	quiet.log = slog.New(slog.NewTextHandler(logFile, nil))
	serve := &serveCommand{
		database: database{filepath.Join(c.Data, "console.db")},
		app: app{Name: "Demo chat", Environment: "simulator", SDKAppID: strconv.Itoa(sampleSDKAppID), SecretKey: sampleKey,
			Identifier: "administrator", Domain: base, Family: "all_member_push", Rate: strconv.Itoa(c.Rate)},
		Listen: c.Listen, KeyFile: filepath.Join(c.Data, "console.key"),
		CheckpointFile: filepath.Join(c.Data, "console.checkpoints"), UploadLimit: web.DefaultUploadLimit,
	}
	if c.Once {
		serve.Listen = "127.0.0.1:0"
	}
	console, err := serve.open(ctx, &quiet)
	if err != nil {
		return err
	}
	defer console.close()
	passwords := &strings.Builder{}
	operator, err := demoUsers(ctx, console.components, passwords)
	if err != nil {
		return err
	}
	job, err := c.sampleJob(ctx, console, operator)
	if err != nil {
		return err
	}
	if c.Once {
		return c.once(ctx, s, console, base, job)
	}
	fmt.Fprintln(s.out, passwords)
	return c.show(ctx, s, console, base, job)
}

const demoMarker = ".tagsweep-demo"

// prepareFolder makes an empty folder; it removes nothing but an earlier demo.
func (c *demoCommand) prepareFolder(ctx context.Context) error {
	entries, err := os.ReadDir(c.Data)
	if err != nil && !os.IsNotExist(err) {
		return faultDemoFolder.Because(err, c.Data)
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(c.Data, demoMarker)); err != nil {
			return faultDemoFolder.Because(err, c.Data)
		}
		if err := demoEnded(ctx, c.Data); err != nil {
			return err
		}
		if err := os.RemoveAll(c.Data); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.Data, demoMarker), nil, 0o600)
}

// demoEnded checks that no console uses the database of an earlier demo.
func demoEnded(ctx context.Context, folder string) error {
	path := filepath.Join(folder, "console.db")
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	earlier, err := store.Open(ctx, path)
	if err != nil {
		return nil // of another version, or broken: it is replaced anyway
	}
	defer earlier.Close()
	release, err := earlier.ExclusiveLock(ctx)
	if err != nil {
		return faultDemoRuns.Because(err, folder)
	}
	release()
	return nil
}

// sampleJob uploads and starts a job, as an operator would, and leaves another
// file in the folder to try the upload with.
func (c *demoCommand) sampleJob(ctx context.Context, con *console, by audit.Actor) (jobs.Job, error) {
	if err := os.WriteFile(filepath.Join(c.Data, "sample.csv"), []byte(sampleFile(5_000, "campaign")), 0o600); err != nil {
		return jobs.Job{}, err
	}
	churned := sampleFile(c.Accounts, "churned")
	job, err := con.jobs.Create(
		ctx,
		by,
		jobs.Upload{AppID: con.engine.App.ID, Kind: jobs.Clear, Note: "Accounts without a visit for two years",
			FileName: "churned-users.csv", AccountBytes: con.engine.App.AccountBytes(),
			File: io.NewSectionReader(strings.NewReader(churned), 0, int64(len(churned)))},
	)
	if err == nil {
		_, err = con.importer.Next(ctx, 0)
	}
	if err == nil {
		job, err = con.jobs.Get(ctx, job.ID)
	}
	if err != nil {
		return job, err
	}
	return con.jobs.Start(ctx, by, job.ID, jobs.StartRequest{Confirm: job.Accounts, Reading: job.Reading})
}

// sampleFile is a file as support staff have them: accounts with two columns of
// their own, and a few rows with errors.
func sampleFile(accounts int, prefix string) string {
	var file strings.Builder
	file.WriteString("user_id,city,last_visit\r\n")
	cities := []string{"Shenzhen", "Chengdu", "Hangzhou", "Xi'an", "\"Singapore, SG\""}
	for i := range accounts {
		fmt.Fprintf(&file, "%s_%06d,%s,2024-%02d-%02d\r\n", prefix, i+1, cities[i%len(cities)], i%12+1, i%28+1)
		switch i {
		case accounts / 10:
			file.WriteString(",Beijing,2024-03-01\r\n")
		case accounts / 5:
			fmt.Fprintf(&file, "%s_%s,Beijing,2024-03-01\r\n", prefix, strings.Repeat("x", 40))
		case accounts / 3:
			fmt.Fprintf(&file, "%s_000001,Beijing,2024-03-01\r\n", prefix)
		case accounts / 2:
			file.WriteString("8.6139E+12,Beijing,2024-03-01\r\n")
		}
	}
	return file.String()
}

// once runs the job to its end and compares.
func (c *demoCommand) once(ctx context.Context, s *streams, con *console, base string, job jobs.Job) error {
	fmt.Fprintf(s.out, "Job %s: %d rows, %d rejected, %d repeated, %d accounts in %d batches\n", job.ID, job.Rows,
		job.Rejected, job.Duplicate, job.Accounts, job.Batches)
	started := time.Now()
	running, stop := context.WithCancel(ctx)
	defer stop()
	group, running := errgroup.WithContext(running)
	group.Go(func() error { return con.engine.Run(running) })
	group.Go(func() (err error) {
		defer stop()
		job, err = awaitEnd(running, con.jobs, job.ID)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	took := time.Since(started)
	found, err := timtest.Compare(ctx, con.jobs, timtest.NewControl(base), job.ID)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, o := range jobs.Outcomes {
		if job.Counts[o] == 0 {
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t\n", strings.ReplaceAll(string(o), "_", " "), job.Counts[o])
	}
	fmt.Fprintf(table, "sum\t%d\t\n", job.Counts.Sum())
	table.Flush()
	fmt.Fprintf(s.out,
		"The job is %s after %s. The console sent %d calls; %d had no answer and were settled by reading the tags "+
			"again.\n", job.State, took.Round(100*time.Millisecond), job.Calls, found.Lost)
	fmt.Fprintf(s.out, "The simulator saw %d of them, at most %d accounts in one and %d of a command in any second.\n",
		found.Calls, found.Largest, found.MaxInAnySecond)
	wrong := found.Wrong
	if job.State != jobs.Finished {
		wrong = append(wrong, fmt.Sprintf("the job did not finish: it is %s (%d %s)", job.State, job.HaltCode, job.HaltInfo))
	}
	for _, place := range wrong {
		fmt.Fprintln(s.out, "WRONG:", place)
	}
	if len(wrong) > 0 {
		return faultDemoWrong.With(len(wrong), c.Data)
	}
	fmt.Fprintf(s.out, "They agree on all %d accounts.\n", found.Accounts)
	if job.Snapshot {
		fmt.Fprintf(s.out, "The tags of the %d cleared accounts were kept, so that they can be put back.\n", job.Counts[jobs.Cleared])
	}
	return nil
}

// awaitEnd returns the job once nothing about it can change, or a person must act.
func awaitEnd(ctx context.Context, all *jobs.Jobs, id string) (job jobs.Job, err error) {
	err = awaited(ctx, func() (bool, error) {
		job, err = all.Get(ctx, id)
		return job.Settled() || job.State == jobs.Halted, err
	})
	return job, err
}

// awaited asks ten times a second until something is so.
func awaited(ctx context.Context, so func() (bool, error)) error {
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		if is, err := so(); is || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// demoUsers makes a user for each role, prints them, and returns the operator.
func demoUsers(ctx context.Context, r *components, out io.Writer) (operator audit.Actor, err error) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "USER\tROLE\tPASSWORD")
	for _, u := range []struct {
		name string
		role auth.Role
	}{{"olga", auth.Operator}, {"adam", auth.Admin}, {"aida", auth.Auditor}} {
		password := strings.ToLower(rand.Text()[:12])
		hash, err := auth.HashPassword(u.name, password)
		if err != nil {
			return operator, err
		}
		user, err := r.users.Create(ctx, commandLine(), u.name, u.role, hash)
		if err != nil {
			return operator, err
		}
		if u.role == auth.Operator {
			operator = audit.Actor{ID: user.ID, Name: user.Name, Role: string(user.Role), SignedIn: audit.ByCommandLine}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", u.name, u.role, password)
	}
	return operator, table.Flush()
}

// show serves the console while the job runs.
func (c *demoCommand) show(ctx context.Context, s *streams, con *console, base string, job jobs.Job) error {
	address := "http://" + con.listener.Addr().String()
	fmt.Fprintf(s.out, "A job of %d accounts is running: %s/jobs/%s\n", job.Accounts, address, job.ID)
	if job.Snapshot {
		fmt.Fprintln(s.out, "The removed tags are saved. When the job has ended, its page has a button to restore them.")
	}
	fmt.Fprintf(s.out, "A file to upload: %s\n", filepath.Join(c.Data, "sample.csv"))
	fmt.Fprintf(s.out, "The simulator's ledger: %s/_simulator/ledger\n", base)
	fmt.Fprintf(s.out, "\nTagsweep listens on %s (Ctrl+C ends it)\n", address)
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return con.run(running) })
	group.Go(func() error { openBrowser(running, address); return nil })
	return group.Wait()
}

// openBrowser shows the console where there is a desktop to show it on.
func openBrowser(ctx context.Context, address string) {
	program := map[string]string{"darwin": "open", "linux": "xdg-open"}[runtime.GOOS]
	if program == "" || runtime.GOOS == "linux" && os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/healthz", nil)
	if err != nil {
		return
	}
	if answer, err := http.DefaultClient.Do(request); err == nil {
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		exec.CommandContext(ctx, program, address).Run() // the address is printed too
	}
}
