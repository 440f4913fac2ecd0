package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// span is the numbers from … to.
type span struct{ from, to int64 }

// ranges are numbers in ascending order, written as "3, 7-9".
type ranges []span

// add appends a number that is larger than all before.
func (r *ranges) add(n int64) {
	if last := len(*r) - 1; last >= 0 && (*r)[last].to == n-1 {
		(*r)[last].to = n
		return
	}
	*r = append(*r, span{n, n})
}

// holds reports whether a number is the last that was added.
func (r ranges) holds(n int64) bool { return len(r) > 0 && r[len(r)-1].to == n }

// merged returns the same numbers in ascending order, whatever order they were in.
func (r ranges) merged() (m ranges) {
	sorted := slices.SortedFunc(slices.Values(r), func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for _, s := range sorted {
		if last := len(m) - 1; last >= 0 && s.from <= m[last].to+1 {
			m[last].to = max(m[last].to, s.to)
			continue
		}
		m = append(m, s)
	}
	return m
}

// firstOutside returns the first number of a span that is in none of the merged
// ranges; 0 for none.
func (r ranges) firstOutside(s span) int64 {
	i, _ := slices.BinarySearchFunc(r, s.from, func(have span, n int64) int { return cmp.Compare(have.to, n) })
	switch {
	case i == len(r) || s.from < r[i].from:
		return s.from
	case s.to > r[i].to:
		return r[i].to + 1
	}
	return 0
}

// count is how many numbers there are.
func (r ranges) count() (n int64) {
	for _, s := range r {
		n += s.to - s.from + 1
	}
	return n
}

// List writes numbers in ascending order as entries hold them, such as "3, 7-9".
func List(numbers []int64) string {
	var r ranges
	for _, n := range numbers {
		r.add(n)
	}
	return r.String()
}

func (r ranges) String() string {
	var b strings.Builder
	for i, s := range r {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.FormatInt(s.from, 10))
		if s.to > s.from {
			b.WriteString("-" + strconv.FormatInt(s.to, 10))
		}
	}
	return b.String()
}

func readRanges(text string) (r ranges, err error) {
	for part := range strings.SplitSeq(text, ", ") {
		from, to, is := strings.Cut(part, "-")
		if !is {
			to = from
		}
		var s span
		if s.from, err = strconv.ParseInt(from, 10, 64); err == nil {
			s.to, err = strconv.ParseInt(to, 10, 64)
		}
		if err != nil || s.from > s.to {
			return nil, fmt.Errorf("audit: %q are no ranges", text)
		}
		r = append(r, s)
	}
	return r, nil
}

// Covers reports whether a number is in a list such as "3, 7-9", as entries hold them.
func Covers(list string, number int64) bool {
	r, err := readRanges(list)
	return err == nil && r.merged().firstOutside(span{number, number}) == 0
}
