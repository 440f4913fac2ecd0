package accounts

import (
	"math"
	"regexp"
	"slices"
	"strings"
)

// Reason says why a row was set aside. "" means it was accepted.
type Reason string

const (
	Empty          Reason = "empty"           // no value in the account column
	BadCharacter   Reason = "bad_character"   // a byte outside 0x20 to 0x7E
	TooLong        Reason = "too_long"        // more bytes than an account may have
	OuterSpace     Reason = "outer_space"     // a space before or after a value, not there on purpose
	SeveralValues  Reason = "several_values"  // a separator in the value: perhaps several accounts
	Annotated      Reason = "annotated"       // a label, list mark or apostrophe before the account, or a remark
	NoValue        Reason = "no_value"        // such as NULL, or only signs
	DamagedNumber  Reason = "damaged_number"  // such as 1.23E+12: a spreadsheet rounded the number
	Formula        Reason = "formula"         // a spreadsheet's formula or error in place of the value
	CellType       Reason = "cell_type"       // a date, truth value, fraction, or number shown otherwise than stored
	RepeatedHeader Reason = "repeated_header" // the header once more, as in files that were joined
	ColumnsChanged Reason = "columns_changed" // below a header in the middle with its columns in another order
	Ragged         Reason = "ragged"          // more or fewer cells than there are columns
	StrayQuote     Reason = "stray_quote"     // a quote inside a cell, or text after a closing quote
	OpenQuote      Reason = "open_quote"      // a quote that does not close as it should
	InQuote        Reason = "in_quote"        // a line that an unclear quote above may have swallowed
	NotText        Reason = "not_text"        // a NUL, or bytes that are no text in the file's encoding
	RowTooLong     Reason = "row_too_long"    // over 64 KiB
	Hidden         Reason = "hidden"          // a row that is hidden or filtered out in the workbook
	Unlike         Reason = "unlike"          // an account that does not look like nearly all others of the file
	ShortRow       Reason = "short_row"       // fewer cells than columns, not only empty ones left out
	Rounded        Reason = "rounded"         // a long number, in a file where most of them end in zeros
	Range          Reason = "range"           // such as 10001-10020
	Masked         Reason = "masked"          // such as 138****1234
	Commented      Reason = "commented"       // a mark of comments before the account
	NoTag          Reason = "no_tag"          // no tag in their column, or only a word such as NULL
	BadTag         Reason = "bad_tag"         // a control character, an open quote, or what a spreadsheet left there
	TagTooLong     Reason = "tag_too_long"    // over TagBytes
	ManyTags       Reason = "many_tags"       // over MostTags
)

// Reasons lists every reason: first what is wrong with the account, then what
// is wrong with the row, then what is wrong with its tags.
var Reasons = []Reason{
	Empty, BadCharacter, TooLong, OuterSpace, SeveralValues, Annotated, NoValue, DamagedNumber, Formula, CellType,
	RepeatedHeader, ColumnsChanged, Ragged, StrayQuote, OpenQuote, InQuote, NotText, RowTooLong,
	Hidden, Unlike, ShortRow, Rounded, Range, Masked, Commented,
	NoTag, BadTag, TagTooLong, ManyTags,
}

// UserIDBytes is the longest UserID of Tencent Cloud Chat, in bytes.
const UserIDBytes = 32

var (
	damagedNumber = regexp.MustCompile(
		`^[-+]?([0-9]([.,][0-9]+)?[Ee][-+][0-9]{1,3}|[0-9][.,][0-9]+[Ee][0-9]{1,3}|[0-9]+[.]0+)$`)
	noValues    = []string{"null", `\n`, "none", "nan", "n/a", "nil", "(null)", "<null>", "undefined"}
	totals      = []string{"total", "subtotal", "grand total", "totals"}
	listMark    = regexp.MustCompile(`^([0-9]{1,9}[.)]|\(?[0-9]{1,9}\)|[-*+#>]+) `)
	rowCount    = regexp.MustCompile(`^\(?[0-9]+ rows?( |\)|$)`)
	sheetErrors = []string{
		"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!",
		"#GETTING_DATA", "#BLOCKED!", "#UNKNOWN!", "#FIELD!", "#CONNECT!", "#BUSY!",
	}
)

// rules are what an account may be.
type rules struct {
	limit     int  // bytes
	wholeLine bool // separators belong to the account
	tags      bool // the file has a column of tags
}

// anyRules accept whatever could be an account under some rules.
var anyRules = rules{limit: math.MaxInt}

// judge tells why a value cannot be an account, or "" when it can. Quoted says
// that the value stood between quotes.
func (r rules) judge(value string, quoted bool) Reason {
	several, signed, spaced, letters := false, false, false, false // signed: an exponent may be there
	for i := range len(value) {
		switch b := value[i]; {
		case b < 0x20 || b > 0x7E:
			if strings.Trim(value, " \t") == "" {
				return Empty
			}
			return BadCharacter
		case isLetterOrDigit(b):
			letters = true
		case b == ' ':
			spaced = true
		case b == ',' || b == ';' || b == '|':
			several = true
		case b == '.', (b == '+' || b == '-') && i > 0 && value[i-1]|0x20 == 'e':
			signed = true
		}
	}
	switch {
	case value == "":
		return Empty
	case value[0] == ' ' || value[len(value)-1] == ' ':
		if strings.Trim(value, " ") == "" {
			return Empty
		}
		// Quotes that the value needs for another reason do not say that the space was meant.
		if !quoted || strings.ContainsAny(value, `"'`) {
			return OuterSpace
		}
	}
	switch {
	case len(value) > r.limit:
		return TooLong
	case signed && damagedNumber.MatchString(value):
		return DamagedNumber
	case annotated(value, spaced):
		return Annotated
	case (several || spaced && inParts(value)) && !r.wholeLine:
		return SeveralValues
	case strings.HasPrefix(value, `="`) && strings.HasSuffix(value, `"`),
		value[0] == '#' && (slices.Contains(sheetErrors, value) || strings.Trim(value, "#") == ""):
		return Formula
	case !letters || isNoValue(value):
		return NoValue
	}
	return ""
}

// isNoValue reports whether a value is what programs write for none.
func isNoValue(value string) bool {
	if len(value) > len("undefined") {
		return false
	}
	switch value[0] {
	case 'n', 'N', '\\', '(', '<', 'u', 'U':
		return slices.ContainsFunc(noValues, func(word string) bool { return strings.EqualFold(word, value) })
	}
	return value == "-"
}

// inParts reports whether spaces part a value into what looks like several:
// more than one space in a row, or a digit in every part.
func inParts(value string) bool {
	value = strings.Trim(value, " ")
	if strings.Contains(value, "  ") {
		return true
	}
	parts := strings.Split(value, " ")
	return len(parts) > 1 && !slices.ContainsFunc(parts, func(part string) bool { return !hasDigit(part) })
}

// annotated reports whether more than an account seems to stand in a value, or
// a sentence, or a remark such as a total below a table.
func annotated(value string, spaced bool) bool {
	last := len(value) - 1
	switch first := value[0]; {
	case (first == '\'' || first == '`') && last > 0 && isLetterOrDigit(value[1]), value[last] == ':':
		return true
	case first|0x20 == 't' || first|0x20 == 's' || first|0x20 == 'g':
		if slices.ContainsFunc(totals, func(word string) bool { return strings.EqualFold(word, value) }) {
			return true
		}
	}
	return spaced && (strings.Count(strings.Trim(value, " "), " ") > 2 && !inParts(value) ||
		strings.Contains(value, ": ") || listMark.MatchString(value) || rowCount.MatchString(value))
}

func isLetterOrDigit(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' || b >= '0' && b <= '9' }

// marked is a value as a spreadsheet's text formula: for the cell of a row that
// was set aside although the cell alone could be an account, so that it is set
// aside again when it comes back unmended.
func marked(value string) string { return `="` + value + `"` }

// startsFormula reports whether a spreadsheet would run the cell, once the
// apostrophes before it are taken away.
func startsFormula(cell string) bool {
	i := 0
	for i < len(cell) && cell[i] == '\'' {
		i++
	}
	return i < len(cell) && strings.IndexByte("=+-@\t\r", cell[i]) >= 0
}

// neutral is the cell as written to an export; original undoes it.
func neutral(cell string) string {
	if startsFormula(cell) {
		return "'" + cell
	}
	return cell
}

func original(cell string) string {
	if cell != "" && cell[0] == '\'' && startsFormula(cell) {
		return cell[1:]
	}
	return cell
}

// isUnusual reports whether an account holds a character beyond those that all
// of Tencent's pages allow.
func isUnusual(account string) bool {
	for i := range len(account) {
		if c := account[i]; !isLetterOrDigit(c) && c != '_' && c != '-' {
			return true
		}
	}
	return false
}
