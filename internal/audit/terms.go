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
	if e.Actor.Address != "" {
		words = append(words, short(strings.ToLower(e.Actor.Address)))
	}
	words = detailWords(words, e.Details)
	slices.Sort(words)
	words = slices.Compact(words)
	words = words[:min(len(words), maxTerms)]
	if e.Code.NamesAccount() { // by these it is found whatever else it says
		words = append(words, AccountTerm(e.Target))
		if more, is := e.Details["accounts"].([]any); is {
			for _, account := range more {
				if name, is := account.(string); is {
					words = append(words, AccountTerm(name))
				}
			}
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// NamesAccount reports whether the event's target is an account.
func (c Code) NamesAccount() bool {
	return c == TagsRead || c == AccountsProtected || c == AccountUnprotected
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

// AccountTerm is what entries about an account are found by, exact to the letter.
// No word is like it.
func AccountTerm(account string) string { return "=" + account }

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
