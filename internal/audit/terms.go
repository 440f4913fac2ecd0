package audit

import (
	"slices"
	"strings"
	"unicode"
)

// maxTerms is more than an entry of people's making has words.
const maxTerms = 400

// maxTerm is how many bytes of a word count.
const maxTerm = 64

// Terms are what an entry is found by in a search for words: the words of its
// target, of who acted and from where, of its details and its app.
func (e Entry) Terms() []string {
	words := Words(strings.Join([]string{e.Target, e.Actor.Name, e.App}, " "))
	words = detailWords(words, e.Details)
	slices.Sort(words)
	words = slices.Compact(words)
	words = words[:min(len(words), maxTerms)]
	words = append(words, e.subjects()...) // by these it is found whatever else it says
	slices.Sort(words)
	return slices.Compact(words)
}

func detailWords(words []string, value any) []string {
	switch value := value.(type) {
	case string:
		words = append(words, Words(value)...)
	case []any:
		for _, part := range value {
			words = detailWords(words, part)
		}
	case map[string]any:
		for _, part := range value {
			words = detailWords(words, part)
		}
	}
	return words
}

// Words splits a text into what can be searched for: runs of letters and digits
// in lower case, and of Chinese, which has no spaces, every two characters that
// stand side by side.
func Words(text string) (words []string) {
	var run []rune
	han := false
	end := func() {
		switch {
		case len(run) == 0:
		case han && len(run) > 1:
			for i := range len(run) - 1 {
				words = append(words, string(run[i:i+2]))
			}
		default:
			words = append(words, short(string(run)))
		}
		run = run[:0]
	}
	for _, c := range strings.ToLower(text) {
		switch isHan := unicode.Is(unicode.Han, c); {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			end()
		case isHan != han:
			end()
			han = isHan
			run = append(run, c)
		default:
			run = append(run, c)
		}
	}
	end()
	return words
}

func short(word string) string {
	if len(word) <= maxTerm {
		return word
	}
	return strings.ToValidUTF8(word[:maxTerm], "")
}
