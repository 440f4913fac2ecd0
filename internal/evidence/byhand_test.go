package evidence_test

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// This file reads a pack from docs/audit.md alone, with the standard library and
// nothing of the product: what both readers accept is what the page describes.

type handEntry struct {
	Line, Personal string
	Proof          []string
}

type handLine struct {
	Seq      int64
	Code     string
	Job      string
	Personal string
	Details  map[string]any
}

type handJob struct {
	ID   string
	File struct {
		SHA256 string
		Bytes  int64
	}
	Sealed                                         int64
	Entries                                        []int64
	PageSHA256                                     string `json:"page_sha256"`
	Rows, Rejected, Duplicate, Protected, Accounts int64
	Outcomes                                       map[string]int64
}

func hexSum(parts ...[]byte) string {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return hex.EncodeToString(sum[:])
}

func node(left, right []byte) []byte {
	sum := sha256.Sum256(bytes.Join([][]byte{{1}, left, right}, nil))
	return sum[:]
}

// byHand is the first thing wrong with a pack.
func byHand(pack []byte, key string) error {
	archive, err := zip.NewReader(bytes.NewReader(pack), int64(len(pack)))
	if err != nil {
		return err
	}
	parts, file := map[string][]byte{}, ""
	for _, f := range archive.File {
		from, err := f.Open()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(from)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		name := f.Name
		if strings.HasPrefix(name, "file/") {
			name = "file"
			file = f.Name
		}
		if parts[name] != nil {
			return fmt.Errorf("%s twice", f.Name)
		}
		parts[name] = append(content, 0)[:len(content)] // not nil
	}
	if len(parts) != 9 || file == "" {
		return errors.New("parts are missing, or too many")
	}
	if string(parts["key.txt"]) != key+"\n" {
		return errors.New("another key")
	}
	size, root, err := handCheckpoint(string(parts["checkpoint.txt"]), key)
	if err != nil {
		return err
	}
	var job handJob
	if err := json.Unmarshal(parts["job.json"], &job); err != nil {
		return err
	}
	seal, err := handLog(parts["log.jsonl"], hexSum(parts["job.json"]), job, size, root)
	if err != nil {
		return err
	}
	for part, want := range map[string]any{"file": seal.Details["sha256"], "rows.csv": seal.Details["rows_sha256"],
		"calls.csv": seal.Details["calls_sha256"], "README.html": job.PageSHA256} {
		if hexSum(parts[part]) != want {
			return fmt.Errorf("%s is not as it was sealed", part)
		}
	}
	if int64(len(parts["file"])) != job.File.Bytes || job.File.SHA256 != seal.Details["sha256"] || seal.Seq != job.Sealed {
		return errors.New("job.json and the seal differ")
	}
	if !bytes.Equal(parts["rows-spreadsheet.csv"], handSheet(parts["rows.csv"])) {
		return errors.New("rows-spreadsheet.csv is not made of rows.csv")
	}
	return handRows(parts["rows.csv"], parts["calls.csv"], seal, job)
}

func handSheet(rows []byte) []byte {
	sheet := []byte("\xEF\xBB\xBF")
	all, _ := csv.NewReader(bytes.NewReader(rows)).ReadAll()
	for _, row := range all {
		for i, cell := range row {
			if formula := strings.TrimLeft(cell, "'"); formula != "" && strings.ContainsAny(formula[:1], "=+-@\t\r\n") ||
				strings.HasPrefix(formula, "＝") || strings.HasPrefix(formula, "＋") ||
				strings.HasPrefix(formula, "－") || strings.HasPrefix(formula, "＠") {
				cell = "'" + cell
			}
			if strings.ContainsAny(cell, "\",;|\t\r\n") {
				cell = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
			}
			if row[i] = cell; i > 0 {
				sheet = append(sheet, ',')
			}
			sheet = append(sheet, cell...)
		}
		sheet = append(sheet, "\r\n"...)
	}
	return sheet
}

func handCheckpoint(note, key string) (size int64, root []byte, err error) {
	lines := strings.Split(note, "\n")
	origin, rest, _ := strings.Cut(key, "+")
	hash, public, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(public)
	if err != nil || len(raw) != 33 || raw[0] != 1 || len(lines) != 8 || lines[0] != origin || lines[5] != "" ||
		lines[7] != "" || !strings.HasPrefix(lines[3], "time ") || !strings.HasPrefix(lines[4], "previous ") {
		return 0, nil, errors.New("not a checkpoint, or not a key")
	}
	if hexSum([]byte(origin+"\n"), raw)[:8] != hash {
		return 0, nil, errors.New("the key's hash is another")
	}
	words := strings.Split(lines[6], " ")
	if len(words) != 3 || words[0] != "\u2014" || words[1] != origin {
		return 0, nil, errors.New("not signed by this log")
	}
	signature, err := base64.StdEncoding.DecodeString(words[2])
	if err != nil || len(signature) != 68 || hex.EncodeToString(signature[:4]) != hash ||
		!ed25519.Verify(raw[1:], []byte(strings.Join(lines[:5], "\n")+"\n"), signature[4:]) {
		return 0, nil, errors.New("the signature is wrong")
	}
	if root, err = base64.StdEncoding.DecodeString(lines[2]); err == nil {
		size, err = strconv.ParseInt(lines[1], 10, 64)
	}
	return size, root, err
}

func handLog(text []byte, jobSum string, job handJob, size int64, root []byte) (seal handLine, err error) {
	var last handLine
	var numbers, erased []int64
	var removed int64
	var said []string
	codes, seals := map[int64]string{}, 0
	var started []any
	for text := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n"), "\n") {
		var e handEntry
		var l handLine
		if err := errors.Join(json.Unmarshal([]byte(text), &e), json.Unmarshal([]byte(e.Line), &l)); err != nil {
			return seal, err
		}
		if l.Seq <= last.Seq {
			return seal, fmt.Errorf("entry %d is not in order", l.Seq)
		}
		if err := handIncluded(e, l.Seq, size, root); err != nil {
			return seal, err
		}
		if e.Personal == "" {
			if slices.Contains([]string{"job.sealed", "log.erased", "log.removed", "log.accepted"}, l.Code) {
				return seal, fmt.Errorf("entry %d is never erased", l.Seq)
			}
			erased = append(erased, l.Seq)
		} else if hexSum([]byte(e.Personal)) != l.Personal {
			return seal, fmt.Errorf("entry %d: its personal part", l.Seq)
		}
		switch {
		case l.Job == "" && l.Code == "log.erased":
			said = append(said, l.Details["entries"].(string))
		case l.Job == "" && l.Code == "log.removed":
			removed = max(removed, int64(l.Details["to"].(float64)))
		case l.Job != job.ID:
			return seal, fmt.Errorf("entry %d is of another job", l.Seq)
		case l.Code == "job.started":
			started = append(started, l.Details["terms_sha256"])
		case l.Code == "job.sealed":
			seal, seals = l, seals+1
		}
		last, numbers, codes[l.Seq] = l, append(numbers, l.Seq), l.Code
	}
	if seals != 1 || last.Code != "evidence.downloaded" || last.Details["job_sha256"] != jobSum ||
		!slices.Equal(numbers[:len(numbers)-1], job.Entries) {
		return seal, errors.New("the log is not whole, or job.json is another")
	}
	if len(started) != 1 || started[0] != seal.Details["terms_sha256"] {
		return seal, errors.New("it was not started, or not as it was sealed")
	}
	for _, seq := range erased {
		if !slices.ContainsFunc(said, func(list string) bool { return handHolds(list, seq) }) {
			return seal, fmt.Errorf("entry %d was not erased by the log", seq)
		}
	}
	for number := range strings.SplitSeq(seal.Details["approvals"].(string), ", ") {
		seq, err := strconv.ParseInt(number, 10, 64)
		if err != nil || seq > removed && !slices.Contains([]string{"job.uploaded", "job.retried", "job.undone", "job.reread",
			"job.started", "job.resumed", "job.cancelled", "job.decided"}, codes[seq]) {
			return seal, fmt.Errorf("approval %s is missing", number)
		}
	}
	return seal, nil
}

func handIncluded(e handEntry, seq, size int64, root []byte) error {
	leaf := sha256.Sum256([]byte("\x00" + e.Line))
	h, m, last := leaf[:], seq-1, size-1
	for _, text := range e.Proof {
		p, err := base64.StdEncoding.DecodeString(text)
		if err != nil || last == 0 {
			return fmt.Errorf("entry %d: its proof", seq)
		}
		if m%2 == 1 || m == last {
			h = node(p, h)
			for m%2 == 0 && m != 0 {
				m, last = m/2, last/2
			}
		} else {
			h = node(h, p)
		}
		m, last = m/2, last/2
	}
	if last != 0 || !bytes.Equal(h, root) {
		return fmt.Errorf("entry %d is not in the tree", seq)
	}
	return nil
}

func handHolds(list string, seq int64) bool {
	for part := range strings.SplitSeq(list, ", ") {
		var from, to int64
		if n, _ := fmt.Sscanf(part, "%d-%d", &from, &to); n < 2 {
			to = from
		}
		if from <= seq && seq <= to {
			return true
		}
	}
	return false
}

func handRows(text, ledger []byte, seal handLine, job handJob) error {
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || strings.Join(rows[0], ",") != "row,value,outcome,code,message,batch,place,at" {
		return errors.New("rows.csv cannot be read")
	}
	held, err := handCalls(ledger)
	if err != nil {
		return err
	}
	counted := map[string]int64{}
	for i, row := range rows[1:] {
		if row[0] != strconv.Itoa(i+1) {
			return fmt.Errorf("row %d is missing", i+1)
		}
		counted[row[2]]++
		if row[2] == "cleared" && !held[row[5]+"/"+row[6]] {
			return fmt.Errorf("row %d was in no call", i+1)
		}
	}
	sealed := func(name string) int64 { n, _ := seal.Details[name].(float64); return int64(n) }
	for name, said := range map[string]int64{"rejected": job.Rejected, "duplicate": job.Duplicate, "protected": job.Protected} {
		if counted[name] != said || sealed(name) != said {
			return fmt.Errorf("%d rows are %s", counted[name], name)
		}
		delete(counted, name)
	}
	accounts := int64(0)
	for name, n := range counted {
		accounts += n
		if outcomes := seal.Details["outcomes"].(map[string]any); outcomes[name] != float64(n) || job.Outcomes[name] != n {
			return fmt.Errorf("%d rows are %s", n, name)
		}
	}
	if accounts != job.Accounts || sealed("accounts") != accounts || int64(len(rows)-1) != job.Rows || sealed("rows") != job.Rows {
		return errors.New("the rows do not add up")
	}
	return nil
}

// handCalls returns which accounts, by batch and place, were in a call that may
// have changed them.
func handCalls(text []byte) (map[string]bool, error) {
	calls, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || strings.Join(calls[0][:7], ",") != "call,batch,held,accounts,command,random,delivery" {
		return nil, errors.New("calls.csv cannot be read")
	}
	held := map[string]bool{}
	for _, call := range calls[1:] {
		bits, err := hex.DecodeString(call[2])
		if err != nil {
			return nil, err
		}
		accepted := call[6] == "lost" || call[6] == "answered" && call[10] == "0"
		for place := range 8 * len(bits) {
			if bits[place/8]>>(place%8)&1 == 1 && call[4] != "get_tags" && accepted {
				held[call[1]+"/"+strconv.Itoa(place+1)] = true
			}
		}
	}
	return held, nil
}
