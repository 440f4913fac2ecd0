package workbook

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// numberFormat says how the numbers of a style are shown, as far as it changes
// what they are.
type numberFormat struct {
	date, clock bool
	struck      bool // out
	digits      int  // zeros are shown in front up to so many digits

	other      bool // than the number is shown, such as a word, a percentage or nothing
	otherBelow bool // the same of what is not above zero
}

// formatBytes is the longest number format that spreadsheets write.
const formatBytes = 255

var (
	number      = regexp.MustCompile(`^(-?)([0-9]*)(?:\.([0-9]*))?(?:[Ee]([-+]?[0-9]{1,3}))?$`)
	notInFormat = regexp.MustCompile(`"[^"]*"|\\.|_.|\*.|\[\$[^\]]*\]|\[[A-Za-z]{3,}[0-9]*\]|` +
		`\[[<>=][^\]]*\]|General|(?i:AM/PM)|(?i:A/P)`)
	leadingZeros = regexp.MustCompile(`^0{2,}$`)

	// What changes nothing of a number: its colour, its place in the cell, spaces around it.
	noMatter = regexp.MustCompile(`(?i)\[(?:black|blue|cyan|green|magenta|red|white|yellow|color ?[0-9]{1,2})\]|` +
		`\[\$-[0-9a-f]{1,4}\]|_.|\* `)
	plainNumber = regexp.MustCompile(`^(?:(?i:General)|G/通用格式|@|(?:#*0?|#,##[#0])(?:\.[0#?]*)?(?:[Ee][-+][0#]+)?)$`)
)

// builtIn are the formats that have a number and no code, but for dates.
var builtIn = map[int]string{
	0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 11: "0.00E+00",
	37: "#,##0_);(#,##0)", 38: "#,##0_);(#,##0)", 39: "#,##0.00_);(#,##0.00)", 40: "#,##0.00_);(#,##0.00)",
	41: `#,##0_);(#,##0);"-"_)`, 43: `#,##0.00_);(#,##0.00);"-"_)`, 48: "##0.0E+0", 49: "@",
}

func formatOfNumber(id int, code string) numberFormat {
	switch {
	case code != "":
	case id >= 14 && id <= 17, id >= 27 && id <= 31, id == 36, id >= 50 && id <= 58:
		return numberFormat{date: true}
	case id == 22:
		return numberFormat{date: true, clock: true}
	case id >= 18 && id <= 21, id >= 32 && id <= 35, id >= 45 && id <= 47:
		return numberFormat{clock: true}
	default:
		code = builtIn[id]
	}
	if code == "" || len(code) > formatBytes {
		return numberFormat{other: true, otherBelow: true}
	}
	plain := notInFormat.ReplaceAllString(code, "")
	plain, _, _ = strings.Cut(plain, ";")
	f := numberFormat{
		date: strings.ContainsAny(plain, "yYdD") ||
			strings.ContainsAny(plain, "mM") && !strings.ContainsAny(plain, "hHsS0#?"),
		clock:  strings.ContainsAny(plain, "hHsS"),
		digits: len(leadingZeros.FindString(code)),
	}
	if f.digits > 0 {
		return f
	}
	above, further, _ := strings.Cut(code, ";") // one between quotes leaves a part that is not plain
	above = noMatter.ReplaceAllString(above, "")
	above = strings.Trim(strings.NewReplacer(`\ `, " ", `" "`, " ").Replace(above), " ")
	f.other = above == "" || !plainNumber.MatchString(above)
	f.otherBelow = f.other || further != "" || strings.Trim(above, "#?.,") == ""
	return f
}

// maxDigits of a number are exact in a spreadsheet.
const maxDigits = 15

// inexact is how a rounded number is written; any other is given an exponent.
var inexact = regexp.MustCompile(`^-?([0-9](\.[0-9]+)?[Ee][-+][0-9]{1,3}|[0-9]\.[0-9]+[Ee][0-9]{1,3}|[0-9]+\.0+)$`)

// numberCell is a number as it is shown, and whether a person sees it so.
func numberCell(stored string, f numberFormat, since1904 bool) (shown string, kind Kind) {
	parts := number.FindStringSubmatch(stored)
	if parts == nil || parts[2] == "" && parts[3] == "" {
		return stored, Other
	}
	value, err := strconv.ParseFloat(stored, 64)
	if err != nil {
		return stored, Other
	}
	if f.date || f.clock {
		if shown, ok := moment(value, f, since1904); ok {
			return shown, Other
		}
		return stored, Other
	}
	exponent, _ := strconv.Atoi(parts[4])
	digits, whole := wholeDigits(parts[2], parts[3], exponent)
	switch {
	case whole && len(digits) > maxDigits && inexact.MatchString(stored):
		return stored, Rounded
	case whole && len(digits) > maxDigits:
		return strconv.FormatFloat(value, 'E', -1, 64), Rounded
	case !whole:
		return strconv.FormatFloat(value, 'g', maxDigits, 64), Other
	case digits == "0":
		parts[1] = ""
	}
	if f.other || f.otherBelow && (parts[1] != "" || digits == "0") {
		return parts[1] + digits, Other
	}
	if len(digits) < f.digits {
		return parts[1] + strings.Repeat("0", min(f.digits, 100)-len(digits)) + digits, Other
	}
	return parts[1] + digits, Plain
}

// wholeDigits are the digits of a whole number; more than are exact are cut.
func wholeDigits(before, after string, exponent int) (digits string, whole bool) {
	after = strings.TrimRight(after, "0")
	all := strings.TrimLeft(before+after, "0")
	if all == "" {
		return "0", true
	}
	shift := exponent - len(after)
	switch {
	case shift < 0:
		cut := max(0, len(all)+shift)
		if strings.Trim(all[cut:], "0") != "" || -shift > len(all) {
			return "", false
		}
		all = all[:cut]
	case shift > 0:
		all += strings.Repeat("0", min(shift, 2*maxDigits))
	}
	return all, true
}

// moment is a date, a time of the day, or both.
func moment(value float64, f numberFormat, since1904 bool) (string, bool) {
	if value < 0 || value >= 2_958_466 { // the year 10000
		return "", false
	}
	first := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	if since1904 {
		first = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	} else if value < 60 {
		first = first.AddDate(0, 0, 1) // spreadsheets count a 29 February 1900
	}
	seconds := int64(value*86_400 + 0.5)
	at := first.AddDate(0, 0, int(seconds/86_400)).Add(time.Duration(seconds%86_400) * time.Second)
	switch {
	case f.date && (f.clock || seconds%86_400 != 0):
		return at.Format("2006-01-02 15:04:05"), true
	case f.date:
		return at.Format("2006-01-02"), true
	}
	return at.Format("15:04:05"), true
}
