package audit_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/jobs/jobstest"
	"tagsweep/internal/store"
)

const (
	wholeJobs     = 10
	wholeAccounts = 1_000_000 // of each
)

// signedIn is an entry of a team whose every action is compared with who signed in: of
// ten, one is a sign-in, and nine are acts in that session. It ends a day before now.
func signedIn(now time.Time) func(seq int64) audit.Entry {
	start := now.AddDate(-3, 0, -1)
	sum := sha256.Sum256([]byte("hash"))
	return func(seq int64) audit.Entry {
		e := audit.Entry{At: start.Add(time.Duration(seq) * (3 * 365 * 24 * time.Hour / auditEntries)), App: "Chat (production)"}
		if seq <= auditActors {
			e.Actor, e.Code, e.Target = audit.System, audit.UserCreated, fmt.Sprintf("person%02d", seq-1)
			e.Details = map[string]any{"user": e.Target, "role": "admin", "password_sha256": hex.EncodeToString(sum[:])}
			return e
		}
		name := fmt.Sprintf("person%02d", seq/10%auditActors)
		e.Actor = audit.Actor{ID: name, Name: name, Role: "admin", SignedIn: audit.ByPassword, Session: fmt.Sprintf("s%d", seq/10),
			Address: "192.0.2.7", UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0", RequestID: "0123456789abcdef"}
		switch seq % 10 {
		case 0:
			e.Code, e.Details = audit.SignInSucceeded, map[string]any{"password_sha256": hex.EncodeToString(sum[:])}
		case 1, 2, 3:
			e.Code, e.Target = audit.TagsRead, fmt.Sprintf("member_%07d", seq)
		case 4, 5:
			e.Code = audit.LogRead
		default:
			e.Code, e.JobID, e.Target = audit.ResultsDownloaded, fmt.Sprintf("job%06d", seq/8), fmt.Sprintf("churned-%d.csv", seq/8)
			e.Details = map[string]any{"outcome": "all", "file": e.Target,
				"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
		}
		if seq < 10*(auditActors/10+1) { // the sign-in of this session would be among the first entries
			e.Actor, e.Code, e.Details, e.JobID = audit.System, audit.ServiceWell, nil, ""
		}
		return e
	}
}

// BenchmarkVerify verifies a database of 1,000,000 entries and 10,000,000 accounts: what of
// the time is the replay, and how much memory it takes.
func BenchmarkVerify(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			s := jobstest.OpenBench(b, engine)
			jobstest.Sign(b, s, [32]byte{7})
			require.NoError(b, s.Audit.Fill(ctx, auditEntries, signedIn(s.DB.Now())))
			for i := range auditActors {
				name := fmt.Sprintf("person%02d", i)
				require.NoError(b, s.DB.Exec(ctx, `INSERT INTO users (id, name, folded_name, role, password_hash, created_at)
					VALUES ($1, $1, $1, 'admin', 'hash', 1)`, name))
			}
			jobstest.Free(b, s)
			for i := range wholeJobs {
				j := jobstest.Start(b, s, jobstest.AccountsOf(b, s, fmt.Sprintf("u%d", i), wholeAccounts))
				require.NoError(b, s.End(ctx, j.ID, jobs.Cleared))
				require.NoError(b, s.Evidence.Seal(ctx))
			}
			require.NoError(b, s.Audit.Checkpoint(ctx))
			log := func(replays ...audit.Replay) time.Duration {
				began := time.Now()
				require.NoError(b, s.DB.ReadTx(ctx, func(tx *store.Tx) error {
					_, err := s.Audit.VerifyIn(ctx, tx, audit.Proofs{}, &audit.Verified{}, replays...)
					return err
				}))
				return time.Since(began)
			}
			for b.Loop() {
				began := time.Now()
				heap, resident := jobstest.Peaks(func() {
					found, err := s.Evidence.Verify(ctx, audit.Proofs{})
					require.NoError(b, err)
					require.Empty(b, found.Wrong)
					require.EqualValues(b, wholeJobs, found.Jobs)
				})
				whole := time.Since(began)
				alone := min(log(), log())
				with := min(log(auth.NewReplay(), jobs.NewReplay()), log(auth.NewReplay(), jobs.NewReplay()))
				b.ReportMetric(whole.Seconds(), "s-whole")
				b.ReportMetric(alone.Seconds(), "s-log")
				b.ReportMetric((with - alone).Seconds(), "s-replay")
				b.ReportMetric(100*(with-alone).Seconds()/whole.Seconds(), "%-replay")
				b.ReportMetric(float64(heap)/(1<<20), "MiB-heap")
				b.ReportMetric(float64(resident)/(1<<20), "MiB-resident")
			}
		})
	}
}
