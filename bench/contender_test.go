package bench

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // registers "sqlite"

	"tagsweep/internal/store/storetest"
	"tagsweep/internal/tim"
	"tagsweep/internal/tim/timtest"
)

// load is work for one contender: batches of 100 accounts that wait in a
// database for one call each.
type load struct {
	Contender string
	Database  string
	Simulator string
	Accounts  int
	Drain     bool // else the database is prepared
}

// contender is a way to get the work done. Preparing and draining are processes
// of their own, so that processor time and memory are those of draining alone.
type contender struct {
	prepare func(load) error
	drain   func(load) error
}

var contenders = map[string]contender{
	"tagsweep":  {prepareOurs, drainOurs},
	keepingTags: {prepareOurs, drainOurs},
	"river":     {prepareRiver, drainRiver},
	"goqite":    {prepareGoqite, drainGoqite},
	"no store":  {func(load) error { return nil }, drainNothing},
}

// spent is what draining cost.
type spent struct {
	Seconds, CPU float64
	PeakMiB      float64
}

func (s spent) batches(accounts int) float64 { return float64(accounts) / batchSize / s.Seconds }

const (
	batchSize = 100
	asChild   = "TAGSWEEP_BENCH_LOAD"
	sdkAppID  = 1400000000
	secretKey = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e" // Tencent's own example
)

func TestMain(m *testing.M) {
	if text := os.Getenv(asChild); text != "" {
		if err := work(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	storetest.Main(m)
}

// work is what a child does.
func work(text string) error {
	var l load
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return err
	}
	c := contenders[l.Contender]
	if !l.Drain {
		return c.prepare(l)
	}
	began, before := time.Now(), processorTime()
	if err := c.drain(l); err != nil {
		return err
	}
	s := spent{Seconds: time.Since(began).Seconds(), CPU: processorTime() - before}
	var err error
	if s.PeakMiB, err = peakMiB(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(s)
}

func processorTime() float64 {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

func peakMiB() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	return float64(kib) / 1024, err
}

// run lets a contender prepare its database and drain it, and makes sure that
// every account was sent once.
func run(b *testing.B, contender, database string, accounts int) spent {
	b.Helper()
	service, err := timtest.New(timtest.Config{SDKAppID: sdkAppID, SecretKey: secretKey, Identifier: "administrator", Seed: 1,
		UnknownShare: 0.002, RateLimit: -1, SumsOnly: true})
	require.NoError(b, err)
	base, err := service.Start("127.0.0.1:0")
	require.NoError(b, err)
	defer func() { require.NoError(b, service.Close()) }()
	l := load{Contender: contender, Database: database, Simulator: base, Accounts: accounts}
	child(b, l)
	l.Drain = true
	var s spent
	require.NoError(b, json.Unmarshal(child(b, l), &s))
	every := tim.RemoveAllTags
	if contender == keepingTags {
		every = tim.GetTags // some accounts are not known to the service, which shows when they are read
	}
	require.GreaterOrEqual(b, service.Stats().Commands[every].Accounts, int64(accounts))
	sum := service.Stats().Commands[tim.RemoveAllTags]
	require.Equal(b, sum.Calls, sum.Applied)
	return s
}

func child(b *testing.B, l load) []byte {
	b.Helper()
	text, err := json.Marshal(l)
	require.NoError(b, err)
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), asChild+"="+string(text))
	command.Stderr = os.Stderr
	out, err := command.Output()
	require.NoError(b, err, "%s", out)
	return out
}

func newClient(l load, conns int) (*tim.Client, error) {
	return tim.New(tim.Config{SDKAppID: sdkAppID, SecretKey: secretKey, Identifier: "administrator", Domain: l.Simulator,
		Family: tim.AllMemberPush, MaxConns: conns})
}

// inFlight is how many calls the other queues make at once. With more or fewer they were slower.
const inFlight = 32

// batch is what the others keep of the work: a number and its accounts.
type batch struct {
	Number   int      `json:"number"`
	Accounts []string `json:"accounts"`
}

func (batch) Kind() string { return "batch" } // River asks for it

// batches yields the work.
func batches(accounts int) func(yield func(batch) bool) {
	return func(yield func(batch) bool) {
		for number := range accounts / batchSize {
			b := batch{Number: number}
			for i := range batchSize {
				b.Accounts = append(b.Accounts, fmt.Sprintf("member_%08d", number*batchSize+i))
			}
			if !yield(b) {
				return
			}
		}
	}
}

// openSQLite opens a database as durable as ours, with one connection, which
// both River and goqite ask for.
func openSQLite(path string) (*sql.DB, error) {
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)", "foreign_keys(1)"},
		"_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+path+"?"+pragmas.Encode())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// outcomes is where the others write the result of a batch: its code, and the
// accounts that were refused.
const outcomes = `CREATE TABLE outcomes (batch INTEGER PRIMARY KEY, code INTEGER NOT NULL, refused TEXT NOT NULL)`

func remove(ctx context.Context, client *tim.Client, b batch) (code int, refused string, err error) {
	answer := client.RemoveAllTags(ctx, uint32(b.Number), b.Accounts)
	if !answer.OK() {
		return 0, "", fmt.Errorf("batch %d: %w", b.Number, answer.Err)
	}
	text, err := json.Marshal(answer.AccountErrors)
	return answer.Code, string(text), err
}

const writeOutcome = `INSERT INTO outcomes (batch, code, refused) VALUES (?, ?, ?)`
