package storetest

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Main runs a package's tests, removes the cluster they used, and ends what else there is; call it
// from TestMain.
func Main(m *testing.M, also ...func()) {
	code := m.Run()
	for _, end := range also {
		end()
	}
	if shared.cluster != nil {
		shared.cluster.remove()
	}
	os.Exit(code)
}

var shared struct {
	sync.Once
	cluster *Cluster
	err     error
}

// PostgresURL returns the address of a new database in the cluster that all tests
// of a process share. It has its tables already.
func PostgresURL(t testing.TB) string {
	t.Helper()
	return theCluster(t).database(t, " TEMPLATE tables")
}

// PostgresCopy returns the address of a copy of a database of that cluster that nobody has open.
func PostgresCopy(t testing.TB, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	require.NoError(t, err)
	return theCluster(t).database(t, " TEMPLATE "+strings.TrimPrefix(u.Path, "/"))
}

// EmptyPostgresURL returns the address of a new database in that cluster that
// nobody has opened yet.
func EmptyPostgresURL(t testing.TB) string {
	t.Helper()
	return theCluster(t).Database(t)
}

func theCluster(t testing.TB) *Cluster {
	t.Helper()
	shared.Do(func() {
		if shared.cluster, shared.err = newCluster(nil); shared.err == nil {
			shared.err = shared.cluster.makeTemplate()
		}
	})
	require.NoError(t, shared.err, "PostgreSQL could not be started; `make setup` installs it")
	return shared.cluster
}

// makeTemplate makes the tables once; every test gets a copy.
func (c *Cluster) makeTemplate() error {
	if err := c.execute("CREATE DATABASE tables"); err != nil {
		return err
	}
	return migrate(c.address() + "/tables?sslmode=disable")
}

// Cluster is a PostgreSQL server of a test's own, which it may stop and start.
type Cluster struct {
	bin, dir string
	settings []string
	port     int
	owner    *syscall.SysProcAttr
	server   *exec.Cmd // nil while it is stopped
	made     atomic.Int64
}

// NewCluster returns a running server that ends with the test. A setting such as
// "fsync=on" replaces ours.
func NewCluster(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c, err := newCluster(settings)
	require.NoError(t, err, "PostgreSQL could not be started; `make setup` installs it")
	t.Cleanup(c.remove)
	return c
}

// Database returns the address of a new, empty database.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	return c.database(t, "")
}

func (c *Cluster) database(t testing.TB, options string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", c.made.Add(1))
	require.NoError(t, c.execute("CREATE DATABASE "+name+options))
	return c.address() + "/" + name + "?sslmode=disable"
}

func (c *Cluster) execute(statement string) error {
	admin, err := sql.Open("pgx", c.address()+"/postgres?sslmode=disable")
	if err != nil {
		return err
	}
	defer admin.Close()
	_, err = admin.Exec(statement)
	return err
}

// Stop ends the server as a crash does: connections break, and what was
// committed is recovered at the next start.
func (c *Cluster) Stop() { c.end(syscall.SIGQUIT) }

// Start runs the server again, with its data and at its address.
func (c *Cluster) Start(t testing.TB) {
	t.Helper()
	require.NoError(t, c.start())
}

func (c *Cluster) address() string { return fmt.Sprintf("postgres://test@127.0.0.1:%d", c.port) }

func newCluster(settings []string) (c *Cluster, err error) {
	c = &Cluster{settings: settings}
	if c.bin, err = programs(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp("", "tagsweep-postgres-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.remove()
		}
	}()
	if c.owner, err = ownerOf(c.dir); err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(c.bin, "initdb"), "-D", c.data(), "-U", "test", "-A", "trust", "-E", "UTF8",
		"--locale=C", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = c.owner, c.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if c.port, err = freePort(); err != nil {
		return nil, err
	}
	return c, c.start()
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) start() error {
	words := []string{"-D", c.data(), "-k", c.dir, "-p", strconv.Itoa(c.port)}
	settings := []string{"listen_addresses=127.0.0.1", "fsync=off", "max_connections=200", "log_min_messages=fatal"}
	for _, setting := range append(settings, c.settings...) {
		words = append(words, "-c", setting)
	}
	c.server = exec.Command(filepath.Join(c.bin, "postgres"), words...)
	c.server.SysProcAttr, c.server.Dir = c.owner, c.dir
	if err := c.server.Start(); err != nil {
		c.server = nil
		return err
	}
	if err := accepts(c.address()); err != nil {
		c.end(syscall.SIGINT)
		return err
	}
	return nil
}

func (c *Cluster) end(signal os.Signal) {
	if c.server == nil {
		return
	}
	c.server.Process.Signal(signal)
	c.server.Wait()
	c.server = nil
}

func (c *Cluster) remove() {
	c.end(syscall.SIGINT)
	os.RemoveAll(c.dir)
}

// programs returns the folder of the newest PostgreSQL installed.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", fmt.Errorf("no initdb in PATH or under /usr/lib/postgresql")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(version(a), version(b)) })), nil
}

// ownerOf makes dir belong to a user PostgreSQL agrees to run as: it refuses root.
func ownerOf(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(attr)
	if os.Geteuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(dir, uid, gid)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func accepts(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := sql.Open("pgx", address+"/postgres?sslmode=disable&connect_timeout=5")
	if err != nil {
		return err
	}
	defer db.Close()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres did not answer within a minute: %w", err)
		case <-tick.C:
		}
	}
}
