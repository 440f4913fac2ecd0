// Package evidence proves the result of a job. It seals the jobs that have ended in
// the log (seals.go), verifies everything in the database against the log and the
// log against itself (verify.go), and writes the evidence pack of a job (gather.go,
// pack.go): one ZIP file with what the job was made of, the result of every row,
// and the entries of the log with the proofs that they are in it. Somebody who has
// nothing but the pack and the log's public key can check all of it ([Check], which
// needs no database). docs/audit.md describes the pack for somebody who checks one
// without this program.
package evidence

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
)

// Faults of making a pack.
var (
	FaultNotEnded = fault.Declare(fault.Conflict, "evidence.not_ended",
		"The evidence pack is not available yet: the job has not ended, and results may still change. Download it "+
			"after the job ends.")
	FaultNotSealed = fault.Declare(fault.Conflict, "evidence.not_sealed",
		"The evidence pack is not available yet: the job is being sealed in the log. Try again in a few seconds.")
	FaultNotStarted = fault.Declare(fault.Conflict, "evidence.not_started",
		"No evidence pack can be created: the audit log does not say that this job was started as it is in the database. "+
			"Someone may have changed the database. Ask an admin to verify it.")
	FaultNoCheckpoint = fault.Declare(fault.Conflict, "evidence.no_checkpoint",
		"The evidence pack cannot be created: the checkpoint that was signed when the job ended is missing or was "+
			"changed, so nothing proves what the log said then. Verify the database on the page Integrity proof, and "+
			"tell the person responsible for it.")
	FaultNoKey = fault.Declare(fault.Unavailable, "evidence.no_key",
		"The evidence pack cannot be created: the console has no key to sign the log. Ask an admin to check the "+
			"key file.")
)

// The members of a pack, in their order; between the page and the job stands
// the file, in its folder.
const (
	pageName       = "README.html"
	fileFolder     = "file/"
	jobName        = "job.json"
	rowsName       = "rows.csv"
	sheetName      = "rows-spreadsheet.csv" // the same rows, safe to open
	callsName      = "calls.csv"
	logName        = "log.jsonl"
	checkpointName = "checkpoint.txt"
	keyName        = "key.txt"
)

// Pack is all that goes into a pack.
type Pack struct {
	Job        Job
	File       io.Reader                // the upload, as it was
	Rows       func(to io.Writer) error // what the seal's rows_sha256 is of
	Calls      func(to io.Writer) error // what its calls_sha256 is of
	Entries    iter.Seq2[Entry, error]  // those of Job.Entries, then the one that Describe is for
	Checkpoint string                   // signed, it covers all entries
	Key        string                   // the public key to verify it with

	page, job []byte // see Describe
}

// Entry is an entry of the log with the proof that it is in the tree of the
// checkpoint.
type Entry = audit.Proved

// Describe makes the page and job.json, and returns the SHA-256 of the latter in
// hex. An entry of the log that says so, the last of the pack, commits to both;
// call it before Write.
func (p *Pack) Describe() (sum string, err error) {
	if p.page, err = page(p.Job); err != nil {
		return "", err
	}
	p.Job.PageSHA256 = digest(p.page)
	if p.job, err = p.Job.text(); err != nil {
		return "", err
	}
	return digest(p.job), nil
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Write writes the pack, with no more memory than a part of each member takes.
func (p *Pack) Write(to io.Writer) error {
	if p.job == nil {
		return fmt.Errorf("evidence: the pack of job %s was not described", p.Job.ID)
	}
	z := zip.NewWriter(to)
	z.RegisterCompressor(zip.Deflate, func(to io.Writer) (io.WriteCloser, error) { return flate.NewWriter(to, flate.BestSpeed) })
	for _, m := range []struct {
		name   string
		method uint16
		write  func(to io.Writer) error
	}{
		{pageName, zip.Store, text(p.page)},
		{p.Job.File.member(), zip.Deflate, func(to io.Writer) error { _, err := io.Copy(to, p.File); return err }},
		{jobName, zip.Store, text(p.job)},
		{rowsName, zip.Deflate, p.Rows},
		{sheetName, zip.Deflate, p.writeSheet},
		{callsName, zip.Deflate, p.Calls},
		{logName, zip.Store, p.writeEntries},
		{checkpointName, zip.Store, text([]byte(p.Checkpoint))},
		{keyName, zip.Store, text([]byte(p.Key + "\n"))},
	} {
		member, err := z.CreateHeader(withFixedDate(zip.FileHeader{Name: m.name, Method: m.method}))
		if err != nil {
			return err
		}
		if err := m.write(member); err != nil {
			return fmt.Errorf("evidence: %s of job %s: %w", m.name, p.Job.ID, err)
		}
	}
	return z.Close()
}

// withFixedDate gives a member the first date that a ZIP file can hold, 1 January 1980, as
// all have, so that a pack says nothing that cannot be checked.
func withFixedDate(h zip.FileHeader) *zip.FileHeader {
	//lint:ignore SA1019 Modified would write the date a second time, in a field of its own.
	h.ModifiedDate = 0<<9 | 1<<5 | 1
	return &h
}

func text(content []byte) func(io.Writer) error {
	return func(to io.Writer) error { _, err := to.Write(content); return err }
}

// record is a line of log.jsonl.
type record struct {
	Line     string   `json:"line"`
	Personal string   `json:"personal"` // "": erased
	Proof    []string `json:"proof"`    // base64
}

// text is the line as Write writes it, without its end.
func (r record) text() ([]byte, error) {
	line, err := audit.JSON(r)
	return []byte(line), err
}

// writeSheet writes the rows as a spreadsheet opens them without running any. It says
// nothing of its own: each cell is that of rows.csv.
func (p *Pack) writeSheet(to io.Writer) error {
	from, rows := io.Pipe()
	go func() { rows.CloseWithError(p.Rows(rows)) }()
	defer from.Close()
	table := csv.NewReader(from)
	table.ReuseRecord = true
	sheet := accounts.NewWriter(to)
	for {
		switch cells, err := table.Read(); {
		case errors.Is(err, io.EOF):
			return sheet.Flush()
		case err != nil:
			return err
		default:
			if err := sheet.Write(cells); err != nil {
				return err
			}
		}
	}
}

func (p *Pack) writeEntries(to io.Writer) error {
	out := bufio.NewWriter(to)
	for e, err := range p.Entries {
		if err != nil {
			return err
		}
		r := record{e.Line, e.Personal, make([]string, len(e.Proof))}
		for i, hash := range e.Proof {
			r.Proof[i] = hash.String()
		}
		line, err := r.text()
		if err != nil {
			return err
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return out.Flush()
}
