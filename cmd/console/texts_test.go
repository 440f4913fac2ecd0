package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// catalogue holds the texts of one language, as they stand in its files.
type catalogue struct {
	keys     map[string]bool
	texts    map[string]bool
	patterns []*regexp.Regexp // of texts with something to be filled in
}

func catalogues(t *testing.T) map[string]*catalogue {
	t.Helper()
	all := map[string]*catalogue{}
	for _, lang := range []string{"en", "zh-Hans"} {
		c := &catalogue{map[string]bool{}, map[string]bool{}, nil}
		files, err := filepath.Glob("../../web/templates/messages/" + lang + "/*.txt")
		require.NoError(t, err)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			for line := range strings.Lines(string(content)) {
				if keys, text, found := strings.Cut(strings.TrimSpace(line), " = "); found && !strings.HasPrefix(line, "#") {
					c.add(strings.Fields(keys), text)
				}
			}
		}
		require.Greater(t, len(c.texts), 300)
		all[lang] = c
	}
	return all
}

var filledIn = regexp.MustCompile(`%(\\\[\d+\\\])?[a-z]`)

func (c *catalogue) add(keys []string, text string) {
	for _, key := range keys {
		c.keys[key] = true
	}
	quoted := regexp.QuoteMeta(text)
	if rest := filledIn.ReplaceAllString(quoted, ""); rest != quoted {
		if !strings.ContainsFunc(rest, unicode.IsLetter) {
			return // signs alone, such as those between two names
		}
		c.patterns = append(c.patterns, regexp.MustCompile("(?i)^"+filledIn.ReplaceAllString(quoted, ".+")+"$"))
		return
	}
	c.texts[strings.ToLower(text)] = true
}

// says reports whether the catalogue has the text.
func (c *catalogue) says(text string) bool {
	return c.texts[strings.ToLower(text)] || slices.ContainsFunc(c.patterns, func(p *regexp.Regexp) bool { return p.MatchString(text) })
}

// A page's texts, and apart from them those of what it is steered by. What the
// user's own file says, the names of languages and the codes of events is left out.
const (
	pageTexts = `[...document.querySelectorAll("body *:not(script, .languages *, .grid *, .event-code, noscript)")].flatMap(e => [
		...[...e.childNodes].filter(n => n.nodeType === Node.TEXT_NODE).map(n => n.data),
		...["aria-label", "title", "placeholder", "data-label"].map(name => e.getAttribute(name) ?? ""),
	]).map(text => text.trim().replace(/\s+/g, " ")).filter(text => text !== "")`
	steering = `[...document.querySelectorAll("nav a, button:not(.languages *), a.btn, label, h2, legend, dt, " +
			"th[scope=col]:not(.grid *), summary")]
		.flatMap(e => [...e.childNodes].filter(n => n.nodeType === Node.TEXT_NODE)
			.map(n => n.data.trim().replace(/\s+/g, " "))).filter(text => text !== "")`
)

var dotted = regexp.MustCompile(`[a-z_]+(\.[a-z0-9_]+)+`)

// requireLanguage compares every text of the page with the catalogues.
func (s *pageTest) requireLanguage(w *tab, where, lang string) {
	require.Equal(s.t, lang, s.language(w), where)
	own, english := s.catalogue[lang], s.catalogue["en"]
	title := strings.TrimSuffix(read[string](w, "document.title"), " · Tagsweep")
	for _, text := range append(read[[]string](w, pageTexts), title) {
		for _, key := range dotted.FindAllString(text, -1) {
			if english.keys[key] {
				s.t.Errorf("%s in %s shows the key %s", where, lang, key)
			}
		}
		// A word may be the same in both, such as CSV; a sentence may not.
		if lang != "en" && english.texts[strings.ToLower(text)] && (!own.says(text) || strings.Contains(text, " ")) {
			s.t.Errorf("%s in %s says in English: %s", where, lang, text)
		}
	}
	for _, text := range read[[]string](w, steering) {
		if !own.says(text) {
			s.t.Errorf("%s in %s says what its catalogue does not: %s", where, lang, text)
		}
	}
	for _, number := range w.texts("td.number, .sum strong.number") {
		// codes are five digits, and stay as they are
		if regexp.MustCompile(`\d{4}`).MatchString(number) && !regexp.MustCompile(`^\d{5}$`).MatchString(number) {
			s.t.Errorf("%s in %s: the number %s is hard to read", where, lang, number)
		}
	}
}
