package evidence_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
)

// databaseFile is a database in one file with what an auditor is shown of it.
type databaseFile struct {
	content        []byte
	job, seen      string
	published, key string
}

func newDatabaseFile(t testing.TB) databaseFile {
	path := filepath.Join(t.TempDir(), "x.db")
	l := newSealedLog(t, path)
	f := databaseFile{job: l.job, published: l.published, key: l.key}
	require.NoError(t, l.DB.Close())
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	f.content, err = os.ReadFile(path)
	require.NoError(t, err)
	shown, wrong := f.read(t, f.content)
	require.NoError(t, wrong)
	f.seen = shown
	return f
}

// read returns what an auditor is shown of a database, or what is wrong with it.
func (f databaseFile) read(t testing.TB, content []byte) (seen string, wrong error) {
	path := filepath.Join(t.TempDir(), "x.db")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	db, err := store.Open(ctx, path)
	if err != nil {
		return "", err
	}
	defer db.Close()
	s := jobstest.New(db)
	found, err := s.Evidence.Verify(ctx, audit.Proofs{Checkpoints: published(f.published), Key: f.key})
	if err != nil {
		return "", err
	}
	if len(found.Wrong) > 0 {
		return "", fmt.Errorf("%s", found.Wrong[0])
	}
	var shown bytes.Buffer
	for _, filter := range []audit.Filter{{}, {Code: audit.AccessDenied}, {Actor: "olga"}, {JobID: f.job},
		{Result: audit.Failed}, {Words: "users"}} {
		filter.Limit = 100
		entries, err := s.Audit.Entries(ctx, filter)
		require.NoError(t, err)
		fmt.Fprintf(&shown, "%+v\n", entries)
	}
	require.NoError(t, s.Evidence.WriteRows(ctx, &shown, f.job))
	require.NoError(t, s.Evidence.WriteCalls(ctx, &shown, f.job))
	j, err := s.Get(ctx, f.job)
	require.NoError(t, err)
	fmt.Fprintf(&shown, "%s %s %s %d %d %v\n", j.Kind, j.State, j.FileSHA256, j.Rows, j.Accounts, j.Counts)
	return shown.String(), nil
}

// requireFound changes one byte of the file: either verify says that something is
// wrong, or everything that an auditor is shown is as before.
func (f databaseFile) requireFound(t testing.TB, at int, flip byte) (found bool) {
	t.Helper()
	changed := bytes.Clone(f.content)
	changed[at] ^= flip
	seen, wrong := f.read(t, changed)
	if wrong == nil && seen != f.seen {
		t.Errorf("byte %d, flipped by %#x, shows something else and is not found:\n%s", at, flip, firstDifference(f.seen, seen))
	}
	return wrong != nil
}

func firstDifference(a, b string) string {
	left, right := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range left {
		if i >= len(right) || left[i] != right[i] {
			return left[i] + "\n" + strings.Join(right[min(i, len(right)):min(i+1, len(right))], "")
		}
	}
	return ""
}

func TestTamperFlippedFileByte(t *testing.T) {
	t.Parallel()
	f := newDatabaseFile(t)
	dice := rand.New(rand.NewPCG(1, 2))
	found := 0
	const flips = 300
	for range flips {
		if f.requireFound(t, dice.IntN(len(f.content)), byte(1+dice.IntN(255))) {
			found++
		}
	}
	require.Positive(t, found)
	t.Logf("%d of %d found; the others are of parts that are not shown", found, flips)
}

func TestTamperFlippedEntryOrCheckpoint(t *testing.T) {
	t.Parallel()
	f := newDatabaseFile(t)
	for _, text := range []string{`"code":"access.denied"`, `"salt":"`, `"rows_sha256":"`, "time 2"} {
		at := bytes.Index(f.content, []byte(text))
		require.Positive(t, at, text)
		for i := range len(text) {
			require.True(t, f.requireFound(t, at+i, 1), "%s, byte %d", text, i)
		}
	}
}

func FuzzVerifyOfADatabaseFile(fz *testing.F) {
	f := newDatabaseFile(fz)
	fz.Add(uint32(0), byte(1))
	fz.Add(uint32(len(f.content)-1), byte(1))
	fz.Fuzz(func(t *testing.T, at uint32, flip byte) {
		if flip != 0 && int(at) < len(f.content) {
			f.requireFound(t, int(at), flip)
		}
	})
}
