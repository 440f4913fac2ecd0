package accounts

import (
	"slices"
	"strings"
	"unicode"
)

// doubts finds, row by row, what only a person can decide, and headers in the
// middle of files that were joined.
type doubts struct {
	understanding *Understanding
	header        []string        // in the form of plainWord; nil: none
	accepted      map[Reason]bool // by a person
	changed       bool            // the rows at hand stand below another header
	comment       bool            // they stand in a comment of several lines
}

func newDoubts(u *Understanding) doubts {
	d := doubts{understanding: u, accepted: map[Reason]bool{}}
	for _, cell := range u.Header {
		d.header = append(d.header, plainWord(cell))
	}
	d.header = withoutBlankEnd(d.header)
	for _, reason := range u.Accepted {
		d.accepted[reason] = true
	}
	return d
}

// middle looks for a header in the middle; it reports whether the row is the
// file's own header once more.
func (d *doubts) middle(fields []string, value string) (repeated bool) {
	u := d.understanding
	if d.isComment(fields) || hasDigit(value) && (u.Column >= len(u.Header) || value != u.Header[u.Column]) {
		return false // no header: so it is with most accounts
	}
	filled := filledIn(fields)
	switch {
	case d.repeats(fields):
		d.changed = false
		return true
	case filled == 1 && isUnmistakable(value):
		return true
	case filled > 1 && d.isOtherHeader(fields, value), filled == 1 && d.isTitle(value), isPart(fields, value):
		d.changed = true
	}
	return false
}

// isComment reports whether a row is of a comment, which may have several lines.
func (d *doubts) isComment(fields []string) bool {
	if !d.comment && (len(fields) == 0 || !strings.HasPrefix(fields[0], "/*") && !strings.HasPrefix(fields[0], "<!--")) {
		return false
	}
	d.comment = !slices.ContainsFunc(fields, func(field string) bool {
		return strings.Contains(field, "*/") || strings.Contains(field, "-->")
	})
	return true
}

// repeats: the header's cells but for case and signs.
func (d *doubts) repeats(fields []string) bool {
	if d.header == nil || len(fields) < len(d.header) {
		return false
	}
	for i, field := range fields {
		want := ""
		if i < len(d.header) {
			want = d.header[i]
		}
		if len(field) > longestName && field != d.understanding.Header[min(i, len(d.header)-1)] || plainWord(field) != want {
			return false
		}
	}
	return true
}

// isOtherHeader: no digit where nearly all rows have one, or a header's words.
func (d *doubts) isOtherHeader(fields []string, value string) bool {
	if slices.ContainsFunc(fields, isUnmistakable) {
		return true
	}
	if isKnownWord(value) && knownIn(fields) > 1 {
		return true
	}
	u := d.understanding
	columns := u.WithDigit
	if u.Like.Class != digits && u.Like.Class != prefixed { // by chance, an account has no digit
		columns = slices.DeleteFunc(slices.Clone(columns), func(i int) bool { return i == u.Column })
	}
	isWord := func(field string) bool { return strings.ContainsFunc(field, unicode.IsLetter) }
	withDigit := func(i int) bool { return i < len(fields) && hasDigit(fields[i]) }
	return len(columns) > 0 && slices.ContainsFunc(fields, isWord) && !slices.ContainsFunc(columns, withDigit)
}

// isTitle: a word alone in its row, without a digit although nearly all accounts have
// one, or that names a part of a list; a line of signs. Below it may stand those whom
// nobody wants to touch.
func (d *doubts) isTitle(value string) bool {
	u := d.understanding
	if !strings.ContainsFunc(value, unicode.IsLetter) {
		return len(value) > 2 && strings.Trim(value, "-=_*#~.") == ""
	}
	isWord := func(word string) bool { return titleWords[plainWord(word)] }
	return slices.ContainsFunc(strings.Fields(value), isWord) || strings.HasSuffix(value, ":") || isKnownWord(value) ||
		(u.Like.Class == digits || u.Like.Class == prefixed) && slices.Contains(u.WithDigit, u.Column) && !isNoValue(value)
}

// isPart reports whether a row says, but for numbers, only what is to be done with those below.
func isPart(fields []string, value string) bool {
	isOther := func(field string) bool {
		return trimmed(field) != value && strings.ContainsFunc(field, unicode.IsLetter)
	}
	if slices.ContainsFunc(fields, isOther) {
		return false
	}
	words := wordsIn(value)
	return len(words) == len(strings.Fields(value)) && wordsSay(value, words) != saysNothing
}

// reason is why a row that is an account otherwise is in doubt: the first reason
// that no person has accepted.
func (d *doubts) reason(row *Row, judged Reason, hidden, short bool) Reason {
	u, value := d.understanding, row.Value
	switch {
	case hidden && !d.accepted[Hidden]:
		return Hidden
	case (d.changed || d.comment) && !d.accepted[ColumnsChanged]:
		return ColumnsChanged
	case u.MeantBy > 0 && u.spares(row.Fields) && !d.accepted[Spared]:
		return Spared
	case short && !d.accepted[ShortRow]:
		return ShortRow
	case judged == SeveralValues && !d.accepted[SeveralValues]:
		return SeveralValues
	case (!u.Like.fits(value) || isOdd(value) || !hasDigit(value) && isRemark(value)) && !d.accepted[Unlike]:
		return Unlike
	case u.Rounding && isLongNumber(value) && (endsInZeros(value) || isFloat(value)) && !d.accepted[Rounded]:
		return Rounded
	}
	return ""
}
