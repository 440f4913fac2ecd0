package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/jobs"
)

// Columns of the two lists. docs/audit.md describes them.
var (
	RowColumns  = []string{"row", "value", "outcome", "code", "message", "batch", "place", "at"}
	CallColumns = []string{"call", "batch", "held", "accounts", "command", "random", "delivery", "sent_at",
		"microseconds", "http_status", "code", "message"}
)

// counts are the numbers of rows by outcome or kind of exclusion.
type counts map[string]int64

// maxOutcomes is more than there are: a pack may contain anything.
const maxOutcomes = 100

var setAsides = []string{"rejected", "duplicate", "protected"}

func (c *checker) file() {
	f := c.members[fileFolder]
	if f == nil || !c.described {
		return
	}
	if f.Name != c.Job.File.member() {
		c.wrong(shown(f.Name), "the file name in this pack must be %s", c.Job.File.member())
	}
	if f.UncompressedSize64 != uint64(c.Job.File.Bytes) {
		c.wrong(shown(f.Name), "the size is %d bytes, but the file had %d", f.UncompressedSize64, c.Job.File.Bytes)
		return
	}
	hash := sha256.New()
	if !c.stream(fileFolder, uint64(c.Job.File.Bytes), func(from io.Reader) error { _, err := io.Copy(hash, from); return err }) {
		return
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	c.sealedAs(shown(f.Name), "sha256", sum)
	if sum != c.Job.File.SHA256 {
		c.wrong(shown(f.Name), "the file does not match %s", jobName)
	}
}

// sealedAs compares a digest with the one that the seal commits to.
func (c *checker) sealedAs(place, detail, sum string) {
	if c.seal != nil && c.seal.Details[detail] != sum {
		c.wrong(place, "the SHA-256 is %s, but the seal (entry %d of the log) says %v", sum, c.seal.Seq, c.seal.Details[detail])
	}
}

// list reads a CSV file row by row, up to the first row that is wrong, and
// compares its digest with the seal.
func (c *checker) list(name, detail string, columns []string, each func(row int64, cells []string) error) (rows int64, ok bool) {
	hash := sha256.New()
	var mistake error
	ok = c.stream(name, listBytes(c.members[name]), func(from io.Reader) error {
		all := io.TeeReader(from, hash)
		piece := &limited{from: all}
		table := csv.NewReader(piece)
		table.FieldsPerRecord, table.ReuseRecord = len(columns), true
		for mistake == nil {
			piece.left = maxRecord
			cells, err := table.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			switch {
			case err != nil:
				mistake = errors.New("the format is not valid")
			case rows == 0 && !slices.Equal(cells, columns):
				mistake = errors.New("the first line does not contain the column names")
			case rows > 0:
				mistake = each(rows, cells)
			}
			rows++
		}
		_, err := io.Copy(io.Discard, all)
		return err
	})
	if !ok {
		return 0, false
	}
	if rows == 0 {
		mistake = errors.New("the first line does not contain the column names")
	}
	if mistake != nil {
		c.wrong(fmt.Sprintf("%s, line %d", name, max(rows, 1)), "%s", mistake)
	}
	c.sealedAs(name, detail, hex.EncodeToString(hash.Sum(nil)))
	return max(rows-1, 0), mistake == nil
}

func (c *checker) rows() {
	counted := counts{}
	hash := sha256.New()
	sheet := accounts.NewWriter(hash)
	sheet.Write(RowColumns) // Flush gives its error
	rows, ok := c.list(rowsName, "rows_sha256", RowColumns, func(row int64, cells []string) error {
		if cells[0] != strconv.FormatInt(row, 10) {
			return fmt.Errorf("row %d of the file must be here", row)
		}
		if err := sheet.Write(cells); err != nil {
			return err
		}
		if c.called != nil && slices.Contains(changed, cells[2]) && !c.called.has(cells[5], cells[6]) &&
			!c.lostByRestore(cells[3]) {
			return fmt.Errorf("the account is %s, but no call can have changed it", cells[2])
		}
		if n := counted[cells[2]]; n > 0 {
			counted[cells[2]] = n + 1
		} else if len(counted) < maxOutcomes {
			counted[strings.Clone(cells[2])] = 1
		}
		return nil
	})
	if !ok {
		return
	}
	c.Rows = rows
	if err := sheet.Flush(); err == nil {
		c.sheet(hash.Sum(nil))
	}
	if c.seal != nil {
		c.sameCounts(rows, counted, countsOf(c.seal.Details), fmt.Sprintf("the seal (entry %d of the log)", c.seal.Seq))
	}
	if c.described {
		j := c.Job
		said := counts{"": j.Rows, "accounts": j.Accounts, setAsides[0]: j.Rejected, setAsides[1]: j.Duplicate, setAsides[2]: j.Protected}
		maps.Copy(said, j.Outcomes)
		c.sameCounts(rows, counted, said, jobName)
	}
}

// sheet compares the copy for spreadsheets with the one that the rows make.
func (c *checker) sheet(want []byte) {
	hash := sha256.New()
	copied := func(from io.Reader) error { _, err := io.Copy(hash, from); return err }
	if c.stream(sheetName, listBytes(c.members[sheetName]), copied) && !bytes.Equal(hash.Sum(nil), want) {
		c.wrong(sheetName, "the file does not have the rows of %s", rowsName)
	}
}

// lostByRestore reports whether an account has the code of one whose call a restored database
// no longer knows, and the log says that the job comes from such a database.
func (c *checker) lostByRestore(code string) bool {
	return code == strconv.Itoa(jobs.CodeRestored) && (c.restored || c.Removed > 0)
}

// countsOf reads the counts of a seal.
func countsOf(details map[string]any) counts {
	said := counts{"": audit.WholeNumber(details["rows"]), "accounts": audit.WholeNumber(details["accounts"])}
	for _, aside := range setAsides {
		said[aside] = audit.WholeNumber(details[aside])
	}
	outcomes, _ := details["outcomes"].(map[string]any)
	for name, n := range outcomes {
		said[name] = audit.WholeNumber(n)
	}
	return said
}

// sameCounts compares the counted numbers with the stated ones: all rows, excluded rows,
// accounts, and every outcome.
func (c *checker) sameCounts(rows int64, counted, said counts, by string) {
	all := maps.Clone(counted)
	all[""], all["accounts"] = rows, rows-counted[setAsides[0]]-counted[setAsides[1]]-counted[setAsides[2]]
	for name := range said {
		all[name] += 0
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name] != said[name] {
			c.wrong(rowsName, "%d %s counted, but %s says %d", all[name], shown(label(name)), by, said[name])
			return
		}
	}
}

func label(name string) string {
	switch name {
	case "":
		return "rows"
	case "accounts":
		return name
	}
	return "rows (" + strings.ReplaceAll(name, "_", " ") + ")"
}

// changed are the outcomes of accounts that a call has changed.
var changed = []string{"cleared", "restored", "changed"}

// calledAccounts are the accounts in calls that may have changed tags: for each batch, by
// its number as text, one bit per place.
type calledAccounts map[string][]byte

func (h calledAccounts) add(batch string, more []byte) {
	all := h[batch]
	if all == nil {
		all = make([]byte, len(more))
		h[strings.Clone(batch)] = all
	}
	for i := range min(len(all), len(more)) {
		all[i] |= more[i]
	}
}

func (h calledAccounts) has(batch, place string) bool {
	n, err := strconv.Atoi(place)
	held := h[batch]
	return err == nil && n > 0 && (n-1)/8 < len(held) && held[(n-1)/8]&(1<<((n-1)%8)) != 0
}

func (c *checker) calls() {
	held := calledAccounts{}
	var ok bool
	c.Calls, ok = c.list(callsName, "calls_sha256", CallColumns, func(_ int64, cells []string) error {
		holds, err := hex.DecodeString(cells[2])
		n := 0
		for _, b := range holds {
			n += bits.OnesCount8(b)
		}
		if err != nil || cells[3] != strconv.Itoa(n) {
			return errors.New("the list of accounts does not match their number")
		}
		if cells[4] != "get_tags" && cells[6] != "not_sent" && (cells[6] != "answered" || cells[10] == "0") {
			held.add(cells[1], holds)
		}
		return nil
	})
	if ok {
		c.called = held
	}
}
