package workbook

// textPage is how many texts are kept in one piece of memory.
const textPage = 256

// textList holds many texts. They are added first, then it is ended.
type textList struct {
	pages        []*textsOfPage
	open         textsOfPage
	next         []byte
	count, bytes int
}

type textsOfPage struct {
	text string
	ends [textPage]uint32
}

func (t *textList) add(s string) {
	t.next = append(t.next, s...)
	t.bytes += len(s)
	t.open.ends[t.count%textPage] = uint32(len(t.next))
	if t.count++; t.count%textPage == 0 {
		t.end()
	}
}

// end closes a page.
func (t *textList) end() {
	if t.count <= len(t.pages)*textPage {
		return
	}
	page := t.open
	page.text, t.next = string(t.next), t.next[:0]
	t.pages = append(t.pages, &page)
}

func (t *textList) at(i int) (string, bool) {
	if i < 0 || i >= t.count {
		return "", false
	}
	page, from := t.pages[i/textPage], uint32(0)
	if i%textPage > 0 {
		from = page.ends[i%textPage-1]
	}
	return page.text[from:page.ends[i%textPage]], true
}
