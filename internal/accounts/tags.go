package accounts

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tagsweep/internal/accounts/text"
)

// What the service allows: tim-api.md, section 2.
const (
	TagBytes = 50  // of a tag
	MostTags = 100 // of an account
)

// tagSeparators part the tags of a cell.
const tagSeparators = ";|,；｜，、"

// SplitTags reads the tags of a cell, each once, in order and with their case.
// With a reason there are none.
func SplitTags(cell string) (tags []string, reason Reason) {
	for rest := cell; rest != ""; {
		var tag string
		var ok, quoted bool
		if tag, rest, quoted, ok = nextTag(rest); !ok {
			return nil, BadTag
		}
		switch {
		case tag == "":
			continue
		case !quoted && isNoValue(tag):
			return nil, NoTag
		case !quoted && leftOver(tag) || strings.ContainsFunc(tag, unicode.IsControl) || !utf8.ValidString(tag):
			return nil, BadTag
		case len(tag) > TagBytes:
			return nil, TagTooLong
		case slices.Contains(tags, tag):
			continue
		case len(tags) == MostTags:
			return nil, ManyTags
		}
		tags = append(tags, tag)
	}
	if len(tags) == 0 {
		return nil, NoTag
	}
	return tags, ""
}

// nextTag takes the first tag of a cell; not ok when a quote does not close
// just before a separator or the end.
func nextTag(cell string) (tag, rest string, quoted, ok bool) {
	cell = strings.TrimLeftFunc(cell, unicode.IsSpace)
	if cell == "" || cell[0] != '"' {
		at := strings.IndexAny(cell, tagSeparators)
		if at < 0 {
			return strings.TrimRightFunc(cell, unicode.IsSpace), "", false, true
		}
		_, size := utf8.DecodeRuneInString(cell[at:])
		return strings.TrimRightFunc(cell[:at], unicode.IsSpace), cell[at+size:], false, true
	}
	tag, rest, ok = text.Unquote(cell)
	if !ok {
		return "", "", true, false
	}
	rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
	sign, size := utf8.DecodeRuneInString(rest)
	if rest != "" && !strings.ContainsRune(tagSeparators, sign) {
		return "", "", true, false
	}
	return tag, rest[size:], true, true
}

// leftOver reports whether a spreadsheet left it in place of a text.
func leftOver(tag string) bool {
	return strings.HasPrefix(tag, `="`) ||
		tag[0] == '#' && (slices.Contains(sheetErrors, tag) || strings.Trim(tag, "#") == "") ||
		strings.ContainsAny(tag, "Ee") && damagedNumber.MatchString(tag)
}

// JoinTags writes tags into one cell, from which SplitTags gives them back:
// whatever a tag holds, as long as the service allows it.
func JoinTags(tags []string) string {
	written := make([]string, len(tags))
	for i, tag := range tags {
		if written[i] = tag; tag == "" || strings.ContainsAny(tag, tagSeparators+`"`) || strings.TrimSpace(tag) != tag ||
			isNoValue(tag) || leftOver(tag) {
			written[i] = `"` + strings.ReplaceAll(tag, `"`, `""`) + `"`
		}
	}
	return strings.Join(written, ";")
}

// Tags reads those of a row with these cells; none where the file has no column of them.
func (u *Understanding) Tags(fields []string) []string {
	if u.TagColumn == 0 || u.TagColumn > len(fields) {
		return nil
	}
	tags, _ := SplitTags(fields[u.TagColumn-1])
	return tags
}
