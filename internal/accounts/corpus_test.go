package accounts

import (
	"archive/zip"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/fault"
)

// specimen is a file as people upload it, with its truth: what a support person
// means by it.
type specimen struct {
	kind, name string
	content    string   // "": the file of this name in testdata/asked
	truth      []string // the accounts that are meant, all of them
	expect     string   // "": whatever is right; else one of the ways of meets, parted by " or "
	arguable   []string // nobody can say whether these are meant
	said       Choices  // by the person who uploads it
}

// A finding is what reading made of a specimen.
type finding struct {
	refused *fault.Error
	asked   []Question
	rows    []Row
	inner   Understanding
}

// text is what the file holds.
func (s specimen) text(t *testing.T) string {
	if s.content != "" {
		return s.content
	}
	b, err := os.ReadFile(filepath.Join("testdata", "asked", s.name))
	require.NoError(t, err)
	return string(b)
}

// read reads a file as the upload does.
func (s specimen) read(t *testing.T, c Choices) finding { return s.readWith(t, Options{Choices: c}) }

func (s specimen) readWith(t *testing.T, o Options) finding {
	r, err := Open(filetest.Section(s.text(t)), o)
	var rows []Row
	if err == nil {
		defer r.Close()
		rows, err = rest(r)
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) {
		return finding{refused: f}
	}
	require.NoError(t, err, "%s %s", s.kind, s.name)
	return finding{asked: r.Unsure(), rows: rows, inner: r.Understanding()}
}

func (f finding) accepted() (accounts []string) {
	for _, row := range f.rows {
		if row.Reason == "" {
			accounts = append(accounts, row.Account)
		}
	}
	return accounts
}

func (f finding) aside() map[Reason]int {
	aside := map[Reason]int{}
	for _, row := range f.rows {
		if row.Reason != "" {
			aside[row.Reason]++
		}
	}
	return aside
}

// settled reports whether no question is about how the file is written. Questions
// about rows in doubt may be open: whoever leaves these aside starts with what was
// accepted.
func (f finding) settled() bool {
	return !slices.ContainsFunc(f.asked, func(q Question) bool { return !slices.Contains(Doubts, Reason(q.Name)) })
}

// wrong tells what is wrong with the accounts: those accepted that are not meant,
// and those meant that are neither accepted nor seen among the rows set aside.
func (f finding) wrong(s specimen) string {
	var seen strings.Builder
	for _, row := range f.rows {
		if row.Reason != "" {
			seen.WriteString("\x01" + row.Value + "\x01" + strings.Join(row.Fields, "\x01"))
		}
	}
	aside := seen.String()
	spread := strings.ReplaceAll(aside, "\uFFFD", "") // UTF-16 among 8-bit text shows a sign between letters
	accepted, meant := setOf(f.accepted()), setOf(slices.Concat(s.truth, s.arguable))
	var foreign, lost []string
	for _, account := range f.accepted() {
		if !meant[account] {
			foreign = append(foreign, account)
		}
	}
	for _, account := range s.truth {
		if len(accepted) == 0 { // a job without an account says so
			break
		}
		if !accepted[account] && !stands(account, aside) && !stands(account, spread) {
			lost = append(lost, account)
		}
	}
	var words []string
	if len(foreign) > 0 {
		words = append(words, fmt.Sprintf("accepted %d that are not meant: %s", len(foreign), some(foreign)))
	}
	if len(lost) > 0 {
		words = append(words, fmt.Sprintf("lost %d without a word: %s", len(lost), some(lost)))
	}
	return strings.Join(words, "; ")
}

func setOf(list []string) map[string]bool {
	set := map[string]bool{}
	for _, one := range list {
		set[one] = true
	}
	return set
}

// stands reports whether an account stands whole in a text.
func stands(account, text string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], account)
		if i < 0 {
			return false
		}
		i += at
		end := i + len(account)
		if (i == 0 || !isLetterOrDigit(text[i-1])) && (end == len(text) || !isLetterOrDigit(text[end])) {
			return true
		}
		at = i + 1
	}
}

func some(list []string) string { return fmt.Sprintf("%q", list[:min(4, len(list))]) }

// meets reports whether a file was read as the issue demands:
//
//	read            every account accepted, no row set aside, no question
//	read, N aside   the same, with so many rows set aside
//	refused         with any fault; "refused: code" with this one
//	aside: reason   no question, and every row that is no account was set aside for one of these
//	asked           "asked: name" with this question
func (f finding) meets(s specimen) bool {
	for _, way := range strings.Split(cmp.Or(s.expect, "any"), " or ") {
		word, what, _ := strings.Cut(way, ": ")
		aside := f.aside()
		rows := 0
		for _, n := range aside {
			rows += n
		}
		var n int
		counted, _ := fmt.Sscanf(word, "read, %d aside", &n)
		ok := false
		switch {
		case word == "any":
			ok = true
		case word == "refused":
			ok = f.refused != nil && (what == "" || f.refused.Code == what)
		case f.refused != nil:
		case word == "read", counted == 1:
			ok = len(f.asked) == 0 && rows == n && len(f.accepted()) >= len(s.truth)
		case word == "asked":
			ok = slices.ContainsFunc(f.asked, func(q Question) bool { return what == "" || what == q.Name })
		case word == "aside":
			ok = rows > 0 && len(f.asked) == 0
			for reason := range aside {
				ok = ok && (what == "" || strings.Contains(" "+what+" ", " "+string(reason)+" "))
			}
		}
		if ok {
			return true
		}
	}
	return false
}

func (f finding) String() string {
	if f.refused != nil {
		return "refused " + f.refused.Code
	}
	var asked []string
	for _, q := range f.asked {
		asked = append(asked, q.Name)
	}
	return fmt.Sprintf("%d accepted, aside %v, asked %q, header %.200q, column %d", len(f.accepted()), f.aside(), asked,
		f.inner.Header, f.inner.Column+1)
}

// fault tells what is wrong with the reading of a specimen, "" if nothing is. A
// file about which the person is asked is right, unless the question is only
// about rows in doubt and what was accepted is wrong anyway.
func (f finding) fault(s specimen) string {
	if f.refused == nil && f.settled() {
		if wrong := f.wrong(s); wrong != "" {
			return wrong
		}
	}
	if !f.meets(s) {
		return "not as expected: " + s.expect
	}
	return ""
}

// byKind counts specimens for the log.
type byKind map[string]*struct{ files, wrong, asked, suggested int }

func (k byKind) add(kind string) *struct{ files, wrong, asked, suggested int } {
	if k[kind] == nil {
		k[kind] = &struct{ files, wrong, asked, suggested int }{}
	}
	k[kind].files++
	return k[kind]
}

func (k byKind) String() string {
	var out bytes.Buffer
	var files, wrong, asked, suggested int
	kinds := make([]string, 0, len(k))
	for kind := range k {
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b string) int { return cmp.Or(len(a)-len(b), cmp.Compare(a, b)) })
	for _, kind := range kinds {
		n := k[kind]
		fmt.Fprintf(&out, "%-4s %4d files %4d wrong %4d asked\n", kind, n.files, n.wrong, n.asked)
		files, wrong, asked, suggested = files+n.files, wrong+n.wrong, asked+n.asked, suggested+n.suggested
	}
	fmt.Fprintf(&out, "all  %4d files %4d wrong %4d asked, %d of these right as suggested\n", files, wrong, asked,
		suggested)
	return out.String()
}

// answered reads a file as a person who takes every suggestion does.
func (s specimen) answered(t *testing.T, f finding) finding {
	c := s.said
	c.Rows = maps.Clone(c.Rows)
	for range 8 {
		if f.refused != nil || len(f.asked) == 0 {
			break
		}
		for _, q := range f.asked {
			c.answer(q.Name, q.Suggested)
		}
		f = s.read(t, c)
	}
	return f
}

func (c *Choices) answer(question, value string) {
	switch question {
	case AskSheets:
		c.Sheets = []string{value}
	case AskSeparator:
		c.Separator = value
	case AskFirstLine:
		fmt.Sscan(value, &c.FirstLine)
	case AskHeader:
		c.Header = value
	case AskColumn:
		fmt.Sscan(value, &c.Column)
	default:
		if c.Rows == nil {
			c.Rows = map[Reason]string{}
		}
		c.Rows[Reason(question)] = value
	}
}

// A reading is what a specimen came to: at once, and when every suggestion was taken.
type reading struct {
	specimen
	found, after finding
}

// readings are those of the corpus, which is read once for all tests.
var readings []reading

func readCorpus(t *testing.T) []reading {
	if readings == nil {
		var all []reading
		for _, list := range corpus {
			for _, s := range list(t) {
				f := s.read(t, s.said)
				all = append(all, reading{s, f, s.answered(t, f)})
			}
		}
		readings = all
	}
	return readings
}

// TestNoWrongAccountIsAccepted reads files that look like others, each with the
// truth of it.
func TestNoWrongAccountIsAccepted(t *testing.T) {
	kinds := byKind{}
	for _, r := range readCorpus(t) {
		count := kinds.add(r.kind)
		if r.found.refused == nil && len(r.found.asked) > 0 {
			count.asked++
			if r.after.refused == nil && r.after.wrong(r.specimen) == "" {
				count.suggested++
			}
		}
		if fault := r.found.fault(r.specimen); fault != "" {
			count.wrong++
			t.Errorf("%s %s: %s\n%s", r.kind, r.name, fault, r.found)
		}
	}
	t.Log("\n" + kinds.String())
}

// A file is read once when it is uploaded and once more when its job starts.
func TestCorpusIsReadTheSameAgain(t *testing.T) {
	for _, r := range readCorpus(t) {
		ways := []finding{r.found}
		if len(r.found.asked) > 0 {
			ways = append(ways, r.after)
		}
		for _, f := range ways {
			if f.refused == nil {
				require.Equal(t, f.rows, r.readWith(t, Options{Understood: &f.inner}).rows, "%s %s", r.kind, r.name)
			}
		}
	}
}

// The rows set aside of every file can be uploaded again, and none becomes an account unmended.
func TestCorpusComesBackSetAside(t *testing.T) {
	for _, r := range readCorpus(t) {
		if r.found.refused == nil {
			staySetAside(t, r.name, r.found.inner, r.found.rows, false)
		}
	}
}

// corpus are the lists of specimens.
var corpus = []func(*testing.T) []specimen{
	givenSpecimens, misplacedSpecimens, sortedSpecimens, convertedSpecimens, lateSpecimens, otherSpecimens, meantSpecimens,
	pollutedSpecimens,
	namedSpecimens, besideSpecimens, twiceSpecimens,
	quoteSpecimens, stackedSpecimens,
	roundedSpecimens, sharedSpecimens,
	shiftedSpecimens, headingSpecimens, remarkSpecimens, markSpecimens, nothingSpecimens, numberSpecimens,
	quotedSpecimens, mixedSpecimens,
	formatSpecimens, wholeSpecimens, sheetSpecimens, partSpecimens, titleSpecimens,
	endSpecimens, affixSpecimens, paddedSpecimens, struckSpecimens,
}

// span is a list of accounts with running numbers.
func span(format string, first, last int) (list []string) {
	for i := first; i <= last; i++ {
		list = append(list, fmt.Sprintf(format, i))
	}
	return list
}

func im(first, last int) []string { return span("im_%d", first, last) }

// unzipped is the one file in a ZIP.
func unzipped(t *testing.T, packed string) string {
	z, err := zip.NewReader(strings.NewReader(packed), int64(len(packed)))
	require.NoError(t, err)
	r, err := z.File[0].Open()
	require.NoError(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(b)
}
