package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/evidence"
	"tagsweep/internal/store"
)

// WriteRows lists every row of a job's file and what became of it, in file
// order, as CSV (RFC 4180, lines ending in LF): an account with its outcome, or
// what was set aside with the reason for its code.
func (s *Jobs) WriteRows(ctx context.Context, to io.Writer, jobID string) error {
	out := csv.NewWriter(to)
	if err := out.Write(evidence.RowColumns); err != nil {
		return err
	}
	asides, err := s.setAsidesAfter(ctx, jobID, 0, pageRows)
	if err != nil {
		return err
	}
	// until writes what was set aside before a row.
	until := func(row int64) error {
		for len(asides) > 0 && asides[0].Row < row {
			a := asides[0]
			repeats := ""
			if a.Repeats > 0 {
				repeats = strconv.FormatInt(a.Repeats, 10)
			}
			if err := out.Write([]string{strconv.FormatInt(a.Row, 10), a.Value, string(a.Kind), a.Reason, repeats, "", "", ""}); err != nil {
				return err
			}
			if asides = asides[1:]; len(asides) == 0 {
				if asides, err = s.setAsidesAfter(ctx, jobID, a.Row, pageRows); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for number := int64(1); ; number += pageBatches {
		page, err := s.placed(ctx, jobID, number, number+pageBatches-1)
		if err != nil {
			return err
		}
		if page == nil {
			break
		}
		for _, a := range page {
			if a.Outcome == setAside { // it stands among what was set aside
				continue
			}
			if err := until(a.Row); err != nil {
				return err
			}
			if err := out.Write([]string{strconv.FormatInt(a.Row, 10), a.Account, string(a.Outcome), strconv.Itoa(a.Code), a.Message,
				strconv.FormatInt(a.Batch, 10), strconv.Itoa(a.Place), stamp(a.At)}); err != nil {
				return err
			}
		}
	}
	const afterAll = 1 << 62
	if err := until(afterAll); err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}

// WriteCalls lists the ledger of a job in the order of the calls' ids, as CSV.
func (s *Jobs) WriteCalls(ctx context.Context, to io.Writer, jobID string) error {
	out := csv.NewWriter(to)
	if err := out.Write(evidence.CallColumns); err != nil {
		return err
	}
	for c, err := range s.Calls(ctx, jobID) {
		if err != nil {
			return err
		}
		if err := out.Write([]string{c.ID, strconv.FormatInt(c.Batch, 10), hex.EncodeToString(c.Held), strconv.Itoa(c.Accounts), string(c.Command),
			strconv.FormatUint(uint64(c.Random), 10), c.Delivery, stamp(c.At), strconv.FormatInt(c.Duration.Microseconds(), 10),
			strconv.Itoa(c.HTTPStatus), strconv.Itoa(c.Code), c.Message}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// sealOf is what a seal commits to.
type sealOf struct{ rows, calls string } // SHA-256 in hex, of WriteRows and WriteCalls

func (s *Jobs) digests(ctx context.Context, jobID string) (d sealOf, err error) {
	rows, calls := sha256.New(), sha256.New()
	if err = s.WriteRows(ctx, rows, jobID); err == nil {
		err = s.WriteCalls(ctx, calls, jobID)
	}
	return sealOf{hex.EncodeToString(rows.Sum(nil)), hex.EncodeToString(calls.Sum(nil))}, err
}

// Seal seals the jobs that have ended: an entry for each commits to what became
// of every row, to its file, its ledger and who let it run. From then on nothing
// of that changes; what comes later is an entry of its own.
func (s *Jobs) Seal(ctx context.Context) error {
	var failed []error
	for last := ""; ; {
		ids, err := store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (id string, err error) { return id, row.Scan(&id) },
			`SELECT id FROM jobs WHERE finished_at > 0 AND started_at > 0 AND sealed = 0 AND id > $1 ORDER BY id LIMIT 100`, last)
		if err != nil || len(ids) == 0 {
			return errors.Join(append(failed, store.AsTrouble(err))...)
		}
		for _, id := range ids {
			last = id
			if err := s.seal(ctx, id); err != nil { // the others are sealed all the same
				failed = append(failed, fmt.Errorf("job %s: %w", id, err))
			}
		}
	}
}

// errChanged is that a late answer changed the ledger while it was read.
var errChanged = errors.New("jobs: the job changed while it was sealed")

// decidedBy are the events in which a person decided what a job does.
var decidedBy = []audit.Code{audit.JobUploaded, audit.JobRetried, audit.JobUndone, audit.JobReread,
	audit.JobStarted, audit.JobResumed, audit.JobCancelled, audit.JobDecided}

func (s *Jobs) seal(ctx context.Context, jobID string) error {
	j, err := s.Get(ctx, jobID)
	if err != nil {
		return err
	}
	d, err := s.digests(ctx, jobID)
	if err != nil {
		return err
	}
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		if err := store.One(ctx, tx, errChanged, `UPDATE jobs SET sealed = -1 WHERE id = $1 AND version = $2 AND sealed = 0`, jobID, j.Version); err != nil {
			return err
		}
		people, err := s.log.SeqsOf(ctx, tx, jobID, decidedBy...)
		if err != nil {
			return err
		}
		approvals := make([]string, len(people))
		for i, seq := range people {
			approvals[i] = strconv.FormatInt(seq, 10)
		}
		details := summary(j)
		details["kind"], details["rows_sha256"], details["calls_sha256"], details["approvals"] = j.Kind, d.rows, d.calls, strings.Join(approvals, ", ")
		seq, err := s.log.Append(ctx, tx, audit.Entry{Code: audit.JobSealed, Actor: audit.System, JobID: jobID, Target: j.FileName, Details: details})
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE jobs SET sealed = $2 WHERE id = $1`, jobID, seq)
		return err
	})
	if errors.Is(err, errChanged) {
		return nil // the next round seals it as it then is
	}
	return err
}

// verifySeals compares every sealed job with the entry that seals it.
func (s *Jobs) verifySeals(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	if err := s.verifySealed(ctx, tx, v); err != nil {
		return err
	}
	for last := int64(0); ; {
		some, err := s.log.StoredAfter(ctx, tx, audit.JobSealed, last, jobsAtATime)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, l := range some {
			last = l.Seq
			e, err := l.Read()
			if err != nil || e.Code != audit.JobSealed { // the log's own verification has said so
				continue
			}
			wrong, err := s.verifySeal(ctx, e)
			if err != nil {
				return err
			}
			v.Seals++
			if wrong != "" {
				v.Add("job %s: %s", e.JobID, wrong)
			}
		}
	}
}

// verifySealed looks for the entry that each sealed job names.
func (s *Jobs) verifySealed(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	type sealed struct {
		job string
		by  int64
	}
	for last := ""; ; {
		some, err := store.Collect(ctx, tx, func(row store.Scanner) (j sealed, err error) { return j, row.Scan(&j.job, &j.by) },
			`SELECT id, sealed FROM jobs WHERE sealed <> 0 AND id > $1 ORDER BY id LIMIT $2`, last, jobsAtATime)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, j := range some {
			last = j.job
			there, err := s.log.Has(ctx, tx, j.by, audit.JobSealed, j.job)
			if err != nil {
				return err
			}
			if !there {
				v.Add("job %s: the entry of the log that seals it is missing", j.job)
			}
		}
	}
}

// verifySeal says what of a job is not as the entry says that seals it; "" when
// all is.
func (s *Jobs) verifySeal(ctx context.Context, e audit.Entry) (wrong string, err error) {
	j, err := s.Get(ctx, e.JobID)
	switch {
	case FaultNoJob.Is(err):
		return fmt.Sprintf("entry %d of the log seals it, and it is gone", e.Seq), nil
	case err != nil:
		return "", err
	}
	sealed, err := s.Sealed(ctx, e.JobID)
	if err != nil {
		return "", err
	}
	if sealed != e.Seq {
		return fmt.Sprintf("entry %d of the log seals it, and the job names entry %d", e.Seq, sealed), nil
	}
	var found string
	switch d, err := s.digests(ctx, e.JobID); {
	case err != nil && ctx.Err() != nil:
		return "", err
	case err != nil:
		found = "its rows cannot be read"
	case d.rows != e.Details["rows_sha256"]:
		found = "what became of its rows is not"
	case d.calls != e.Details["calls_sha256"]:
		found = "the ledger of its calls is not"
	case j.FileSHA256 != e.Details["sha256"] || string(j.Kind) != e.Details["kind"] || j.FinishedAt.IsZero():
		found = "its file, its kind or that it has ended is not"
	}
	if found == "" {
		return "", nil
	}
	return fmt.Sprintf("%s as it was when entry %d of the log sealed it", found, e.Seq), nil
}

// verifyUnsealed finds jobs that ended and were not sealed. Those that the console
// would seal if it ran are no fault: it was stopped in that second.
func verifyUnsealed(ctx context.Context, tx *store.Tx, ends []audit.Entry, v *audit.Verified) error {
	waiting := 0
	for _, e := range ends {
		var due int
		err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM jobs WHERE id = $1 AND finished_at > 0 AND started_at > 0 AND sealed = 0`, e.JobID).Scan(&due)
		if err != nil {
			return err
		}
		if due == 0 {
			v.Add("job %s: it ended with entry %d of the log and was never sealed", e.JobID, e.Seq)
		}
		waiting += due
	}
	if waiting > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("Jobs that ended and are not sealed yet: %d. The console seals them within seconds when it runs.", waiting))
	}
	return nil
}
