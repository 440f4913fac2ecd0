package accounts

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	fraction = regexp.MustCompile(`^[-+$€£¥]?[0-9]+[.,][0-9]+%?$`)
	mail     = regexp.MustCompile(`^[^@]+@[^@]+[.][A-Za-z]+$`)
	// otherIDs: mobile numbers of China and with a plus, IPv4 addresses, days and Unix times.
	otherIDs = regexp.MustCompile(`^([+][-0-9 ]+|(86)?[- ]?1[3-9][0-9]{9}|([0-9]{1,3}[.]){3}[0-9]{1,3}|` +
		`(19|20)[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9]|1[0-9]{9}|1[0-9]{12})$`)
)

// namedColumn is the only column that a header names unmistakably, or that our own
// mark stands at; -1 when there is none.
func namedColumn(header []string) int {
	if isResults(header) {
		return 1
	}
	if marked := slices.IndexFunc(header, isMarked); marked >= 0 {
		return marked
	}
	named := slices.IndexFunc(header, isUnmistakable)
	return named
}

// findColumn takes the column that was chosen, else the likeliest. The first row
// may be a header.
func (l *layout) findColumn(first sampleRow, c Choices, r rules) {
	tags := -1
	if r.tags {
		if tags = c.TagColumn - 1; tags < 0 {
			tags = namedTags(first.cells, c.Column-1)
		}
	}
	if c.Column > 0 {
		l.column = c.Column - 1
		return
	}
	if used := usedIn(l.columns, first.cells, l.rows); len(used) == 1 {
		l.column = used[0]
		return
	}
	if named := namedColumn(first.cells); named >= 0 && named != tags && c.Header != No {
		l.column = named
		return
	}
	best := -1
	for i := range min(l.columns, MaxColumns) {
		if i == tags {
			continue
		}
		score := l.score(i, r)
		if name := first.cell(i); c.Header != No && !hasDigit(name) {
			switch {
			case naming(name) == elses:
				score -= 40
			case isAccountWord(name) && !weakWords[plainWord(name)]:
				score += 70
			case isAccountWord(name):
				score += 30
			case naming(name) == somebodys:
				score += 20
			}
		}
		if score > best {
			best, l.column = score, i
		}
	}
}

// score tells how much the cells of a column look like accounts.
func (l *layout) score(column int, r rules) int {
	rows, others := 0, 0
	for _, row := range l.rows {
		if row.broken {
			continue
		}
		rows++
		if isOther(row.cell(column)) {
			others++
		}
	}
	values := accountsIn(l.rows, column, r)
	if len(values) == 0 || rows == 0 {
		return 0
	}
	score := 40 * len(values) / rows
	if isDistinct(values) {
		score += 20
	}
	score += int(20 * share(values, func(v string) bool { return classOf(v) == mixed }))
	return max(score-40*others/rows-l.running(column), 0)
}

// running takes off what speaks against running numbers and short ones.
func (l *layout) running(column int) int {
	last, running, short, numbers := int64(0), 0, 0, 0
	for _, row := range l.rows {
		n, err := strconv.ParseInt(row.cell(column), 10, 64)
		if err != nil {
			continue
		}
		numbers++
		if n == last+1 {
			running++
		}
		if len(row.cell(column)) < 5 {
			short++
		}
		last = n
	}
	if numbers > 1 && (running*10 >= (numbers-1)*9 || short*10 >= numbers*9) {
		return 25
	}
	return 0
}

func isOther(cell string) bool {
	return dateOrTime.MatchString(cell) || fraction.MatchString(cell) || mail.MatchString(cell) || otherIDs.MatchString(cell)
}

// isDistinct: hardly a value repeats.
func isDistinct(values []string) bool {
	distinct := map[string]bool{}
	for _, value := range values {
		distinct[value] = true
	}
	repeats := len(values) - len(distinct)
	return repeats*10 <= len(values)
}

// askColumn asks for the account column unless it is certain: it is the only one,
// or its name says so and no other column could be it.
func (l *layout) askColumn(headerCertain bool, r rules) {
	used := l.used()
	if len(used) < 2 && (len(used) == 0 || used[0] == l.column) {
		return
	}
	if l.header != nil && headerCertain {
		l.byName = isResults(l.header) || isMarked(l.cellName(l.column)) ||
			isUnmistakable(l.cellName(l.column)) && !l.misplaced(used) && !l.contested(used, r)
		if l.byName || l.leftOver(used, r) && !l.misplaced(used) {
			return
		}
	}
	l.unsure = append(l.unsure, l.columnQuestion(used))
}

const columnsShown = 200

func (l *layout) columnQuestion(used []int) Question {
	q := Question{Name: AskColumn, Suggested: strconv.Itoa(l.column + 1)}
	for _, i := range used {
		if len(q.Choices) < columnsShown || i == l.column {
			q.Choices = append(q.Choices, Choice{strconv.Itoa(i + 1), shorten(l.cellName(i)), l.firstValues(i)})
		}
	}
	if !slices.Contains(used, l.column) {
		q.Choices = append(q.Choices, Choice{Value: q.Suggested, Label: shorten(l.cellName(l.column))})
	}
	return q
}

func (l *layout) cellName(column int) string {
	if column < len(l.header) {
		return l.header[column]
	}
	return ""
}

// contested reports whether another column could hold the accounts: its name is
// unmistakable or somebody's too, or its cells look like accounts.
func (l *layout) contested(used []int, r rules) bool {
	return slices.ContainsFunc(used, func(i int) bool {
		if i == l.column || l.sameCells(i) {
			return false
		}
		name := l.cellName(i)
		return isUnmistakable(name) || naming(name) == somebodys && l.couldHold(i, r) ||
			naming(name) != elses && l.looksLike(i, r)
	})
}

// misplaced reports whether names and cells may not meet: a column with cells has no
// name, but for running numbers in front, or no row has as many cells as the header.
func (l *layout) misplaced(used []int) bool {
	for _, i := range used {
		if !isBlank(l.cellName(i)) {
			continue
		}
		first := l.firstValues(i)
		if i > 0 || len(first) == 0 || first[0] != "0" && first[0] != "1" || l.running(i) == 0 {
			return true
		}
	}
	named := len(withoutBlankEnd(l.header))
	return len(l.rows) > 0 && l.rows[0].typed == nil &&
		!slices.ContainsFunc(l.rows, func(row sampleRow) bool { return !row.broken && len(row.cells) >= named })
}

// leftOver reports whether the account column has a word for an account as its name
// and all others say that they are something else.
func (l *layout) leftOver(used []int, r rules) bool {
	if !isAccountWord(l.cellName(l.column)) || naming(l.cellName(l.column)) == elses {
		return false
	}
	return !slices.ContainsFunc(used, func(i int) bool {
		name := l.cellName(i)
		return i != l.column && naming(name) != elses && (naming(name) != softly || isAccountWord(name) || l.looksLike(i, r))
	})
}

// plainIn are the cells of a column that could be accounts, without separators and
// spaces unless the accounts have some.
func (l *layout) plainIn(column int, r rules) (values []string) {
	isPlain := func(account string) bool { return r.judge(account, true) == "" }
	plain := share(accountsIn(l.rows, l.column, r), isPlain) >= 0.5
	for _, account := range accountsIn(l.rows, column, r) {
		if !plain || isPlain(account) {
			values = append(values, account)
		}
	}
	return values
}

// couldHold reports whether half of a column's cells could be accounts; nothing is
// known of one without any.
func (l *layout) couldHold(column int, r rules) bool {
	filled := 0
	for _, row := range l.rows {
		if !isBlank(row.cell(column)) {
			filled++
		}
	}
	return len(l.plainIn(column, r))*2 >= filled
}

func (l *layout) sameCells(column int) bool {
	return !slices.ContainsFunc(l.rows, func(row sampleRow) bool { return row.cell(column) != row.cell(l.column) })
}

// looksLike reports whether a column's cells are like those of the account column:
// with the same letters before the digits, or numbers about as long; or whether
// they are mostly distinct mixes of letters and digits that are nothing else, or
// distinct at all where the accounts repeat.
func (l *layout) looksLike(column int, r rules) bool {
	mine, values := accountsIn(l.rows, l.column, r), []string(nil)
	for _, account := range l.plainIn(column, r) {
		if !isOther(account) {
			values = append(values, account)
		}
	}
	if len(values)*2 < len(l.rows) {
		return false
	}
	if isDistinct(values) && (share(values, func(v string) bool { return classOf(v) == mixed }) >= 0.5 ||
		naming(l.cellName(column)) == unknownName && len(values) > 2 && !isDistinct(mine)) {
		return true
	}
	if len(mine) == 0 {
		return false
	}
	length := func(values []string) int { return len(strings.Join(values, "")) / len(values) }
	near := length(values)-length(mine) < 3 && length(mine)-length(values) < 3
	prefix := beforeDigit(mine[0])
	switch {
	case share(mine, isNumber) >= 0.9 && share(values, isNumber) >= 0.9:
		return near && isDistinct(values)
	case hasDigit(mine[0]) && prefix != "":
		return share(values, func(v string) bool { return hasDigit(v) && beforeDigit(v) == prefix }) >= 0.5
	}
	return false
}
