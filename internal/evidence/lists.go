package evidence

import (
	"context"
	"encoding/csv"
	"encoding/hex"
	"io"
	"strconv"
	"time"

	"tagsweep/internal/jobs"
)

// WriteRows lists every row of a job's file and the result of it, in file
// order, as CSV (RFC 4180, lines ending in LF): an account with its outcome, or
// what was set aside with the reason for its code.
func (ev *Evidence) WriteRows(ctx context.Context, to io.Writer, jobID string) error {
	out := csv.NewWriter(to)
	if err := out.Write(RowColumns); err != nil {
		return err
	}
	for row, err := range ev.jobs.FileRows(ctx, jobID) {
		if err == nil {
			err = out.Write(cells(row))
		}
		if err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func cells(row jobs.FileRow) []string {
	if a := row.Aside; a != nil {
		repeats := ""
		if a.Repeats > 0 {
			repeats = strconv.FormatInt(a.Repeats, 10)
		}
		return []string{strconv.FormatInt(a.Row, 10), a.Value, string(a.Kind), a.Reason, repeats, "", "", ""}
	}
	a := row.Account
	return []string{strconv.FormatInt(a.Row, 10), a.Account, string(a.Outcome), strconv.Itoa(a.Code), a.Message,
		strconv.FormatInt(a.Batch, 10), strconv.Itoa(a.Place), stamp(a.At)}
}

// WriteCalls lists the ledger of a job in the order of the calls' ids, as CSV.
func (ev *Evidence) WriteCalls(ctx context.Context, to io.Writer, jobID string) error {
	out := csv.NewWriter(to)
	if err := out.Write(CallColumns); err != nil {
		return err
	}
	for c, err := range ev.jobs.Calls(ctx, jobID) {
		if err != nil {
			return err
		}
		if err := out.Write([]string{
			c.ID, strconv.FormatInt(c.Batch, 10), hex.EncodeToString(c.Held), strconv.Itoa(c.Accounts), string(c.Command),
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
