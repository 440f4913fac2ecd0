package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"tagsweep/internal/store/storetest"

	"github.com/stretchr/testify/require"
)

func TestKeyFileMustMatchSnapshots(t *testing.T) {
	t.Parallel()
	_, base := simulate(t, nil)
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.start()
	olga := p.signIn("olga")
	olga.start(olga.draft(accountFile(10)))
	require.NoError(t, p.stop(syscall.SIGTERM))

	before := p.settings
	p.settings = append(slices.Clone(before), "CONSOLE_KEY_FILE="+filepath.Join(t.TempDir(), "another.key"))
	said, err := p.command("", "serve")
	require.Error(t, err)
	require.Contains(t, said, "does not match the tag snapshots in this database")
	p.settings = append(p.settings, "CONSOLE_NEW_KEY=true")
	p.start()
	require.NoError(t, p.stop(syscall.SIGTERM))
	p.settings = before
	p.start()
	require.NoError(t, p.stop(syscall.SIGTERM))
}

// The key is replaced, and the witness file stays where it is: it was written with the
// earlier key. An admin looks once; then everything works with the new key.
func TestANewKeyIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		_, base := simulate(t, nil)
		p := newProgram(t, base, database)
		witness := filepath.Join(t.TempDir(), "witness")
		p.settings = append(p.settings, "CONSOLE_WITNESS_FILE="+witness)
		finished := func() (id string) {
			olga := p.signIn("olga")
			id = olga.draft(accountFile(150))
			olga.start(id)
			until(t, "the job is finished", func() bool { return olga.ended(id) })
			return id
		}
		p.start()
		finished()
		require.NoError(t, p.stop(syscall.SIGTERM))
		silenced(t, database)

		p.settings = append(p.settings, "CONSOLE_KEY_FILE="+filepath.Join(t.TempDir(), "another.key"), "CONSOLE_NEW_KEY=true")
		for range 2 {
			p.start()
			_, said := p.health()
			require.Equal(t, []string{"stopped", "not_signed"}, []string{said.Sending, said.Log})
			require.NoError(t, p.stop(syscall.SIGTERM))
			silenced(t, database)
		}
		p.start()
		p.lift()
		until(t, "the new file says how far it has sent", func() bool {
			content, err := os.ReadFile(witness)
			require.NoError(t, err)
			return strings.Contains(string(content), "\nsends ")
		})
		require.NoError(t, p.stop(syscall.SIGTERM))
		silenced(t, database)
		p.start()
		_, said := p.health()
		require.Equal(t, []string{"running", ""}, []string{said.Sending, said.Log}, "it is asked once")
		aside, err := filepath.Glob(witness + ".damaged-*")
		require.NoError(t, err)
		require.Len(t, aside, 1, "the earlier file is kept")
		id, aida := finished(), p.signIn("aida")
		until(t, "there is a pack", func() bool {
			answer, _ := aida.get("/jobs/" + id + "/evidence.zip")
			return answer.StatusCode == http.StatusOK
		})
		require.NoError(t, p.stop(syscall.SIGTERM))
	})
}

func TestKeyFileGivesOneKeyPerPurpose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.key")
	first, err := readKeys(path)
	require.NoError(t, err)
	again, err := readKeys(path)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.NotEqual(t, [32]byte{}, first.snapshots)
	require.NotContains(t, string(first.cookies), string(first.snapshots[:]))
	other, err := readKeys(filepath.Join(t.TempDir(), "console.key"))
	require.NoError(t, err)
	require.NotEqual(t, first.snapshots, other.snapshots)
	require.NoError(t, os.WriteFile(path, []byte("short"), 0o600))
	_, err = readKeys(path)
	require.True(t, faultKeyFile.Is(err), "%v", err)
}

func TestSecretFilesAreForTheirOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.key")
	_, err := readKeys(path)
	require.NoError(t, err)
	for mode, refused := range map[os.FileMode]bool{
		0o600: false, 0o400: false, 0o644: true, 0o604: true, 0o640: true, 0o602: true, 0o620: true,
	} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := readKeys(path)
		require.Equal(t, refused, faultOpenKeyFile.Is(err), "%o: %v", mode, err)

		a := newApp("http://127.0.0.1:1", "all_member_push")
		a.SecretKeyFile = path
		_, client, err := a.read()
		require.Equal(t, refused, faultSetting.Is(err), "%o: %v", mode, err)
		if client != nil {
			client.Close()
		}
	}
}
