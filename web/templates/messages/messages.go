// Package messages holds every text a person reads, in every language the
// console speaks. The catalogues are plain files beside this one, one folder
// for each language; numbers, plurals, sizes, times and lengths of time follow
// the language.
package messages

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
)

//go:embed en/*.txt zh-Hans/*.txt
var files embed.FS

// Text speaks one language. It is safe for concurrent use.
type Text struct {
	Lang    string // BCP 47, for the lang attribute
	Name    string // the language's name in itself
	entries map[string]entry
	printer *message.Printer
	zone    *time.Location // nil: that of the console
}

// zoned are the texts in time zones: there are some hundred zones.
var zoned sync.Map

// In returns the text with times in a time zone of the IANA database. "", or one that is not
// known here, is that of the console. The same text is the same pointer.
func (t *Text) In(zone string) *Text {
	if zone == "" {
		return t
	}
	key := [2]string{t.Lang, zone}
	if known, is := zoned.Load(key); is {
		return known.(*Text)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return t
	}
	other := *t
	other.zone = location
	text, _ := zoned.LoadOrStore(key, &other)
	return text.(*Text)
}

// Location is the time zone of the times.
func (t *Text) Location() *time.Location {
	if t.zone == nil {
		return time.Local
	}
	return t.zone
}

// entry is one line of a catalogue: the text, and for languages with plurals
// the text for one thing.
type entry struct {
	text     string
	one      string
	argument int // the argument, from 1, that chooses between the two
}

// English is complete by definition: every other language falls back on it.
var English = mustLoad(language.English, "en", "English")

// Chinese is simplified Chinese.
var Chinese = mustLoad(language.SimplifiedChinese, "zh-Hans", "简体中文")

// Languages lists every language, in the order the switch shows them.
var Languages = []*Text{English, Chinese}

var matcher = language.NewMatcher([]language.Tag{language.English, language.SimplifiedChinese})

// Choose returns the language a person asked for by cookie, else the one that
// their browser prefers, else English.
func Choose(cookie, acceptLanguage string) *Text {
	for _, text := range Languages {
		if text.Lang == cookie {
			return text
		}
	}
	_, i := language.MatchStrings(matcher, acceptLanguage)
	return Languages[i]
}

// T returns the text of a key with its arguments filled in. A key that a
// language lacks is answered in English; tests keep that from happening.
func (t *Text) T(key string, args ...any) string {
	if !t.Has(key) {
		if t != English && English.Has(key) {
			return English.T(key, args...)
		}
		return key
	}
	return t.printer.Sprintf(key, t.spoken(args)...)
}

// Has reports whether the language has a text for the key.
func (t *Text) Has(key string) bool { return t.entries[key].text != "" }

// Keys returns every key, sorted.
func (t *Text) Keys() []string {
	keys := make([]string, 0, len(t.entries))
	for key := range t.entries {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func mustLoad(tag language.Tag, folder, name string) *Text {
	entries, err := load(folder)
	if err != nil {
		panic(err)
	}
	builder := catalog.NewBuilder()
	for key, e := range entries {
		if e.one == "" {
			err = builder.SetString(tag, key, e.text)
		} else {
			err = builder.Set(tag, key, plural.Selectf(e.argument, "%d", plural.One, e.one, plural.Other, e.text))
		}
		if err != nil {
			panic(fmt.Errorf("messages: %s: %s: %w", folder, key, err))
		}
	}
	return &Text{Lang: folder, Name: name, entries: entries, printer: message.NewPrinter(tag, message.Catalog(builder))}
}

func load(folder string) (map[string]entry, error) {
	entries := map[string]entry{}
	names, err := fs.Glob(files, folder+"/*.txt")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		content, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		number := 0
		for line := range strings.Lines(string(content)) {
			number++
			if err := read(strings.TrimSpace(line), entries); err != nil {
				return nil, fmt.Errorf("messages: %s:%d: %w", name, number, err)
			}
		}
	}
	for key, e := range entries {
		if e.text == "" {
			return nil, fmt.Errorf("messages: %s: %s has a text for one thing, but none for many", folder, key)
		}
		if e.one != "" && !slices.Equal(Placeholders(e.one), Placeholders(e.text)) {
			return nil, fmt.Errorf("messages: %s: %s asks for different things for one and for many", folder, key)
		}
	}
	return entries, nil
}

// read takes one line: "key = text", "key another.key = text" for keys that
// share a text, or "key {one 2} = text" for when argument 2 is one thing.
func read(line string, entries map[string]entry) error {
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	left, text, found := strings.Cut(line, " = ")
	if !found || strings.TrimSpace(text) == "" {
		return fmt.Errorf("want “key = text”, found %q", line)
	}
	argument := 0
	if before, variant, found := strings.Cut(left, " {one "); found {
		if _, err := fmt.Sscanf(variant, "%d}", &argument); err != nil || argument < 1 {
			return fmt.Errorf("want “key {one 1} = text”, found %q", line)
		}
		left = before
	}
	for key := range strings.FieldsSeq(left) {
		e := entries[key]
		switch {
		case argument > 0 && e.one == "":
			e.one, e.argument = text, argument
		case argument == 0 && e.text == "":
			e.text = text
		default:
			return fmt.Errorf("%s has two texts", key)
		}
		entries[key] = e
	}
	return nil
}
