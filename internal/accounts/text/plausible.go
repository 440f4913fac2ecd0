package text

import "bytes"

// fewBytes beyond ASCII are too few to be judged by how common they are.
const fewBytes = 64

// anyClean takes the first encoding in which everything is text, when there is
// too little to judge. Those whose characters can have a "|" as their second
// byte come first: in the other order, half a character would separate cells.
func (s Sample) anyClean() (Encoding, error) {
	beyond := 0
	s.lines(func(line []byte) {
		for _, b := range line {
			if b >= 0x80 {
				beyond++
			}
		}
	})
	for _, e := range []Encoding{GB18030, Big5, Windows1252} {
		if beyond > fewBytes || e == Windows1252 && !s.pipesSeparate() {
			break
		}
		clean := true
		s.lines(func(line []byte) {
			text, bad := decode(line, e)
			clean = clean && !bad && !bytes.ContainsFunc(text, unusualInText)
		})
		if clean {
			return e, nil
		}
	}
	return "", FaultEncodingUnknown.With()
}

// pipesSeparate reports whether every "|" is one: none follows a byte that could
// begin a character of two, or only with those do all lines have as many.
func (s Sample) pipesSeparate() bool {
	none, certain, without, count := true, true, false, -1
	s.lines(func(line []byte) {
		doubtful := false
		for i := range line {
			doubtful = doubtful || i > 0 && line[i] == '|' && line[i-1] >= 0x80
		}
		n := bytes.Count(line, []byte("|"))
		none, without = none && !doubtful, without || !doubtful
		certain = certain && (count < 0 || n == count)
		count = n
	})
	return none || certain && without
}

// unusualInText: controls, and what an encoding leaves to private use.
func unusualInText(c rune) bool { return c >= 0x7F && c < 0xA0 || c >= 0xE000 && c < 0xF900 }

// plausible counts the characters beyond ASCII in a line, and those of them that
// real text is made of.
var plausible = map[Encoding]func(line []byte) (good, all int){
	// The 3755 common characters of GB 2312 stand in a block of their own; what
	// GBK and GB18030 add to them is rare.
	GB18030: func(line []byte) (good, all int) {
		for i := 0; i < len(line); i++ {
			b := line[i]
			if b < 0x80 {
				continue
			}
			all++
			if i++; i == len(line) {
				break
			}
			switch next := line[i]; {
			case b >= 0xB0 && b <= 0xD7 && next >= 0xA1, b >= 0xA1 && b <= 0xA3 && next >= 0xA1:
				good++
			case next >= 0x30 && next <= 0x39:
				i += 2
			case next < 0x40:
				i--
			}
		}
		return good, all
	},
	// Likewise the 5401 common ones of Big5, and its punctuation.
	Big5: func(line []byte) (good, all int) {
		for i := 0; i < len(line); i++ {
			b := line[i]
			if b < 0x80 {
				continue
			}
			all++
			if i++; i == len(line) {
				break
			}
			next := line[i]
			if b >= 0xA1 && b <= 0xC6 && (next >= 0x40 && next <= 0x7E || next >= 0xA1) {
				good++
			} else if next < 0x40 {
				i--
			}
		}
		return good, all
	},
	// An accented letter stands in a word, beside plain letters; so does an apostrophe.
	Windows1252: func(line []byte) (good, all int) {
		for i, b := range line {
			if b < 0x80 {
				continue
			}
			all++
			if (b >= 0xC0 || b == 0x92 || b == 0x8A || b == 0x9A || b == 0x8E || b == 0x9E) &&
				(i > 0 && isLetter(line[i-1]) || i+1 < len(line) && isLetter(line[i+1])) {
				good++
			}
		}
		return good, all
	},
}
