package accounts

import (
	"slices"
	"strings"
)

// tagMark stands behind the name of a column of tags that would not be recognised by its name.
const tagMark = " [tags]"

// namesTags reports whether a header's cell names tags: tags, user_tags, 会员标签.
func namesTags(cell string) bool {
	words := wordsIn(cell)
	if len(words) == 0 || len(cell) > longestName {
		return false
	}
	last := words[len(words)-1]
	return slices.Contains([]string{"tag", "tags", "label", "labels"}, last) ||
		strings.HasSuffix(last, "标签") || strings.HasSuffix(last, "標籤")
}

// namedTags is the column that is marked, or the only one other than that of the
// accounts that names tags; -1 when there is none.
func namedTags(header []string, accounts int) (column int) {
	column = -1
	for i, cell := range header {
		switch {
		case i == accounts:
		case strings.HasSuffix(cell, tagMark):
			return i
		case namesTags(cell) && column >= 0:
			column = len(header) // several
		case namesTags(cell):
			column = i
		}
	}
	if column == len(header) {
		return -1
	}
	return column
}

// tagColumn finds the column of the tags, from 0: the one chosen, else the one
// that the header names, else the only other one in use, right of the accounts,
// unless the header calls it something else. -1 when it cannot be told.
func (l *layout) tagColumn(chosen Choices) int {
	if chosen.TagColumn > 0 {
		return chosen.TagColumn - 1
	}
	if column := namedTags(l.header, l.column); column >= 0 {
		return column
	}
	used := l.used()
	if len(used) == 2 && used[0] == l.column && !isKnownWord(l.cellName(used[1])) {
		return used[1]
	}
	return -1
}

// takeTags makes the column of the tags part of the understanding.
func (u *Understanding) takeTags(found layout, c Choices) error {
	column := found.tagColumn(c)
	switch {
	case column >= u.Columns:
		return FaultColumn.With(column+1, u.Columns)
	case column == u.Column:
		return FaultSameColumn.With(column + 1)
	}
	u.TagColumn = column + 1
	return nil
}

// hasTags returns a fault when the column of the tags could not be told.
func (u *Understanding) hasTags() error {
	switch {
	case u.TagColumn > 0:
		return nil
	case u.Columns < 2:
		return FaultNoTags.With()
	}
	return FaultTagColumn.With(u.Columns)
}
