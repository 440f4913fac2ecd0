package accounts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"tagsweep/internal/accounts/text"
)

// MaxColumns is how many columns a file may have.
const MaxColumns = 1000

// Choices are what a person says about a file. A zero field is detected.
type Choices struct {
	Sheets    []string `json:"sheets,omitempty"` // of a workbook
	Encoding  Encoding `json:"encoding,omitempty"`
	Separator string   `json:"separator,omitempty"`  // ",", "\t", ";", "|", or OnePerLine
	Quote     string   `json:"quote,omitempty"`      // `"`, `'`, or NoQuote
	FirstLine int64    `json:"first_line,omitempty"` // where the table begins, from 1: its header, or its first row
	Header    string   `json:"header,omitempty"`     // Yes or No
	Column    int      `json:"column,omitempty"`     // of the accounts, from 1
	TagColumn int      `json:"tag_column,omitempty"` // of the tags, from 1; only of a file that has one

	Rows map[Reason]string `json:"rows,omitempty"` // Aside or Accept, for rows in doubt
}

// Encoding names how the text of a file is written in bytes.
type Encoding = text.Encoding

// The encodings that are read.
const (
	UTF8        = text.UTF8
	UTF16LE     = text.UTF16LE
	UTF16BE     = text.UTF16BE
	GB18030     = text.GB18030
	Big5        = text.Big5
	Windows1252 = text.Windows1252
)

// Encodings lists them in the order a person chooses from.
var Encodings = text.Encodings

// Values of Choices and Understanding that are no signs of the file.
const (
	OnePerLine = "line"
	NoQuote    = "none"
	Yes, No    = "yes", "no"
)

// Separators and Quotes list what a person chooses from.
var (
	Separators = []string{",", ";", "\t", "|", OnePerLine}
	Quotes     = []string{`"`, `'`, NoQuote}
)

// known returns a fault when a choice is none of those offered.
func (c Choices) known() error {
	switch {
	case c.Encoding != "" && !slices.Contains(Encodings, c.Encoding):
		return FaultChoice.With(readable(string(c.Encoding)))
	case c.Separator != "" && !slices.Contains(Separators, c.Separator):
		return FaultChoice.With(readable(c.Separator))
	case c.Quote != "" && !slices.Contains(Quotes, c.Quote):
		return FaultChoice.With(readable(c.Quote))
	case c.Header != "" && c.Header != Yes && c.Header != No:
		return FaultChoice.With(readable(c.Header))
	case c.FirstLine < 0:
		return FaultFirstLine.With(c.FirstLine)
	case c.Column < 0:
		return FaultChoice.With(strconv.Itoa(c.Column))
	case c.TagColumn < 0:
		return FaultChoice.With(strconv.Itoa(c.TagColumn))
	}
	for reason, answer := range c.Rows {
		if !slices.Contains(Doubts, reason) || answer != Aside && answer != Accept {
			return FaultChoice.With(readable(string(reason) + "=" + answer))
		}
	}
	return nil
}

// Understanding is how a file was read: everything that has to be known to read
// it the same way again. It is kept as JSON.
type Understanding struct {
	Packed    string   `json:"packed,omitempty"` // "ZIP" or "gzip"
	Entry     string   `json:"entry,omitempty"`  // the file inside
	Workbook  bool     `json:"workbook,omitempty"`
	Chosen    []string `json:"sheet,omitempty"` // the sheets that are read, in the order of the workbook
	Sheets    []string `json:"sheets,omitempty"`
	Begins    []int64  `json:"begins,omitempty"`     // the rows with which several sheets begin
	Encoding  Encoding `json:"encoding,omitempty"`   // not of a workbook
	Separator string   `json:"separator,omitempty"`  // not of a workbook
	Quote     string   `json:"quote,omitempty"`      // not of a workbook
	WholeLine bool     `json:"whole_line,omitempty"` // separators and spaces belong to the account
	FirstLine int64    `json:"first_line"`           // where the table begins, from 1
	Above     []string `json:"above,omitempty"`      // the lines above it, at most five, shortened; not rows
	Header    []string `json:"header,omitempty"`     // nil: none
	Column    int      `json:"column"`               // of the accounts, from 0
	ByName    bool     `json:"by_name,omitempty"`    // the header says so, and no other column could be it
	TagColumn int      `json:"tag_column,omitempty"` // of the tags, from 1; 0: they are not read
	Columns   int      `json:"columns"`
	Required  int      `json:"required"`        // cells a row must have
	Shape     string   `json:"shape,omitempty"` // the same for files with the same header, before any choice

	Like      Likeness `json:"like,omitzero"`        // of nearly all accounts
	Filled    []int    `json:"filled,omitempty"`     // the columns that nearly no row leaves empty
	Wide      bool     `json:"wide,omitempty"`       // nearly all rows have more than one cell
	Rounding  bool     `json:"rounding,omitempty"`   // most long numbers end in zeros
	WithDigit []int    `json:"with_digit,omitempty"` // the columns that have a digit in nearly every row

	MeantBy      int  `json:"meant_by,omitempty"`      // the column that says which rows are meant, from 1; 0: none
	MeantYes     int  `json:"meant_yes,omitempty"`     // what a yes there says
	OthersSpared bool `json:"others_spared,omitempty"` // a cell there that says nothing says that the row is not meant

	Accepted []Reason   `json:"accepted,omitempty"` // rows in doubt for these reasons are read
	Unsure   []Question `json:"unsure,omitempty"`   // not answered yet
}

// accountMark stands behind the name of an account column that would not be
// recognised by its name.
const accountMark = " [account]"

// ExportHeader is the header for a file with the same columns, perhaps with
// others behind them: the columns of the accounts and of the tags are recognised
// when it comes back. It is nil when there is no header.
func (u Understanding) ExportHeader() []string {
	if u.Header == nil {
		return nil
	}
	if u.ByName && !slices.ContainsFunc(u.Header, isMarked) {
		return u.markTags(slices.Clone(u.Header))
	}
	return u.Marked(u.Header)
}

// Marked are names for the columns of such a file, so that those of the accounts and
// of the tags are recognised whatever they are called.
func (u Understanding) Marked(names []string) []string {
	return u.markTags(marking(slices.Clone(names), u.Column, accountMark))
}

func (u Understanding) markTags(header []string) []string {
	if u.TagColumn > 0 && namedTags(header, u.Column) != u.TagColumn-1 {
		header = marking(header, u.TagColumn-1, tagMark)
	}
	return header
}

func isMarked(cell string) bool { return strings.HasSuffix(cell, accountMark) }

// marking puts a mark behind the name of one column, and of no other.
func marking(header []string, column int, mark string) []string {
	for len(header) <= column {
		header = append(header, "")
	}
	for i, name := range header {
		header[i] = strings.TrimSuffix(name, mark)
	}
	header[column] += mark
	return header
}

// digest is the shape of files with these header cells. Those with tags have
// shapes of their own, so that what is said of one kind does not change the other.
func (f *file) digest(header []string) string {
	if f.tags {
		header = append([]string{tagMark}, header...)
	}
	cells, err := json.Marshal(header)
	if err != nil {
		panic(err) // strings are always JSON
	}
	sum := sha256.Sum256(cells)
	return hex.EncodeToString(sum[:16])
}

// Place is where a row stands, for people: its line, as in Feb!12 where several sheets are read.
func (u Understanding) Place(row, line int64) string {
	place := strconv.FormatInt(line, 10)
	if sheet := u.SheetOf(row); sheet != "" {
		place = sheet + "!" + place
	}
	return place
}

// SheetOf is the sheet of a row, by the row's number; "" where one sheet is read.
func (u Understanding) SheetOf(row int64) string {
	for i := len(u.Begins) - 1; i >= 0; i-- {
		if row >= u.Begins[i] {
			return u.Chosen[i]
		}
	}
	return ""
}

const aboveShown = 5

// dialectOf is the dialect of a separator and a quote as they are chosen.
func dialectOf(separator, quote string) text.Dialect {
	if separator == OnePerLine {
		separator = ""
	}
	if quote == NoQuote {
		quote = ""
	}
	return text.DialectOf(separator, quote)
}
