package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVerifyPackWithoutADatabase(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		_, base := simulate(t, nil)
		con := opened(t, database, base, "all_member_push")
		job := carryOut(t, con, startedJob(t, con.jobs, accountFile(250)).ID)
		require.NoError(t, con.evidence.Seal(t.Context()))
		pack, err := con.evidence.Pack(t.Context(), commandLine(), job.ID)
		require.NoError(t, err)
		var b bytes.Buffer
		require.NoError(t, pack.Write(&b))
		folder := t.TempDir()
		file := filepath.Join(folder, "pack.zip")
		require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
		nowhere := []string{"CONSOLE_DATABASE=" + filepath.Join(folder, "nothing.db"), "CONSOLE_KEY_FILE=" + filepath.Join(folder, "nothing.key")}

		out, err := runProgram("", nowhere, "verify", file, "--key", pack.Key)
		require.NoError(t, err, out)
		require.Contains(t, out, "The evidence pack is valid: job "+job.ID)
		require.Contains(t, out, "250 rows (250 accounts, 0 excluded)")
		out, err = runProgram("", nowhere, "verify", file)
		require.ErrorContains(t, err, "exit status 4", "nothing is wrong, and nobody knows whose pack it is")
		require.Contains(t, out, "the key is from the pack itself")
		require.Contains(t, out, pack.Key)

		changed := bytes.Clone(b.Bytes())
		at := bytes.Index(changed, []byte(`"accounts": 250`))
		require.Positive(t, at)
		copy(changed[at:], `"accounts": 249`)
		require.NoError(t, os.WriteFile(file, changed, 0o600))
		out, err = runProgram("", nowhere, "verify", file, "--key", pack.Key)
		require.ErrorContains(t, err, "exit status 1")
		require.Regexp(t, `^job\.json: `, out)
		for _, args := range [][]string{{file, "--checkpoints", file}, {filepath.Join(folder, "none.zip")}, {folder}} {
			out, err = runProgram("", nowhere, append([]string{"verify"}, args...)...)
			require.ErrorContains(t, err, "exit status 1", out)
			require.Contains(t, out, "Nothing was verified")
		}
		for _, name := range []string{"nothing.db", "nothing.key"} {
			require.NoFileExists(t, filepath.Join(folder, name))
		}
	})
}
