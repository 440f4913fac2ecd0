package accounts

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
	digits      int // zeros are shown in front up to so many digits
}

var (
	notInFormat  = regexp.MustCompile(`"[^"]*"|\\.|_.|\*.|\[\$[^\]]*\]|\[[A-Za-z]{3,}[0-9]*\]|\[[<>=][^\]]*\]|General|(?i:AM/PM)|(?i:A/P)`)
	leadingZeros = regexp.MustCompile(`^0{2,}`)
	number       = regexp.MustCompile(`^(-?)([0-9]*)(?:\.([0-9]*))?(?:[Ee]([-+]?[0-9]{1,3}))?$`)
)

func formatOfNumber(id int, code string) numberFormat {
	switch {
	case code != "":
		plain := notInFormat.ReplaceAllString(code, "")
		plain, _, _ = strings.Cut(plain, ";")
		return numberFormat{
			date:   strings.ContainsAny(plain, "yYdD") || strings.ContainsAny(plain, "mM") && !strings.ContainsAny(plain, "hHsS0#?"),
			clock:  strings.ContainsAny(plain, "hHsS"),
			digits: len(leadingZeros.FindString(plain)),
		}
	case id >= 14 && id <= 17, id >= 27 && id <= 31, id == 36, id >= 50 && id <= 58:
		return numberFormat{date: true}
	case id == 22:
		return numberFormat{date: true, clock: true}
	case id >= 18 && id <= 21, id >= 32 && id <= 35, id >= 45 && id <= 47:
		return numberFormat{clock: true}
	}
	return numberFormat{}
}

// maxDigits of a number are exact in a spreadsheet.
const maxDigits = 15

// numberCell is a number as it is shown, and why it cannot be trusted to be the
// account that a person sees.
func numberCell(stored string, f numberFormat, since1904 bool) (shown string, reason Reason) {
	parts := number.FindStringSubmatch(stored)
	if parts == nil || parts[2] == "" && parts[3] == "" {
		return stored, CellType
	}
	value, err := strconv.ParseFloat(stored, 64)
	if err != nil {
		return stored, CellType
	}
	if f.date || f.clock {
		if shown, ok := moment(value, f, since1904); ok {
			return shown, CellType
		}
		return stored, CellType
	}
	exponent, _ := strconv.Atoi(parts[4])
	digits, whole := wholeDigits(parts[2], parts[3], exponent)
	switch {
	case whole && len(digits) > maxDigits && damagedNumber.MatchString(stored):
		return stored, DamagedNumber
	case whole && len(digits) > maxDigits:
		return strconv.FormatFloat(value, 'E', -1, 64), DamagedNumber
	case !whole:
		return strconv.FormatFloat(value, 'g', maxDigits, 64), CellType
	case digits == "0":
		parts[1] = ""
	}
	if len(digits) < f.digits {
		return parts[1] + strings.Repeat("0", min(f.digits, 100)-len(digits)) + digits, CellType
	}
	return parts[1] + digits, ""
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
