package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/store/storetest"
)

// fileWithEverything holds n accounts in random order, each tenth repeated and
// each twentieth followed by a row that is none.
func fileWithEverything(n int) (content []byte, rows, rejected, duplicate int64) {
	var file bytes.Buffer
	file.WriteString("account,city\n")
	for k, i := range rand.New(rand.NewPCG(5, 6)).Perm(n) {
		line := "member_" + strings.Repeat("x", i%7) + "_" + string(rune('a'+i%26)) + strconv.Itoa(i) + ",Rome\n"
		file.WriteString(line)
		rows++
		if k%10 == 0 {
			file.WriteString(line)
			rows, duplicate = rows+1, duplicate+1
		}
		if k%20 == 0 {
			file.WriteString(",Oslo\n")
			rows, rejected = rows+1, rejected+1
		}
	}
	return file.Bytes(), rows, rejected, duplicate
}

// beginUpload sends a file and returns its job as soon as there is one, while
// the file is being read.
func (v *apiClient) beginUpload(name string, content []byte) (id string) {
	request := v.uploading(name, content, nil)
	go func() { // the answer comes once the file is read, or never: the console may be killed
		if answer, err := v.client.Do(request); err == nil {
			answer.Body.Close()
		}
	}()
	until(v.t, "there is a job", func() bool {
		request, err := http.NewRequest(http.MethodGet, v.program.address+"/jobs", nil)
		require.NoError(v.t, err)
		request.Header.Set("Accept", "application/json")
		_, body := v.do(request)
		var list struct{ Jobs []jobJSON }
		require.NoError(v.t, json.Unmarshal([]byte(body), &list), body)
		if len(list.Jobs) == 0 {
			return false
		}
		id = list.Jobs[0].ID
		require.Equal(v.t, "reading", list.Jobs[0].State)
		return true
	})
	return id
}

// The console is killed in every part of the reading of one file. Once the upload
// was answered nothing of it is lost, and no row is read twice.
func TestKill9ImportReadsEachRowOnce(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		_, base := simulate(t, nil)
		p := newProgram(t, base, database)
		p.start()
		kills, n := sized(3, 6), sized(120_000, 250_000)
		content, rows, rejected, duplicate := fileWithEverything(n)
		olga := p.signIn("olga")
		id := olga.beginUpload("users.csv", content)
		for kill := range kills {
			goal := kill * 900 / kills
			until(t, "the reading comes along", func() bool {
				j := olga.job(id)
				require.Equal(t, "reading", j.State)
				return j.Read >= goal
			})
			require.Error(t, p.stop(syscall.SIGKILL))
			if strings.HasPrefix(database, "postgres://") {
				// Another console might still read it until a minute has gone by.
				tamper(t, database, `UPDATE jobs SET reader_until = 0`)
			}
			p.start()
			olga = p.signIn("olga")
		}
		until(t, "the file is read", func() bool { return olga.job(id).State != "reading" })
		j := olga.job(id)
		require.Equal(t, "draft", j.State)
		require.Equal(t, []int64{rows, rejected, duplicate, int64(n)}, []int64{j.Rows, j.Rejected, j.Duplicate, j.Accounts})
		require.NoError(t, p.stop(syscall.SIGTERM))
		found, err := reopen(t, database).Evidence.Verify(t.Context(), audit.Proofs{})
		require.NoError(t, err)
		require.Empty(t, found.Wrong)
	})
}

func TestImportCancelLeavesNothing(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, database string) {
		_, base := simulate(t, nil)
		p := newProgram(t, base, database)
		p.start()
		olga := p.signIn("olga")
		content, _, _, _ := fileWithEverything(200_000)
		id := olga.beginUpload("users.csv", content)
		answer, body := olga.post("/jobs/"+id+"/cancel", url.Values{})
		require.Equal(t, http.StatusSeeOther, answer.StatusCode, body)
		j := olga.job(id)
		require.Equal(t, []any{"cancelled", int64(0), int64(0)}, []any{j.State, j.Rows, j.Accounts})
		// The next file is read, and the cancelled one leaves no rows behind.
		next := olga.draft([]byte("account\nann\n"))
		require.Equal(t, "draft", olga.job(next).State)
		require.NoError(t, p.stop(syscall.SIGTERM))
		found, err := reopen(t, database).Evidence.Verify(t.Context(), audit.Proofs{})
		require.NoError(t, err)
		require.Empty(t, found.Wrong)
	})
}

// A file is refused for what stands in it, never because the database could
// not take what was read.
func TestImportOutlivesALockedDatabase(t *testing.T) {
	t.Parallel()
	_, base := simulate(t, nil)
	p := newProgram(t, base, storetest.SQLiteFile(t))
	p.start()
	olga := p.signIn("olga")
	content, rows, _, _ := fileWithEverything(150_000)
	id := olga.beginUpload("users.csv", content)
	release := lockDatabase(t, p.database, "EXCLUSIVE")
	until(t, "the reading breaks off", func() bool { return strings.Contains(p.logged(), "a file could not be imported yet") })
	release()
	until(t, "the file is read", func() bool { return olga.job(id).State != "reading" })
	require.Equal(t, "draft", olga.job(id).State)
	require.Equal(t, rows, olga.job(id).Rows)
}
