package accounts

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Reason says why a row was set aside. "" means it was accepted.
type Reason string

const (
	Empty          Reason = "empty"           // no value in the account column
	BadCharacter   Reason = "bad_character"   // a byte outside 0x20 to 0x7E
	TooLong        Reason = "too_long"        // more bytes than an account may have
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
	Spared         Reason = "spared"          // another column says that the row is not meant
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
	Empty, BadCharacter, TooLong, SeveralValues, Annotated, NoValue, DamagedNumber, Formula, CellType,
	RepeatedHeader, ColumnsChanged, Ragged, StrayQuote, OpenQuote, InQuote, NotText, RowTooLong,
	Hidden, Unlike, ShortRow, Rounded, Spared, Range, Masked, Commented,
	NoTag, BadTag, TagTooLong, ManyTags,
}

// UserIDBytes is the longest UserID of Tencent Cloud Chat, in bytes.
const UserIDBytes = 32

var (
	damagedNumber = regexp.MustCompile(`^[-+]?([0-9]([.,][0-9]+)?[Ee][-+][0-9]{1,3}|[0-9][.,][0-9]+[Ee][0-9]{1,3}|` +
		`[0-9]+[.]0+|[0-9]{1,3}([.,'][0-9]{3})+|[0-9]+([.,'][0-9]+){2,})$|^\([0-9.,]+\)$`)
	// What spreadsheets make of an account such as MAR1 or 1-2.
	dateOrTime = regexp.MustCompile(`(?i)^([0-9]{2,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([ T].*)?|[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?|` +
		`[0-9]{1,2}[- /](jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)([- /][0-9]{2,4})?|` +
		`(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)-[0-9]{2,4}|true|false|wahr|falsch|vrai|faux|` +
		`[$][0-9.,]+|[0-9.,]+%)$`)
	noValues = set("null none nan n/a na n.a k.a nil nat undefined blank empty dbnull system.dbnull missing inf infinity unknown tbd tba " +
		"nan(ind #qnan 1.#qnan 1.#ind 1.#inf 1.#snan n/v nv novalue notset unset")
	inBrackets = regexp.MustCompile(`^(\([a-zA-Z ]+\)|<[a-zA-Z ]+>|\[[a-zA-Z ]+\]|\{[a-zA-Z ]+\}|\\.)$`)
	// Signs stand in place of digits: 138****1234, 138xxxx1234, im_40XX.
	masked      = regexp.MustCompile(`[*][*]|[?][?]|[.][.]$|(^|[0-9])[xX]{3,}[0-9]|[0-9](XX+|x{3,})$`)
	listMark    = regexp.MustCompile(`^([0-9]{1,9}[.)]|\(?[0-9]{1,9}\)|[-*+>]+) `)
	rowCount    = regexp.MustCompile(`(?i)^\(?[0-9]+ rows?\b`)
	comments    = []string{"#", "//", "--", ";", "/*", "<!--"}
	sheetErrors = []string{
		"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!",
		"#GETTING_DATA", "#BLOCKED!", "#UNKNOWN!", "#FIELD!", "#CONNECT!", "#BUSY!",
	}
)

// rules are what an account may be.
type rules struct {
	limit     int  // bytes
	wholeLine bool // separators and spaces belong to the account
	tags      bool // the file has a column of tags
	hidden    func(column int) bool
}

// anyRules accept whatever could be an account under some rules.
var anyRules = rules{limit: math.MaxInt}

// trimmed is a cell without the spaces and tabs around it.
func trimmed(cell string) string {
	if n := len(cell); n == 0 || cell[0] > ' ' && cell[n-1] > ' ' { // nearly all
		return cell
	}
	return strings.Trim(cell, " \t")
}

// isIndented: spaces before a cell of a text tell of a separator too many, as in
// Lee, Ann: but not where the header has one as well.
func isIndented(header []string, column int) bool {
	return column < len(header) && strings.HasPrefix(header[column], " ")
}

// separating are signs that may stand between two accounts.
const separating = " ,;|:~=^&#/\\+"

// What the characters of a value are, as bits.
const (
	aDigit uint8 = 1 << iota
	aLetter
	anX
	underscore
	dash
	aSeparator
	otherSign
	noASCII
)

var signs = func() (kind [256]uint8) {
	for c := range kind {
		switch b := byte(c); {
		case isDigit(b):
			kind[c] = aDigit
		case b|0x20 == 'x':
			kind[c] = aLetter | anX
		case isLetterOrDigit(b):
			kind[c] = aLetter
		case b == '_':
			kind[c] = underscore
		case b == '-':
			kind[c] = dash
		case b < 0x20 || b > 0x7E:
			kind[c] = noASCII
		case strings.IndexByte(separating, b) >= 0:
			kind[c] = aSeparator
		default:
			kind[c] = otherSign
		}
	}
	return kind
}()

// signsIn are the bits of all characters of a value.
func signsIn(value string) (all uint8) {
	for i := range len(value) {
		all |= signs[value[i]]
	}
	return all
}

// judge tells why a value cannot be an account, or with SeveralValues that it may
// be more than one; "" when it can.
func (r rules) judge(value string) Reason {
	if isBlank(value) {
		return Empty
	}
	all := signsIn(value)
	plain := all&(dash|aSeparator|otherSign) == 0
	switch {
	case all&noASCII != 0:
		return BadCharacter
	case len(value) > r.limit:
		return TooLong
	case all&(aDigit|aLetter) == 0, (all&aDigit == 0 || !plain) && isNoValue(value):
		if value[0] == '#' {
			return Formula
		}
		return NoValue
	case (all&anX != 0 && hasCrosses(value) || !plain) && masked.MatchString(value):
		return Masked
	case plain && (len(value) > len("false") || all&aLetter == 0):
		return ""
	}
	if reason := remarked(value); reason != "" {
		return reason
	}
	isPhone := value[0] == '+' && isNumber(value[1:])
	if (all&aSeparator != 0 && !isPhone || all&dash != 0 && strings.Contains(value, "--")) && !r.wholeLine {
		return SeveralValues
	}
	return ""
}

func hasCrosses(value string) bool { return strings.Contains(strings.ToLower(value), "xx") }

// remarked tells that a value is what people or spreadsheets made of an account.
func remarked(value string) Reason {
	last := len(value) - 1
	switch first := value[0]; {
	case damagedNumber.MatchString(value):
		return DamagedNumber
	case dateOrTime.MatchString(value):
		return CellType
	case first == '=' && strings.HasPrefix(value, `="`) && value[last] == '"',
		first == '#' && slices.Contains(sheetErrors, value):
		return Formula
	case slices.ContainsFunc(comments, func(mark string) bool { return strings.HasPrefix(value, mark) }):
		return Commented
	case (first == '\'' || first == '`') && last > 0 && isLetterOrDigit(value[1]), listMark.MatchString(value),
		rowCount.MatchString(value):
		return Annotated
	case isRange(value):
		return Range
	}
	return ""
}

// isNoValue reports whether a value is what programs write for none.
func isNoValue(value string) bool {
	if len(value) > len("(System.DBNull)") {
		return false
	}
	core := strings.Trim(value, `-+()[]<>{}"'%$@_.\`)
	return value == "-" || noValues[strings.ToLower(core)] || len(core) < len(value) && inBrackets.MatchString(value)
}

// isRange reports whether a value is two numbers of a row, such as 10001-10020 or
// im_1..im_9: as long as each other, and the second one higher.
func isRange(value string) bool {
	for _, sign := range []string{"...", "..", "~", "-"} {
		from, to, found := strings.Cut(value, sign)
		if !found || strings.Contains(to, sign) {
			continue
		}
		from, to = strings.TrimRight(from, " "), strings.TrimLeft(to, " ")
		prefix := strings.TrimRight(from, "0123456789")
		from, to = from[len(prefix):], strings.TrimPrefix(to, prefix)
		return len(from) > 1 && len(from) == len(to) && isNumber(to) && from < to
	}
	return false
}

func isLetterOrDigit(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' || b >= '0' && b <= '9' }

// markSign stands before the cell of a row that was set aside although the cell
// alone could be an account, so that it is set aside again when it comes back
// uncorrected. It is seen, and no account can have it.
const markSign = "⚠ "

// startsFormula reports whether a spreadsheet would run the cell, once the
// apostrophes before it are taken away.
func startsFormula(cell string) bool {
	i := 0
	for i < len(cell) && cell[i] == '\'' {
		i++
	}
	first, _ := utf8.DecodeRuneInString(cell[i:])
	return i < len(cell) && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first)
}

// neutral is the cell as written to an export; original undoes it.
func neutral(cell string) string {
	if startsFormula(cell) {
		return "'" + cell
	}
	return cell
}

// original also takes ="00123", which programs write to keep the zeros, for 00123.
func original(cell string) string {
	if cell == "" || cell[0] != '\'' && cell[0] != '=' && cell[0] != '\t' {
		return cell
	}
	if number := strings.TrimLeft(cell, "\t"); isNumber(number) { // so that a spreadsheet does not round it
		return number
	}
	if cell[0] == '\'' && startsFormula(cell) {
		return cell[1:]
	}
	if inner, is := strings.CutPrefix(cell, `="`); is {
		if text, is := strings.CutSuffix(inner, `"`); is && !strings.Contains(text, `"`) {
			return text
		}
	}
	return cell
}

// isOdd reports whether an account has a sign that may be no part of it: one other
// than _ - . @, one of these at an end where it is no letter, or a point in a number.
func isOdd(account string) bool {
	last := len(account) - 1
	if !isUnusual(account) {
		return account[0] == '-' || account[last] == '-'
	}
	if strings.IndexByte("-.@", account[0]) >= 0 || strings.IndexByte("-.@", account[last]) >= 0 ||
		isDigit(account[last]) && strings.IndexByte(account, '.') > 0 && strings.Trim(account, "0123456789.") == "" {
		return true
	}
	for i := range len(account) {
		if c := account[i]; !isLetterOrDigit(c) && strings.IndexByte("_-.@", c) < 0 && strings.IndexByte(separating, c) < 0 {
			return true
		}
	}
	return false
}

// isUnusual reports whether an account holds a character beyond those that all
// of Tencent's pages allow.
func isUnusual(account string) bool { return signsIn(account)&(aSeparator|otherSign) != 0 }
