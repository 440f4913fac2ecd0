package evidence_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

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
	jobstest.Sign(t, s, [32]byte{7})
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
		require.Equal(t, []any{job, int64(6), int64(1), 0}, []any{found.Job.ID, found.Rows, found.Calls, len(found.Erased)})
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

func TestAPackSaysWhatWasErased(t *testing.T) {
	jobstest.Each(t, func(t *testing.T, s *jobstest.Console) {
		job := sealedJob(t, s)
		before, oldKey := packOf(t, s, job)
		erased(t, s, aida, audit.Subject{Kind: audit.OfUser, Value: "olga"})
		pack, key := packOf(t, s, job)
		found := check(pack, key)
		require.Empty(t, found.Wrong)
		require.NoError(t, byHand(pack, key))
		ofJob, err := s.Audit.Entries(ctx, audit.Filter{JobID: job, Limit: 100})
		require.NoError(t, err)
		var gone []int64
		for _, e := range slices.Backward(ofJob) {
			if e.Erased {
				gone = append(gone, e.Seq)
			}
		}
		require.NotEmpty(t, gone)
		require.Equal(t, gone, found.Erased)
		says, err := s.Audit.Entries(ctx, audit.Filter{Code: audit.LogErased, Limit: 10})
		require.NoError(t, err)
		require.Equal(t, []int64{says[0].Seq}, found.Erasures)
		require.NotContains(t, string(member(t, pack, "log.jsonl")), "olga")
		require.Empty(t, check(before, oldKey).Wrong, "a pack that was made earlier stays valid")
	})
}

// Somebody takes names from the entries of a pack: of those that keep them, and of those
// that nobody erased, though others were removed since.
func TestAPackNeedsItsNames(t *testing.T) {
	s := jobstest.SQLite(t)
	job := sealedJob(t, s)
	erased(t, s, aida, audit.Subject{Kind: audit.OfUser, Value: "aida"})
	require.NoError(t, s.Audit.SetRetention(ctx, olga, 12))
	s.DB.ShiftClocks(time.Until(time.Now().AddDate(0, 13, 0)))
	require.NoError(t, s.Audit.Sweep(ctx, s.DB.Now()))
	require.Positive(t, erased(t, s, aida, audit.Subject{Kind: audit.OfAddress, Value: "127.0.0.1"}))
	pack, key := packOf(t, s, job)
	whole := check(pack, key)
	require.Empty(t, whole.Wrong)
	require.NoError(t, byHand(pack, key))
	require.Positive(t, whole.Removed)
	nameless := func(code audit.Code) []byte {
		return repack(t, edited(unpack(t, pack), "log.jsonl", func(log []byte) []byte {
			return bytes.Replace(log, personalOf(t, log, code), []byte(`"personal":""`), 1)
		}))
	}
	for _, code := range []audit.Code{audit.JobSealed, audit.LogErased, audit.LogRemoved} {
		changed := nameless(code)
		require.Contains(t, strings.Join(check(changed, key).Wrong, "\n"), "this entry is never erased", string(code))
		require.ErrorContains(t, byHand(changed, key), "never erased", string(code))
	}
}

// personalOf is the personal part of the first entry of an event.
func personalOf(t *testing.T, log []byte, code audit.Code) []byte {
	t.Helper()
	for line := range bytes.Lines(log) {
		if bytes.Contains(line, []byte(`\"code\":\"`+code)) {
			return regexp.MustCompile(`"personal":"\{.*?\}"`).Find(line)
		}
	}
	t.Fatal(code)
	return nil
}

func TestAPackNeedsTheNameOfWhoStarted(t *testing.T) {
	s := jobstest.SQLite(t)
	job := sealedJob(t, s)
	require.NoError(t, s.Audit.SetRetention(ctx, olga, 12))
	s.DB.ShiftClocks(time.Until(time.Now().AddDate(0, 13, 0)))
	require.NoError(t, s.Audit.Sweep(ctx, s.DB.Now()))
	pack, key := packOf(t, s, job)
	require.Positive(t, check(pack, key).Removed)
	changed := repack(t, edited(unpack(t, pack), "log.jsonl", func(log []byte) []byte {
		return bytes.Replace(log, personalOf(t, log, audit.JobStarted), []byte(`"personal":""`), 1)
	}))
	require.Contains(t, strings.Join(check(changed, key).Wrong, "\n"), "no entry of the pack says that it was erased")
	require.ErrorContains(t, byHand(changed, key), "was not erased by the log")
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
