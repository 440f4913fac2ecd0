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
	DamagedNumber  Reason = "damaged_number"  // such as 1.23E+12: a spreadsheet rounded the number
	Formula        Reason = "formula"         // a spreadsheet's formula or error in place of the value
	CellType       Reason = "cell_type"       // a workbook's date, truth value, fraction, or number shown otherwise than stored
	RepeatedHeader Reason = "repeated_header" // the header once more, as in files that were joined
	Ragged         Reason = "ragged"          // more or fewer cells than there are columns
	StrayQuote     Reason = "stray_quote"     // a quote inside a cell, or text after a closing quote
	OpenQuote      Reason = "open_quote"      // a quote that does not close as it should
	InQuote        Reason = "in_quote"        // a line that an unclear quote above may have swallowed
	NotText        Reason = "not_text"        // a NUL, or bytes that are no text in the file's encoding
	RowTooLong     Reason = "row_too_long"    // over 64 KiB
)

// Reasons lists every reason: first what is wrong with the account, then what
// is wrong with the row.
var Reasons = []Reason{
	Empty, BadCharacter, TooLong, OuterSpace, SeveralValues, DamagedNumber, Formula, CellType,
	RepeatedHeader, Ragged, StrayQuote, OpenQuote, InQuote, NotText, RowTooLong,
}

// UserIDBytes is the longest UserID of Tencent Cloud Chat, in bytes.
const UserIDBytes = 32

var (
	damagedNumber = regexp.MustCompile(`^[-+]?[0-9]([.,][0-9]+)?[Ee][-+][0-9]{1,3}$`)
	sheetErrors   = []string{
		"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!",
		"#GETTING_DATA", "#BLOCKED!", "#UNKNOWN!", "#FIELD!", "#CONNECT!", "#BUSY!",
	}
)

// rules are what an account may be.
type rules struct {
	limit     int  // bytes
	wholeLine bool // separators belong to the account
}

// anyRules accept whatever could be an account under some rules.
var anyRules = rules{limit: math.MaxInt}

// judge tells why a value cannot be an account, or "" when it can. Quoted says
// that the value stood between quotes.
func (r rules) judge(value string, quoted bool) Reason {
	several, signed := false, false // signed: an exponent may be there
	for i := range len(value) {
		switch b := value[i]; {
		case b < 0x20 || b > 0x7E:
			if strings.Trim(value, " \t") == "" {
				return Empty
			}
			return BadCharacter
		case b == ',' || b == ';' || b == '|':
			several = true
		case (b == '+' || b == '-') && i > 0 && value[i-1]|0x20 == 'e':
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
	case several && !r.wholeLine:
		return SeveralValues
	case strings.HasPrefix(value, `="`) && strings.HasSuffix(value, `"`),
		value[0] == '#' && (slices.Contains(sheetErrors, value) || strings.Trim(value, "#") == ""):
		return Formula
	}
	return ""
}

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
		if c := account[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return true
		}
	}
	return false
}
