package evidence_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/engine/enginetest"
	"tagsweep/internal/evidence"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store/storetest"
)

var (
	olga = audit.Actor{ID: "u1", Name: "olga", Role: "operator", Address: "127.0.0.1"}
	aida = audit.Actor{ID: "u2", Name: "aida", Role: "auditor", Address: "127.0.0.1"}
)

const packedFile = "user_id,name\nunknown_ann,A\nbob,B\nunknown_ann,again\nNULL,nothing\ncid,C\nNaN,D\n"

// sealedJob is a job that was started and carried out: two accounts cleared, one
// failed, and rows set aside.
func sealedJob(t testing.TB, s *jobstest.Console) string {
	t.Helper()
	s.Audit.SignWith([32]byte{7})
	for range 9 { // so that proofs have some length
		require.NoError(t, s.Audit.Record(ctx, audit.Entry{Code: audit.SignedOut, Actor: aida}))
	}
	j, err := jobstest.Draft(s, olga, jobs.Upload{FileName: `七月 <list>.csv`, Note: "a <b> note"}, packedFile)
	require.NoError(t, err)
	require.NoError(t, s.ChangeSettings(ctx, olga, jobstest.App.ID, jobs.Settings{FailureLimit: 100, KeepDays: 30}))
	_, err = s.Start(ctx, olga, j.ID, jobs.StartRequest{Confirm: j.Accounts})
	require.NoError(t, err)
	_, base := enginetest.Simulate(t)
	stop := enginetest.Run(t, enginetest.New(t, s, base))
	enginetest.Ended(t, s, j.ID)
	stop()
	require.NoError(t, s.Evidence.Seal(ctx))
	return j.ID
}

func packOf(t testing.TB, s *jobstest.Console, job string) (pack []byte, key string) {
	t.Helper()
	p, err := s.Evidence.Pack(ctx, aida, job)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, p.Write(&b))
	return b.Bytes(), p.Key
}

func check(pack []byte, key string) evidence.Checked {
	return evidence.Check(bytes.NewReader(pack), int64(len(pack)), key)
}

func TestPackVerifiesByProgramAndByHand(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		job := sealedJob(t, s)
		pack, key := packOf(t, s, job)
		found := check(pack, key)
		require.Empty(t, found.Wrong)
		require.False(t, found.OwnKey)
		require.Equal(t, []any{job, int64(6), int64(1), int64(0)}, []any{found.Job.ID, found.Rows, found.Calls, found.Erased})
		require.NoError(t, byHand(pack, key))
		own := check(pack, "")
		require.Empty(t, own.Wrong)
		require.True(t, own.OwnKey)

		entries, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.EvidenceDownloaded, Limit: 10})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, "aida", entries[0].Actor.Name)
		again, _ := packOf(t, s, job)
		require.Empty(t, check(again, key).Wrong, "it holds that the first was taken")

		other, err := audit.NewSigner("tagsweep/other", [32]byte{8})
		require.NoError(t, err)
		require.Contains(t, check(pack, other.Public).Wrong[0], "key.txt: this is not the key that you gave")
	})
}

func TestAPackSaysWhatWasErasedAndRemoved(t *testing.T) {
	s := jobstest.SQLite(t)
	job := sealedJob(t, s)
	_, err := s.Audit.Erase(ctx, aida, "olga", "she left")
	require.NoError(t, err)
	pack, key := packOf(t, s, job)
	found := check(pack, key)
	require.Empty(t, found.Wrong)
	require.Positive(t, found.Erased)
	require.NoError(t, byHand(pack, key))
	require.NotContains(t, string(member(t, pack, "log.jsonl")), "olga")
}

func TestOnlyASealedJobHasAPack(t *testing.T) {
	s := jobstest.SQLite(t)
	j, err := jobstest.Draft(s, olga, jobs.Upload{}, packedFile)
	require.NoError(t, err)
	_, err = s.Evidence.Pack(ctx, aida, j.ID)
	require.True(t, evidence.FaultNotEnded.Is(err), "%v", err)
	_, err = s.Evidence.Pack(ctx, aida, "nothing")
	require.True(t, jobs.FaultNoJob.Is(err), "%v", err)
	file := storetest.SQLiteFile(t)
	id := sealedJob(t, jobstest.Open(t, file))
	unsigned := jobstest.Open(t, file)
	_, err = unsigned.Evidence.Pack(ctx, aida, id)
	require.True(t, evidence.FaultNoKey.Is(err), "%v", err)
	for _, each := range []*jobstest.Console{s, unsigned} {
		entries, err := each.Audit.Entries(ctx, audit.Filter{Code: audit.EvidenceDownloaded, Limit: 10})
		require.NoError(t, err)
		require.Empty(t, entries, "what was refused is no download")
	}
}
