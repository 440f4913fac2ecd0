package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/evidence"
	"tagsweep/internal/jobs/jobstest"
)

func TestPackIsForAuditorsOfSealedJobs(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		jobstest.Sign(t, s, [32]byte{7})
		c := newConsole(t, s)
		operator, b := c.as(auth.Operator), c.as(auth.Auditor)
		id := operator.mixedDraft()
		require.Equal(t, http.StatusConflict, b.get("/jobs/"+id+"/evidence.zip").StatusCode)
		require.Equal(t, http.StatusSeeOther, operator.post("/jobs/"+id+"/start", "confirm", "4").StatusCode)
		c.run(id)
		got := b.get("/jobs/" + id + "/evidence.zip")
		require.Equal(t, http.StatusConflict, got.StatusCode)
		require.Contains(t, got.body, "is being sealed")
		require.Contains(t, b.get("/jobs/"+id).body, "is being sealed in the log")
		require.Empty(t, c.recorded(audit.Filter{Code: audit.EvidenceDownloaded}), "what was refused is no download")

		require.NoError(t, s.Evidence.Seal(t.Context()))
		link := `href="/jobs/` + id + `/evidence.zip"`
		require.Contains(t, b.get("/jobs/"+id).body, link)
		require.NotContains(t, operator.get("/jobs/"+id).body, "/evidence.zip", "who may not is not led there")
		require.Equal(t, http.StatusForbidden, operator.get("/jobs/"+id+"/evidence.zip").StatusCode)
		got = b.get("/jobs/" + id + "/evidence.zip")
		require.Equal(t, http.StatusOK, got.StatusCode)
		require.Equal(t, "attachment; filename="+id+".zip", got.Header.Get("Content-Disposition"))
		key, err := s.Audit.Key(t.Context())
		require.NoError(t, err)
		found := evidence.Check(strings.NewReader(got.body), int64(len(got.body)), key)
		require.Empty(t, found.Wrong)
		require.Equal(t, []any{id, c.job(id).Rows}, []any{found.Job.ID, found.Rows})
		entries := c.recorded(audit.Filter{Code: audit.EvidenceDownloaded})
		require.Len(t, entries, 1)
		require.Equal(t, "auditor", entries[0].Actor.Name)
	})
}

func TestPackNeedsALogEntry(t *testing.T) {
	file := t.TempDir() + "/console.db"
	s := jobstest.Open(t, file)
	jobstest.Sign(t, s, [32]byte{7})
	c := newConsole(t, s)
	operator := c.as(auth.Operator)
	id := operator.draft(3)
	operator.post("/jobs/"+id+"/start", "confirm", "3")
	c.run(id)
	require.NoError(t, s.Evidence.Seal(t.Context()))
	b := c.as(auth.Auditor)
	tamper(t, file,
		`CREATE TRIGGER full BEFORE INSERT ON audit_lines WHEN NEW.code IN ('evidence.downloaded', 'sample.drawn') BEGIN `+
			`SELECT RAISE(ABORT, 'disk full'); END`)
	for _, address := range []string{"/evidence.zip", "/sample?n=3&seed=a"} {
		got := b.get("/jobs/" + id + address)
		require.GreaterOrEqual(t, got.StatusCode, 500, address)
		require.NotContains(t, got.body, "user-1")
	}
}

func TestPackSampleSeedDrawsItAgain(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		c := newConsole(t, s)
		operator, b := c.as(auth.Operator), c.as(auth.Auditor)
		id := operator.mixedDraft()
		require.Equal(t, http.StatusSeeOther, operator.post("/jobs/"+id+"/start", "confirm", "4").StatusCode)
		c.run(id)
		require.Equal(t, http.StatusForbidden, operator.get("/jobs/"+id+"/sample").StatusCode)
		first := b.get("/jobs/" + id + "/sample?n=5")
		require.Equal(t, http.StatusSeeOther, first.StatusCode)
		require.Regexp(t, `^/jobs/`+id+`/sample\?n=5&seed=[A-Z2-7]{16}$`, first.location())
		require.NotEqual(t, first.location(), b.get("/jobs/"+id+"/sample?n=5").location())
		require.Empty(t, c.recorded(audit.Filter{Code: audit.SampleDrawn}), "nothing was shown yet")
		require.Contains(t, b.get(first.location()).body, "5 of ")
		require.Equal(t, int64(5), int64(c.recorded(audit.Filter{Code: audit.SampleDrawn})[0].Details["n"].(float64)))

		var one, two sampleJSON
		b.json("/jobs/"+id+"/sample?n=500&seed=abc", &one)
		b.json("/jobs/"+id+"/sample?n=500&seed=abc", &two)
		require.Equal(t, one, two)
		require.Len(t, one.Rows, int(c.job(id).Rows))
		outcomes := map[string]int{}
		for i, number := range audit.Sample("abc", 500, c.job(id).Rows) {
			require.Equal(t, number, one.Rows[i].Row)
			outcomes[one.Rows[i].Outcome]++
		}
		require.EqualValues(t, c.job(id).Rejected, outcomes["rejected"])
		require.EqualValues(t, c.job(id).Duplicate, outcomes["duplicate"])
		page := b.get("/jobs/" + id + "/sample?n=500&seed=abc").body
		require.Contains(t, page, `href="/accounts?q=ann"`)
		require.NotContains(t, page, "style=")
		b.post("/language", "lang", "zh-Hans")
		require.Contains(t, b.get("/jobs/"+id+"/sample?n=3&seed=abc").body, "如何复现此样本")
		b.post("/language", "lang", "en")

		for _, wrong := range []string{"n=0", "n=501", "n=-1", "n=x", "n=5&seed=a%20b", "n=5&seed=" + strings.Repeat("a", 101), "seed=%C3%A9"} {
			got := b.get("/jobs/" + id + "/sample?" + wrong)
			require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, wrong)
			require.Contains(t, got.body, "No sample was drawn", wrong)
			require.NotContains(t, got.body, "<tbody>", wrong)
		}
	})
}
