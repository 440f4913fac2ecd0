package jobs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"iter"
	"strconv"
	"strings"
)

// Planned is an account where it stands in the file.
type Planned struct {
	Row, Line int64 // from 1
	Account   string
	Tags      []string // to add or remove; kept apart, see snapshot.Wanted
}

// PlannedBatch is a batch of the plan: up to BatchSize accounts in file order.
// It is written once, when the file is read, and never changed.
type PlannedBatch struct {
	Number   int64 // from 1
	Accounts []Planned
}

// First is the place in the job of the batch's first account, from 1.
func (b PlannedBatch) First() int64 { return (b.Number-1)*BatchSize + 1 }

// Text is the batch as it is kept, without tags: a line for each account. The account stands
// alone when it is in the next row and line; else tabs, which no account
// holds, bring row and line before it.
func (b PlannedBatch) Text() string {
	var text strings.Builder
	var last Planned
	for _, a := range b.Accounts {
		if a.Row != last.Row+1 || a.Line != last.Line+1 || last.Row == 0 {
			fmt.Fprintf(&text, "\t%d\t%d\t", a.Row, a.Line)
		}
		text.WriteString(a.Account)
		text.WriteByte('\n')
		last = a
	}
	return text.String()
}

// planDigest is the SHA-256 of the texts of a job's batches, in order.
type planDigest struct{ hash hash.Hash }

func (d *planDigest) add(text string) {
	if d.hash == nil {
		d.hash = sha256.New()
	}
	io.WriteString(d.hash, text)
}

// sum is the digest in hex; "" for no batches.
func (d *planDigest) sum() string {
	if d.hash == nil {
		return ""
	}
	return hex.EncodeToString(d.hash.Sum(nil))
}

// ReadPlannedBatch reads what Text wrote.
func ReadPlannedBatch(number int64, text string) (PlannedBatch, error) {
	b := PlannedBatch{Number: number, Accounts: make([]Planned, 0, BatchSize)}
	var next Planned
	for line := range strings.Lines(text) {
		next.Row, next.Line, next.Account = next.Row+1, next.Line+1, strings.TrimSuffix(line, "\n")
		if next.Account != "" && next.Account[0] == '\t' {
			parts := strings.SplitN(next.Account[1:], "\t", 3)
			if len(parts) != 3 {
				return b, fmt.Errorf("jobs: batch %d: a line without row, line and account", number)
			}
			var errRow, errLine error
			next.Row, errRow = strconv.ParseInt(parts[0], 10, 64)
			next.Line, errLine = strconv.ParseInt(parts[1], 10, 64)
			if errRow != nil || errLine != nil {
				return b, fmt.Errorf("jobs: batch %d: a row or line that is no number", number)
			}
			next.Account = parts[2]
		}
		b.Accounts = append(b.Accounts, next)
	}
	return b, nil
}

// NamesSize is how many accounts one Names holds, but the last.
const NamesSize = 256

// Named says in which row of the file an account stands.
type Named struct {
	Account string `json:"account"`
	Row     int64  `json:"row"`
}

// Names is a part of a job's accounts sorted by their bytes, to find them by.
type Names []Named

// Text is the part as it is kept: account, tab and row on a line each.
func (n Names) Text() string {
	var text strings.Builder
	for _, named := range n {
		text.WriteString(named.Account)
		text.WriteByte('\t')
		text.WriteString(strconv.FormatInt(named.Row, 10))
		text.WriteByte('\n')
	}
	return text.String()
}

// ReadNames reads what Text wrote.
func ReadNames(text string) (Names, error) {
	names := make(Names, 0, NamesSize)
	for line := range strings.Lines(text) {
		account, number, found := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		row, err := strconv.ParseInt(number, 10, 64)
		if !found || err != nil {
			return nil, fmt.Errorf("jobs: names: a line without account and row")
		}
		names = append(names, Named{account, row})
	}
	return names, nil
}

// RowIn returns the row of an account from the text of a Names, 0 when it is not in it.
func RowIn(text, account string) (int64, error) {
	line := lineOf(text, account+"\t")
	if line == "" || strings.ContainsAny(account, "\t\n") {
		return 0, nil
	}
	number, _, _ := strings.Cut(line[len(account)+1:], "\n")
	row, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("jobs: names: a line without account and row")
	}
	return row, nil
}

// NamesLike returns the accounts that begin with a prefix from the text of a Names, ascending.
func NamesLike(text, prefix string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if strings.ContainsAny(prefix, "\t\n") {
			return
		}
		for line := range strings.Lines(lineOf(text, prefix)) {
			account, _, _ := strings.Cut(line, "\t")
			if !strings.HasPrefix(account, prefix) || !yield(account) {
				return
			}
		}
	}
}

// lineOf returns the text from the first line that begins so, "" when none does.
func lineOf(text, begin string) string {
	if strings.HasPrefix(text, begin) {
		return text
	}
	at := strings.Index(text, "\n"+begin)
	if at < 0 {
		return ""
	}
	return text[at+1:]
}
