package evidence

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"tagsweep/internal/audit"
)

// logState is the information from log.jsonl.
type logState struct {
	line    int
	last    audit.Entry
	numbers []int64
	codes   map[int64]audit.Code // of the job's own entries
	said    []string             // which entries were erased, as entries of the log say
	seals   int
	starts  []audit.Entry
}

func (c *checker) log(job []byte) {
	l := logState{codes: map[int64]audit.Code{}}
	if f := c.members[logName]; f == nil || !c.stream(logName, listBytes(f), func(from io.Reader) error { return c.lines(from, &l) }) {
		return
	}
	c.Entries = int64(len(l.numbers))
	if l.seals != 1 {
		c.wrong(logName, "%d entries seal the job, but there must be exactly one", l.seals)
		c.seal = nil
	}
	for _, seq := range c.Erased {
		if !slices.ContainsFunc(l.said, func(said string) bool { return audit.Covers(said, seq) }) {
			c.wrong(logName,
				"entry %d: the personal data is missing, but no entry of the pack says that it was erased", seq)
		}
	}
	c.start(l)
	c.complete(l, job)
	c.approvals(l)
}

func (c *checker) lines(from io.Reader, l *logState) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxRecord)
	lines.Split(wholeLines)
	for lines.Scan() {
		l.line++
		c.line(lines.Bytes(), l)
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) || errors.Is(lines.Err(), errCut) {
		c.wrong(fmt.Sprintf("%s, line %d", logName, l.line+1), "the line is incomplete or too long")
		_, err := io.Copy(io.Discard, from)
		return err
	}
	return lines.Err()
}

var errCut = errors.New("evidence: a line without an end")

// wholeLines splits at line feeds and nothing else.
func wholeLines(data []byte, end bool) (int, []byte, error) {
	if at := bytes.IndexByte(data, '\n'); at >= 0 {
		return at + 1, data[:at], nil
	}
	if end && len(data) > 0 {
		return 0, nil, errCut
	}
	return 0, nil, nil
}

// line checks one entry by itself.
func (c *checker) line(text []byte, l *logState) {
	place := fmt.Sprintf("%s, line %d", logName, l.line)
	var r record
	err := json.Unmarshal(text, &r)
	var again []byte
	if err == nil {
		again, err = r.text()
	}
	if err != nil || !bytes.Equal(again, text) {
		c.wrong(place, "the format is not valid")
		return
	}
	e, err := audit.Written{Line: r.Line}.Read()
	if err != nil {
		c.wrong(place, "the entry cannot be read")
		return
	}
	place += fmt.Sprintf(" (entry %d of the log)", e.Seq)
	if e.Seq <= l.last.Seq {
		c.wrong(place, "the entry is in the wrong place, or there twice")
		return
	}
	if err := c.included(e.Seq, r); err != nil {
		c.wrong(place, "the proof does not show that this entry is in the log")
		return
	}
	if e, err = (audit.Written{Line: r.Line, Personal: r.Personal}).Read(); err != nil {
		c.wrong(place, "the personal data was changed")
		return
	}
	if e.Erased {
		c.Erased = append(c.Erased, e.Seq)
		if slices.Contains(audit.NeverErased, e.Code) {
			c.wrong(place, "the personal data is missing, but this entry is never erased")
		}
	}
	l.last, l.numbers = e, append(l.numbers, e.Seq)
	c.learn(place, e, l)
}

// included checks the proof of an entry (RFC 6962, section 2.1.1).
func (c *checker) included(seq int64, r record) error {
	proof := make(tlog.RecordProof, len(r.Proof))
	for i, text := range r.Proof {
		hash, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(hash) != tlog.HashSize || base64.StdEncoding.EncodeToString(hash) != text {
			return errors.New("evidence: a hash that is none")
		}
		proof[i] = tlog.Hash(hash)
	}
	if !c.signed { // which was told
		return nil
	}
	return tlog.CheckRecord(proof, c.Checkpoint.Size, c.Checkpoint.Root, seq-1, audit.Written{Line: r.Line}.Leaf())
}

// learn remembers what an entry says about other entries.
func (c *checker) learn(place string, e audit.Entry, l *logState) {
	if e.JobID == "" && (e.Code == audit.LogErased || e.Code == audit.LogRemoved) {
		if e.Code == audit.LogErased {
			said, _ := e.Details["entries"].(string)
			l.said = append(l.said, said)
			c.Erasures = append(c.Erasures, e.Seq)
		} else {
			c.Removed = max(c.Removed, audit.WholeNumber(e.Details["to"]))
		}
		return
	}
	if c.described && e.JobID != c.Job.ID {
		c.wrong(place, "the entry belongs to another job")
		return
	}
	l.codes[e.Seq] = e.Code
	switch e.Code {
	case audit.JobStarted:
		l.starts = append(l.starts, e)
	case audit.JobRestored:
		c.restored = true
	case audit.JobSealed:
		l.seals++
		c.seal = &e
	}
}

// start finds the entry that starts what was sealed.
func (c *checker) start(l logState) {
	switch {
	case len(l.starts) != 1:
		c.wrong(logName, "%d entries start the job, but there must be exactly one", len(l.starts))
	case c.seal != nil && l.starts[0].Details["terms_sha256"] != c.seal.Details["terms_sha256"]:
		c.wrong(logName, "the job that entry %d of the log seals is not the one that entry %d started", c.seal.Seq, l.starts[0].Seq)
	}
}

// complete compares the entries with the list that the last one commits to.
func (c *checker) complete(l logState, job []byte) {
	if l.last.Code != audit.EvidenceDownloaded {
		c.wrong(logName, "the last entry is not the download of this pack")
		return
	}
	if job == nil {
		return
	}
	if l.last.Details["job_sha256"] != digest(job) {
		c.wrong(jobName, "the file does not match entry %d of the log", l.last.Seq)
	}
	if !c.described {
		return
	}
	found := l.numbers[:len(l.numbers)-1]
	for i := range max(len(found), len(c.Job.Entries)) {
		switch {
		case i == len(found) || i < len(c.Job.Entries) && c.Job.Entries[i] < found[i]:
			c.wrong(logName, "entry %d of the log is missing", c.Job.Entries[i])
			return
		case i == len(c.Job.Entries) || found[i] < c.Job.Entries[i]:
			c.wrong(logName, "entry %d of the log must not be in this pack", found[i])
			return
		}
	}
	if c.seal != nil && c.seal.Seq != c.Job.Sealed {
		c.wrong(jobName, "it names entry %d of the log as the seal, but the seal is entry %d", c.Job.Sealed, c.seal.Seq)
	}
}

// approvals finds the entries that the seal names.
func (c *checker) approvals(l logState) {
	if c.seal == nil {
		return
	}
	named, _ := c.seal.Details["approvals"].(string)
	for number := range strings.SplitSeq(named, ", ") {
		seq, err := strconv.ParseInt(number, 10, 64)
		switch {
		case err != nil:
			c.wrong(logName, "the approvals in entry %d of the log cannot be read", c.seal.Seq)
			return
		case !slices.Contains(decidedBy, l.codes[seq]) && seq > c.Removed:
			c.wrong(logName, "entry %d of the log, which the seal names as an approval, is missing", seq)
		}
	}
}
