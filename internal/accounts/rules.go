package accounts

import (
	"regexp"
	"slices"
	"strings"
)

// Reason says why a row was set aside. "" means it was accepted.
type Reason string

const (
	Empty         Reason = "empty"          // no value in the account column
	BadCharacter  Reason = "bad_character"  // a byte outside 0x20 to 0x7E
	TooLong       Reason = "too_long"       // more bytes than an account may have
	OuterSpace    Reason = "outer_space"    // a space before or after an unquoted value
	SeveralValues Reason = "several_values" // a separator in an unquoted value: perhaps several accounts
	DamagedNumber Reason = "damaged_number" // such as 1.23E+12: a spreadsheet rounded the number
	Formula       Reason = "formula"        // a spreadsheet's formula or error in place of the value
	Ragged        Reason = "ragged"         // more or fewer cells than there are columns
	StrayQuote    Reason = "stray_quote"    // a quote inside a cell, or text after a closing quote
	OpenQuote     Reason = "open_quote"     // a quote that does not close as it should
	InQuote       Reason = "in_quote"       // a line that an unclear quote above may have swallowed
	NotText       Reason = "not_text"       // a NUL, or bytes that are not UTF-8
	RowTooLong    Reason = "row_too_long"   // over 64 KiB
)

// Reasons lists every reason: first what is wrong with the account, then what
// is wrong with the row.
var Reasons = []Reason{
	Empty, BadCharacter, TooLong, OuterSpace, SeveralValues, DamagedNumber, Formula,
	Ragged, StrayQuote, OpenQuote, InQuote, NotText, RowTooLong,
}

// UserIDBytes is the longest UserID of Tencent Cloud Chat, in bytes.
const UserIDBytes = 32

var (
	damagedNumber = regexp.MustCompile(`^[0-9]([.,][0-9]+)?[Ee]\+[0-9]{1,3}$`)
	sheetErrors   = []string{"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"}
)

// judge tells why a value cannot be an account, or "" when it can. Quoted says
// that the value stood between quotes.
func judge(value string, quoted bool, limit int) Reason {
	inner := strings.Trim(value, " \t")
	switch {
	case inner == "":
		return Empty
	case strings.ContainsFunc(value, func(c rune) bool { return c < 0x20 || c > 0x7E }):
		return BadCharacter
	case !quoted && inner != value:
		return OuterSpace
	case len(value) > limit:
		return TooLong
	case !quoted && strings.ContainsAny(value, ",;|"):
		return SeveralValues
	case damaged(value):
		return DamagedNumber
	case strings.HasPrefix(value, `="`) && strings.HasSuffix(value, `"`),
		slices.Contains(sheetErrors, value), strings.Trim(value, "#") == "":
		return Formula
	}
	return ""
}

func damaged(value string) bool {
	// The byte test spares nearly every row the regular expression.
	return strings.IndexByte(value, '+') > 1 && damagedNumber.MatchString(value)
}

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
