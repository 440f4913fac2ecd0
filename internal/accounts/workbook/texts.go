package workbook

import "strings"

// textList holds many texts in one piece of memory, which at takes out uncopied.
type textList struct {
	all   strings.Builder
	ends  []uint32
	kinds []Kind
}

func (t *textList) add(c Cell) {
	t.all.WriteString(c.Text)
	t.ends, t.kinds = append(t.ends, uint32(t.all.Len())), append(t.kinds, c.Kind)
}

func (t *textList) at(i int) (Cell, bool) {
	if i < 0 || i >= len(t.ends) {
		return Cell{}, false
	}
	from := uint32(0)
	if i > 0 {
		from = t.ends[i-1]
	}
	return Cell{t.all.String()[from:t.ends[i]], t.kinds[i]}, true
}
