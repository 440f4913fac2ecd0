package audit_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/jobs/jobstest"
)

const (
	auditEntries = 1_000_000
	auditActors  = 40
)

// auditStart is three years before the last entry, which are spread evenly and lie in the past.
var auditStart = time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)

func auditTime(seq int64) time.Time {
	return auditStart.Add(time.Duration(seq) * (3 * 365 * 24 * time.Hour / auditEntries))
}

// auditEntry is one of three years of forty people: a few codes make up most of
// it, and a hundredth are failures.
func auditEntry(seq int64) audit.Entry {
	dice := rand.New(rand.NewPCG(uint64(seq), 7))
	e := audit.Entry{At: auditTime(seq), App: "Chat (production)", Domain: "https://console.tim.qq.com",
		Actor: audit.Actor{ID: "u1", Name: fmt.Sprintf("person%02d", min(dice.IntN(auditActors), dice.IntN(auditActors))),
			Role:    "operator",
			Session: "06h0000000000000", Address: fmt.Sprintf("192.0.2.%d", dice.IntN(250)),
			UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0", RequestID: "0123456789abcdef"}}
	switch draw := dice.IntN(100); {
	case draw == 0:
		e.Code, e.Target = audit.AccessDenied, "/users"
	case draw < 30:
		e.Code = audit.SignInSucceeded
	case draw < 40:
		e.Code, e.Target = audit.TagsRead, fmt.Sprintf("member_%07d", dice.IntN(1_000_000))
	case draw == 41 && dice.IntN(100) == 0:
		e.Code, e.Details = audit.SampleDrawn, map[string]any{"reason": "OPS-4711: the wrong list"}
	default:
		e.Code = []audit.Code{audit.RejectsDownloaded, audit.TagsDownloaded, audit.ResultsDownloaded}[dice.IntN(3)]
		e.JobID = fmt.Sprintf("job%06d", seq/8)
		e.Target = fmt.Sprintf("churned-%d.csv", seq/8)
		e.Details = map[string]any{"accounts": float64(dice.IntN(100_000)),
			"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "file": e.Target}
	}
	return e
}

// The log of a busy team after three years: its page by every filter, its export,
// its verification, and how quickly it grows.
func BenchmarkAudit(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			s := jobstest.OpenBench(b, engine)
			jobstest.Sign(b, s, [32]byte{7})
			require.NoError(b, s.Audit.Fill(ctx, auditEntries, auditEntry))
			jobstest.Free(b, s)
			require.NoError(b, s.Audit.Checkpoint(ctx))
			b.Run("page", func(b *testing.B) { benchmarkAuditPage(b, s) })
			b.Run("export", func(b *testing.B) { benchmarkAuditExport(b, s) })
			b.Run("verify", func(b *testing.B) { benchmarkAuditVerify(b, s) })
			b.Run("replay", func(b *testing.B) { benchmarkAuditReplay(b, engine) })
			b.Run("append", func(b *testing.B) { benchmarkAuditAppend(b, s) })
		})
	}
}

var auditor = audit.Actor{ID: "u2", Name: "aida", Role: "auditor",
	Address: "192.0.2.1", UserAgent: "Mozilla/5.0", RequestID: "0123456789abcdef"}

// benchmarkAuditPage reads a page and says so in the log, as the audit page does.
func benchmarkAuditPage(b *testing.B, s *jobstest.Console) {
	month := func(f audit.Filter) audit.Filter {
		f.From, f.To = auditTime(400_000), auditTime(427_000)
		return f
	}
	for name, filter := range map[string]audit.Filter{
		"none": {}, "code": {Code: audit.ResultsDownloaded}, "rare-code": {Code: audit.SampleDrawn},
		"actor": {Actor: "person03"}, "rare-actor": {Actor: "person39"},
		"actor-code": {Actor: "person39", Code: audit.AccessDenied}, "job": {JobID: "job050000"}, "account": {Account: "member_0000123"},
		"failed": {Result: audit.Failed}, "succeeded": {Result: audit.Succeeded}, "word": {Words: "churned"}, "rare-word": {Words: "ops 4711"},
		"month": month(audit.Filter{}), "month-code": month(audit.Filter{Code: audit.ResultsDownloaded}),
		"month-actor":  month(audit.Filter{Actor: "person30"}),
		"month-failed": month(audit.Filter{Result: audit.Failed}), "month-word": month(audit.Filter{Words: "csv"}),
		"month-rare-code": month(audit.Filter{Code: audit.SampleDrawn}),
		"deep":            {Before: 20_000}, "actor-failed": {Actor: "person20", Result: audit.Failed},
		"word-rare-code": {Words: "csv", Code: audit.SampleDrawn}, "word-rare-actor": {Words: "csv", Actor: "person39"},
		"word-actor-code": {Words: "csv", Actor: "person39", Code: audit.AccessDenied}, "rare-word-actor": {Words: "ops 4711", Actor: "person03"},
	} {
		b.Run(name, func(b *testing.B) {
			filter.Limit = 51
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				_, err := s.Audit.Entries(ctx, filter)
				require.NoError(b, err)
				require.NoError(b, s.Audit.Record(ctx,
					audit.Entry{Code: audit.LogSearched, Actor: auditor,
						Details: map[string]any{"filter": map[string]any{"q": filter.Words}}}))
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "ms-p95")
		})
	}
}

func benchmarkAuditExport(b *testing.B, s *jobstest.Console) {
	for b.Loop() {
		peak, n, before := uint64(0), 0, int64(0)
		for {
			page, err := s.Audit.Entries(ctx, audit.Filter{Before: before, Limit: 1_000})
			require.NoError(b, err)
			if len(page) == 0 {
				break
			}
			n += len(page)
			before = page[len(page)-1].Seq
			if n%100_000 == 0 {
				peak = max(peak, jobstest.Heap())
			}
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "entries/s")
		b.ReportMetric(float64(peak)/(1<<20), "MiB-heap")
	}
}

func benchmarkAuditVerify(b *testing.B, s *jobstest.Console) {
	for b.Loop() {
		var found audit.Verified
		most := jobstest.Peak(func() {
			var err error
			found, err = s.Evidence.Verify(ctx, audit.Proofs{})
			require.NoError(b, err)
		})
		require.Empty(b, found.Wrong)
		b.ReportMetric(float64(found.Entries)/b.Elapsed().Seconds(), "entries/s")
		b.ReportMetric(float64(most)/(1<<20), "MiB-heap")
	}
}

// A job runs meanwhile.
func benchmarkAuditAppend(b *testing.B, s *jobstest.Console) {
	jobstest.Free(b, s)
	stop := jobstest.RunAlways(b, s)
	defer stop()
	for b.Loop() {
		require.NoError(b, s.Audit.Record(ctx, audit.Entry{Code: audit.TagsRead, Actor: jobstest.Operator, Target: "member_0000001"}))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
