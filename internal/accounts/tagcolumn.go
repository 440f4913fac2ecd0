package accounts

import (
	"regexp"
	"strings"
)

// tagMark stands behind the name of a column of tags that would not be recognised by its name.
const tagMark = " [tags]"

// tagWords name a column of tags, in the form of plainWord.
var tagWords = set("tag tags label labels tagname tagnames taglist labelname labelnames " +
	"标签 标签名 标签名称 标签列表 標籤 標籤名 標籤名稱 用户标签 用戶標籤")

// tagEnding is how longer names of such a column end: user_tags, userTags, 会员标签.
var tagEnding = regexp.MustCompile(`(^|[_\s.-])((?i)tags?|labels?)$|[a-z](Tags?|Labels?)$|(标签|標籤)$`)

// A header's cell names the tags in one of these ways, the surest last.
const (
	noTags = iota
	tagsByEnding
	tagsByWord
	tagsByMark
)

func namingTags(cell string) (way int) {
	name := bare(cell)
	switch {
	case strings.HasSuffix(cell, tagMark):
		return tagsByMark
	case tagWords[plainWord(name)]:
		return tagsByWord
	case len(cell) <= 60 && tagEnding.MatchString(strings.TrimSpace(name)):
		return tagsByEnding
	}
	return noTags
}

// namedTags finds the column that its header says is that of the tags; -1 when
// none is, or several in the same way. One column is not to be it.
func namedTags(header []string, but int) (column int) {
	for _, want := range []int{tagsByMark, tagsByWord, tagsByEnding} {
		found := -1
		for i, cell := range header {
			switch {
			case i == but || namingTags(cell) != want:
			case found >= 0:
				return -1
			default:
				found = i
			}
		}
		if found >= 0 {
			return found
		}
	}
	return -1
}

// tagColumn finds the column of the tags, from 0: the one chosen, else the one
// that the header names, else the only other one in use, right of the accounts,
// unless the header calls it something else. -1 when it cannot be told.
func (c *layout) tagColumn(chosen Choices) int {
	if chosen.TagColumn > 0 {
		return chosen.TagColumn - 1
	}
	if column := namedTags(c.header, c.column); column >= 0 {
		return column
	}
	other := -1
	for _, i := range c.used() {
		switch {
		case i == c.column:
		case other >= 0 || i < c.column:
			return -1
		default:
			other = i
		}
	}
	if other >= 0 && other < len(c.header) && namesElse(c.header[other]) {
		return -1
	}
	return other
}

// namesElse reports whether a header's cell is a known word for something else.
func namesElse(cell string) bool {
	return isKnownWord(cell) && namingTags(cell) == noTags
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
