package messages

import (
	"regexp"
	"slices"
	"strconv"
)

var placeholder = regexp.MustCompile(`%(?:\[(\d+)\])?(\.\d+)?([a-z%])`)

// Placeholders lists what a text has to be given: the number of each argument
// with its verb, sorted. Two translations of one text must agree in it.
func Placeholders(text string) []string {
	list, next := []string{}, 1
	for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
		if found[3] == "%" {
			continue
		}
		if found[1] != "" {
			next, _ = strconv.Atoi(found[1]) // the pattern allows digits alone
		}
		list = append(list, strconv.Itoa(next)+found[2]+found[3])
		next++
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Placeholders lists what the text of a key has to be given.
func (t *Text) Placeholders(key string) []string { return Placeholders(t.entries[key].text) }
