package main

import (
	"fmt"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// listKeepsFocus wants the keyboard to stay where it is while the list of jobs
// shows how far they are.
func (s *pageTest) listKeepsFocus(id string) {
	w, olga := s.tabs["olga"], s.signIn("olga")
	w.open("/jobs")
	row, link := fmt.Sprintf("document.querySelector('#job-%s')", id), fmt.Sprintf("a[href='/jobs/%s']", id)
	w.do(chromedp.Evaluate[chromedp.Void]("window.shown = "+row+".innerText"), chromedp.Focus(chromedp.CSS(link)))
	olga.post("/jobs/"+id+"/pause", nil)
	w.until(row + ".innerText !== shown")
	require.True(s.t, read[bool](w, "document.activeElement.matches(\""+link+"\")"), "the keyboard is where it was")
	olga.post("/jobs/"+id+"/resume", nil)
}

// noteFocus remembers where the keyboard comes to, and whether that can be seen.
const noteFocus = `
	document.activeElement.blur();
	window.places = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
		.filter(e => e.checkVisibility({visibilityProperty: true}) && !e.disabled)
		.filter((e, i, all) => e.type !== "radio" || // a group is one stop; arrows lead through it
			e === (all.find(r => r.name === e.name && r.checked) ?? all.find(r => r.name === e.name)));
	window.reached = [];
	document.addEventListener("focusin", ({target}) => {
		const style = getComputedStyle(target), box = target.getBoundingClientRect();
		const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 &&
			box.width > 0 && box.left + scrollX >= 0 && box.top + scrollY >= 0;
		reached.push({Place: places.indexOf(target), Seen: seen, Name: target.outerHTML.slice(0, 100)});
	});
	places.length`

type focus struct {
	Place int
	Seen  bool
	Name  string
}

// requireKeyboard goes through the page with the Tab key: the link that skips to
// the content comes first, everything follows in its order, and it can be seen
// where the keyboard is.
func (s *pageTest) requireKeyboard(w *tab, where string) {
	count := read[int](w, noteFocus)
	within := 7 * read[int](w, `document.querySelectorAll("input[type=datetime-local]").length`) // its parts, from month to picker
	w.do(chromedp.KeyEvent(strings.Repeat(kb.Tab, count+within+1)))
	reached := read[[]focus](w, "reached")
	places := map[int]bool{}
	for i, f := range reached {
		if !f.Seen {
			s.t.Errorf("%s: it cannot be seen that the keyboard is at %s", where, f.Name)
		}
		if i > 0 && f.Place != reached[i-1].Place && f.Place != (reached[i-1].Place+1)%count {
			s.t.Errorf("%s: the keyboard jumps from %s to %s", where, reached[i-1].Name, f.Name)
		}
		places[f.Place] = true
	}
	for place := range count {
		if !places[place] {
			s.t.Errorf("%s: the keyboard never comes to %s", where, read[string](w, fmt.Sprintf("places[%d].outerHTML", place)))
		}
	}
	require.Equal(s.t, "skip", read[string](w, "places[0].className"), where)
	w.do(chromedp.Focus(chromedp.CSS(".skip")), chromedp.KeyEvent(kb.Enter))
	w.until(`document.activeElement.id === "content"`)
}
