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
	text  string
	ends  [textPage]uint32
	kinds [textPage]Kind
}

func (t *textList) add(c Cell) {
	t.next = append(t.next, c.Text...)
	t.bytes += len(c.Text)
	t.open.ends[t.count%textPage], t.open.kinds[t.count%textPage] = uint32(len(t.next)), c.Kind
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

func (t *textList) at(i int) (Cell, bool) {
	if i < 0 || i >= t.count {
		return Cell{}, false
	}
	page, from := t.pages[i/textPage], uint32(0)
	if i %= textPage; i > 0 {
		from = page.ends[i-1]
	}
	return Cell{page.text[from:page.ends[i]], page.kinds[i]}, true
}
