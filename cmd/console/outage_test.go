package main

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs"
	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim/timtest"
)

// outage is a console that works on a job while something it needs fails.
type outage struct {
	*testing.T
	simulator *timtest.Service
	base      string
	program   *program
	operator  *apiClient
	job       string
}

// beginOutage starts a job of n accounts and lets some calls be made.
func beginOutage(t *testing.T, database string, n int) *outage {
	simulator, base := simulate(t, func(c *timtest.Config) {
		c.Faults.Shares = map[timtest.Fault]float64{timtest.ServerError: 0.01, timtest.ResetAfter: 0.01, timtest.ResetBefore: 0.01}
	})
	o := &outage{T: t, simulator: simulator, base: base, program: newProgram(t, base, database)}
	o.program.start()
	o.operator = o.program.signIn("olga")
	o.job = o.operator.draft(accountFile(n))
	until(t, "the file is read", func() bool { return o.operator.job(o.job).State == "draft" })
	o.operator.start(o.job)
	o.goesOn()
	return o
}

func (o *outage) calls() int64 { return o.simulator.Stats().Calls }

// health is what /healthz says.
type health struct {
	status  int // 0: nobody answers
	Sending string
	Since   time.Time
}

func (h health) held() bool { return h.status == 503 && h.Sending == "held" }

func (o *outage) health() (h health) {
	answer, err := http.Get(o.program.address + "/healthz")
	if err != nil {
		return h
	}
	defer answer.Body.Close()
	h.status = answer.StatusCode
	body, err := io.ReadAll(answer.Body)
	if err == nil {
		err = json.Unmarshal(body, &h)
	}
	require.NoError(o, err, "%s", body)
	return h
}

// onTheirWay is the most calls that may still arrive after the console has stopped.
const onTheirWay = 64

// holds waits until the console says for two seconds that it makes no calls, and
// wants it to be true: for as long, none arrives. Calls that left before may arrive
// late on a busy machine. The console may say in between that all is well, for a
// full disk may have room for a little more.
func (o *outage) holds() {
	o.Helper()
	var said health
	var first, before int64
	var began time.Time
	until(o, "/healthz says for two seconds that calls are held", func() bool {
		now := o.health()
		switch stats := o.simulator.Stats(); {
		case !now.held() || stats.Open > 0:
			said = health{}
		case now != said:
			said, first, before, began = now, stats.Calls, stats.Calls, time.Now()
		case stats.Calls != before:
			require.LessOrEqual(o, stats.Calls-first, int64(onTheirWay), "no call is made that could not be written down")
			before, began = stats.Calls, time.Now()
		}
		return said.held() && time.Since(began) > 2*time.Second
	})
}

// goesOn waits until calls are made, and the console says that all is well.
func (o *outage) goesOn() {
	o.Helper()
	before := o.calls()
	until(o, "calls are made, or none is left to make", func() bool { return o.calls() >= before+10 || o.operator.ended(o.job) })
	until(o, "/healthz says that all is well", func() bool { return o.health().status == 200 })
}

// ends waits for the end of the job and compares every account with the simulator.
func (o *outage) ends() {
	o.Helper()
	until(o, "the job is finished", func() bool { return o.operator.ended(o.job) })
	require.NoError(o, o.program.stop(syscall.SIGTERM))
	out, err := o.program.command("", "verify")
	require.NoError(o, err, out)
	found := requireMatch(o, o.program.database, o.base, o.job)
	require.Zero(o, found.OtherCalls, "calls whose intent no ledger holds")
	o.Logf("%d accounts agree, %d calls, %d without an answer, %d accounts were in doubt", found.Accounts, found.Calls,
		found.Lost, found.InDoubt)
}

func TestOutageOfDiskSpaceLosesNothing(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64m"),
		"no small disk could be mounted to fill up: the tests must run as root, in a container with the capability SYS_ADMIN")
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	o := beginOutage(t, filepath.Join(disk, "console.db"), sized(80_000, 120_000)) // lasts longer than all rounds, on a busy machine too
	ballast := filepath.Join(disk, "ballast")
	for round := range sized(2, 3) {
		// The log of earlier transactions is room to write in: it is given back first.
		until(t, "no reader keeps the log from being cut off", func() bool { return cutLog(t, o.program.database) })
		fillDisk(t, ballast)
		o.holds()
		if round == 1 { // it ends, and nobody can start it while the disk is full
			require.Error(t, o.program.stop(syscall.SIGKILL))
			o.program.launch()
			if o.program.listens() {
				o.holds()
			} else {
				require.Error(t, o.program.process.Wait())
				require.Contains(t, o.program.logged(), "Nothing was changed")
			}
			require.NoError(t, os.Remove(ballast))
			if o.program.address == "" {
				o.program.start()
			}
		} else {
			require.NoError(t, os.Remove(ballast))
		}
		o.goesOn()
	}
	o.ends()
}

// cutLog moves what stands in SQLite's log into the database and ends the log,
// unless somebody reads it at this moment.
func cutLog(t *testing.T, database string) bool {
	db, err := sql.Open("sqlite", database)
	require.NoError(t, err)
	defer db.Close()
	var busy, inLog, moved int
	require.NoError(t, db.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &inLog, &moved))
	return busy == 0
}

// fillDisk writes a file until not one byte more fits on its disk.
func fillDisk(t *testing.T, path string) {
	file, err := os.Create(path)
	require.NoError(t, err)
	defer file.Close()
	for size := 1 << 20; size > 0; {
		if _, err := file.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 16
		} else {
			require.NoError(t, err)
		}
	}
}

// The real program is traced by strace, which lets writes and syncs of its
// database fail as a dying disk does, and then well again.
func TestOutageByDiskErrorsLosesNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		inject string
		always bool
		proof  bool // by make prove alone
	}{
		"every sync":            {"fsync,fdatasync:error=EIO", true, false},
		"every write":           {"write,pwrite64:error=EIO", true, true},
		"now and then a sync":   {"fsync,fdatasync:error=EIO:when=3+4", false, true},
		"now and then a write":  {"write,pwrite64:error=EIO:when=10+15", false, false},
		"now and then no space": {"write,pwrite64:error=ENOSPC:when=10+15", false, true},
	} {
		if test.proof && !proving {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := beginOutage(t, storetest.SQLiteFile(t), 40_000)
			for round := range 2 {
				disk := o.breakDisk(test.inject)
				if test.always {
					o.holds()
				} else {
					until(t, "some writes have failed", func() bool { return disk.failures() > 20 })
				}
				if round == 1 { // what the disk has taken of the last transactions is all there is
					require.Error(t, o.program.stop(syscall.SIGKILL))
				}
				disk.fix()
				t.Logf("%d writes or syncs failed", disk.failures())
				if round == 1 {
					o.program.start()
				}
				o.goesOn()
			}
			o.ends()
		})
	}
}

// badDisk is a strace that lets calls to the disk fail.
type badDisk struct {
	t     *testing.T
	trace *exec.Cmd
	log   string
}

func (o *outage) breakDisk(inject string) *badDisk {
	d := &badDisk{o.T, nil, filepath.Join(o.TempDir(), "strace.log")}
	database := o.program.database
	calls, _, _ := strings.Cut(inject, ":")
	d.trace = exec.Command("strace", "-f", "-o", d.log, "-p", strconv.Itoa(o.program.process.Process.Pid),
		"-P", database, "-P", database+"-wal", "-e", "trace="+calls, "-e", "inject="+inject)
	said, err := d.trace.StderrPipe()
	require.NoError(o, err)
	require.NoError(o, d.trace.Start(), "`make setup` installs strace")
	o.Cleanup(d.fix)
	lines := bufio.NewReader(said)
	line, err := lines.ReadString('\n')
	require.NoError(o, err)
	require.Contains(o, line, "attached", "strace may not trace here: the tests need the capability SYS_PTRACE")
	go io.Copy(io.Discard, lines)
	return d
}

func (d *badDisk) failures() int {
	log, err := os.ReadFile(d.log)
	require.NoError(d.t, err)
	return bytes.Count(log, []byte("(INJECTED)"))
}

// fix lets the disk work again; a console that lives continues untraced.
func (d *badDisk) fix() {
	if d.trace != nil {
		d.trace.Process.Signal(syscall.SIGTERM)
		d.trace.Wait() // says that a signal ended it
		d.trace = nil
	}
}

// lockDatabase holds a SQLite file as another program would, until release.
func lockDatabase(t *testing.T, path, mode string) (release func()) {
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	holder, err := db.Conn(t.Context())
	require.NoError(t, err)
	_, err = holder.ExecContext(t.Context(), "BEGIN "+mode)
	require.NoError(t, err)
	return func() {
		_, err := holder.ExecContext(t.Context(), "ROLLBACK")
		require.NoError(t, errors.Join(err, holder.Close(), db.Close()))
	}
}

func TestOutageByLockedDatabaseStopsCalls(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"IMMEDIATE", "EXCLUSIVE"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			o := beginOutage(t, storetest.SQLiteFile(t), 40_000)
			release := lockDatabase(t, o.program.database, mode)
			o.holds()
			release()
			o.goesOn()
			o.ends()
		})
	}
}

func TestOutageOfDatabaseStopsCalls(t *testing.T) {
	t.Parallel()
	cluster := storetest.NewCluster(t)
	o := beginOutage(t, cluster.Database(t), sized(30_000, 60_000))
	for range sized(2, 3) {
		cluster.Stop()
		o.holds()
		cluster.Start(t)
		o.goesOn()
	}
	o.ends()
}

func TestOutageOfServiceIsProbed(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		o := beginOutage(t, database, sized(15_000, 30_000))
		require.NoError(t, o.simulator.Stop())
		o.halts(jobs.CodeDown, jobs.CodeLostAnswers) // the latter when ten calls were on their way
		_, err := o.simulator.Start(strings.TrimPrefix(o.base, "http://"))
		require.NoError(t, err)
		probeNow(t, database)
		o.goesOn()
		o.ends()
	})
}

func TestOutageByLostAnswersIsProbed(t *testing.T) {
	t.Parallel()
	for _, lost := range []timtest.Fault{timtest.ResetAfter, timtest.BadGatewayAfter} {
		t.Run(string(lost), func(t *testing.T) {
			t.Parallel()
			o := beginOutage(t, storetest.SQLiteFile(t), sized(15_000, 30_000))
			require.NoError(t, o.simulator.SetFaults(timtest.Faults{Shares: map[timtest.Fault]float64{lost: 1}}))
			before := o.calls()
			o.halts(jobs.CodeLostAnswers, jobs.CodeDown)
			require.Less(t, o.calls()-before, int64(100), "a service that loses answers is not asked again and again")
			require.NoError(t, o.simulator.SetFaults(timtest.Faults{}))
			probeNow(t, o.program.database)
			o.goesOn()
			o.ends()
		})
	}
}

// halts waits until the job stands still for one of the codes, by itself.
func (o *outage) halts(codes ...int) {
	o.Helper()
	var j jobJSON
	until(o, "the job halts", func() bool { j = o.operator.job(o.job); return j.State == "halted" })
	require.Contains(o, codes, j.Halt.Code)
}

// A console that is started before the service is up does the same.
func TestOutageAtStartIsWaitedOut(t *testing.T) {
	t.Parallel()
	simulator, base := simulate(t, nil)
	p := newProgram(t, base, storetest.SQLiteFile(t))
	require.NoError(t, simulator.Stop())
	p.start()
	o := &outage{T: t, simulator: simulator, base: base, program: p, operator: p.signIn("olga")}
	o.job = o.operator.draft(accountFile(5_000))
	until(t, "the file is read", func() bool { return o.operator.job(o.job).State == "draft" })
	o.operator.start(o.job)
	o.halts(jobs.CodeDown)
	require.Zero(t, o.calls())
	_, err := simulator.Start(strings.TrimPrefix(base, "http://"))
	require.NoError(t, err)
	o.goesOn()
	o.ends()
}
