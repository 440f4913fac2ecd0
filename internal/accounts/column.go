package accounts

import (
	"slices"
	"strconv"
)

// findColumn takes the column that was chosen, else the likeliest. The first row
// may be a header.
func (l *layout) findColumn(first sampleRow, c Choices, r rules) {
	tags := -1
	if r.tags {
		if tags = c.TagColumn - 1; tags < 0 {
			tags = namedTags(first.cells, c.Column-1)
		}
	}
	used := usedIn(first.cells, l.rows)
	named := namedColumn(first.cells)
	switch {
	case c.Column > 0:
		l.column = c.Column - 1
		return
	case len(used) == 1:
		l.column = used[0]
		return
	case named >= 0 && named != tags && c.Header != No && (r.hidden == nil || !r.hidden(named)):
		l.column = named
		return
	}
	l.likeliest(first, tags, c, r)
}

func (l *layout) likeliest(first sampleRow, tags int, c Choices, r rules) {
	best := 0.0
	for i := range min(l.columns, MaxColumns) {
		if score := l.score(i, first.cell(i), c, r); score > best && i != tags {
			best, l.column = score, i
		}
	}
}

// counts: such short numbers may be those of rows.
func counts(value string) bool { return isNumber(value) && len(value) < 5 }

// score tells how much a column looks like that of the accounts.
func (l *layout) score(column int, name string, c Choices, r rules) (score float64) {
	accounts := accountsIn(l.rows, column, r)
	numbering := share(accounts, counts)
	if len(accounts) > 0 {
		score = float64(len(accounts))/float64(len(l.rows)) + 1 - numbering + share(accounts, isID) +
			share(accounts, func(account string) bool { return isID(account) && isMixed(account) })/2
		if isDistinct(accounts) {
			score++
		}
	}
	switch {
	case r.hidden != nil && r.hidden(column):
		score--
	case c.Header == No:
	case namesOther(name):
		score /= 4
	case !r.tags && len(accounts) > 3 && (repeats(accounts) || numbering >= 0.9): // of those who work with accounts, or of rows
	case wordOf(name) == "id":
		score++
	case isAccountWord(name):
		score += 3
	}
	return score
}

// askColumn asks for the account column unless it is certain: it is the only one,
// or its name says so and no other column could be it.
func (l *layout) askColumn(first sampleRow, headerCertain bool, c Choices, r rules) {
	used := l.used()
	if len(used) < 2 && (len(used) == 0 || used[0] == l.column) {
		return
	}
	name := l.cellName(l.column)
	if l.header != nil && headerCertain {
		l.byName = isResults(l.header) || isMarked(name) ||
			isUnmistakable(name) && (isRejects(l.header) || !l.misplaced(used) && !l.contested(used, r))
		if l.byName || isAccountWord(name) && !isUnmistakable(name) && !l.misplaced(used) && !l.contested(used, r) {
			return
		}
		mine := accountsIn(l.rows, l.column, r)
		if isUnmistakable(name) && !r.tags && len(mine) > 3 && (repeats(mine) || share(mine, counts) >= 0.9) {
			l.likeliest(first, -1, c, r)
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

func (l *layout) used() (columns []int) { return usedIn(l.header, l.rows) }

func (l *layout) cellName(column int) string {
	if column < len(l.header) {
		return l.header[column]
	}
	return ""
}

func (l *layout) cellsIn(column int) (cells []string) {
	for _, row := range l.rows {
		cells = append(cells, row.cell(column))
	}
	return cells
}

func (l *layout) firstValues(column int) (first []string) { return shown(l.cellsIn(column)) }

// misplaced reports whether names and cells may not meet: a column with cells has no
// name, but for running numbers in front, or no row has as many cells as the header.
func (l *layout) misplaced(used []int) bool {
	for _, i := range used {
		first := l.firstValues(i)
		if isBlank(l.cellName(i)) && (i > 0 || len(first) == 0 || first[0] != "0" && first[0] != "1") {
			return true
		}
	}
	named := len(withoutBlankEnd(l.header))
	return len(l.rows) > 0 && l.rows[0].typed == nil &&
		!slices.ContainsFunc(l.rows, func(row sampleRow) bool { return len(row.cells) >= named })
}

// contested reports whether another column could hold the accounts. Its cells must
// be others than those of the account column.
func (l *layout) contested(used []int, r rules) bool {
	named, mine := isUnmistakable(l.cellName(l.column)), accountsIn(l.rows, l.column, r)
	certain := named && isDistinct(mine) && share(mine, counts) < 0.9
	counting := isCounting(mine)
	return slices.ContainsFunc(used, func(i int) bool {
		name := l.cellName(i)
		switch {
		case i == l.column || slices.Equal(l.cellsIn(i), l.cellsIn(l.column)):
			return false
		case isUnmistakable(name), counting && isDistinct(l.cellsIn(i)):
			return true
		case namesOther(name):
			return false
		}
		values := l.plainIn(i, mine, r)
		isWord := isAccountWord(name) && (!named || wordOf(name) != "id" && share(values, isID) >= 0.5) ||
			slices.ContainsFunc(wordsIn(name), func(word string) bool { return ofAccounts[word] })
		return len(values) > 0 && (isWord || likeThem(values, mine) || isDistinct(values) &&
			(share(values, hasDigit) >= 0.5 && (personNames[wordOf(name)] || share(values, isMixed) >= 0.5) ||
				!certain && !personNames[wordOf(name)]))
	})
}

// isCounting reports whether values number the rows from 0 or 1.
func isCounting(values []string) bool {
	for i, value := range values {
		if n, err := strconv.Atoi(value); err != nil || n != i && n != i+1 {
			return false
		}
	}
	return len(values) > 2
}

// plainIn are the cells of another column that could be accounts, with separators and
// spaces only if the accounts have some; nil when they are not half of those filled.
func (l *layout) plainIn(column int, mine []string, r rules) (values []string) {
	filled := 0
	r.wholeLine = share(mine, func(account string) bool { return r.judge(account) != "" }) > 0.5
	for _, row := range l.rows {
		if isBlank(row.cell(column)) {
			continue
		}
		filled++
		if account, several := row.account(column, r); account != "" && !several && !isOther(account) {
			values = append(values, account)
		}
	}
	if len(values)*2 < filled {
		return nil
	}
	return values
}

// likeThem reports whether half of the values have the kind of nearly all accounts.
func likeThem(values, accounts []string) bool {
	like := likenessOf(accounts)
	return like.Class != "" && like.Class != letters && (like.Class != digits || isDistinct(values)) &&
		share(values, like.fits) >= 0.5
}
