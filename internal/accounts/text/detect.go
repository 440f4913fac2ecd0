package text

import (
	"bytes"
	"regexp"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Sample is what the encoding is detected by: the beginning of a file, and pieces
// from further in. Each ends at a line end if the file goes on.
type Sample struct {
	Head []byte
	more [][]byte
}

// lines calls f with every line that is not blank; the bytes of UTF-16 cannot
// be told apart so.
func (s Sample) lines(f func(line []byte)) {
	for _, piece := range append([][]byte{s.Head}, s.more...) {
		for len(piece) > 0 {
			end, next := LineEnd(piece)
			if !IsBlank(piece[:end]) {
				f(piece[:end])
			}
			piece = piece[next:]
		}
	}
}

// Encoding detects how a text is written. It returns FaultNotText,
// FaultEncoding or FaultEncodingUnknown when it cannot be read.
func (s Sample) Encoding() (Encoding, error) {
	if bytes.HasPrefix(s.Head, []byte("\xff\xfe\x00\x00")) || bytes.HasPrefix(s.Head, []byte("\x00\x00\xfe\xff")) {
		return "", FaultEncoding.With("UTF-32")
	}
	if named, _ := markedEncoding(s.Head); named == UTF16LE || named == UTF16BE {
		return named, s.fits(named)
	}
	if nuls := bytes.Count(s.Head, []byte{0}); nuls*100 > len(s.Head) {
		if e := unmarkedUTF16(s.Head, nuls); e != "" {
			return e, s.fits(e)
		}
		return "", FaultNotText.With()
	}
	ascii, valid, han := true, 0, 0
	lines, broken, first := 0, 0, false
	s.lines(func(line []byte) {
		lines++
		switch {
		case !utf8.Valid(line):
			broken++
			ascii = false
			first = first || lines == 1
		case !isASCII(line):
			valid++
			ascii = false
			if bytes.ContainsFunc(line, func(c rune) bool { return c >= 0x800 }) {
				han++ // three bytes, which other encodings hardly ever look like
			}
		}
	})
	named, _ := markedEncoding(s.Head)
	switch {
	case ascii, broken == 0:
		return UTF8, nil
	case (valid > 0 || named == UTF8) && !first && broken*10 <= lines:
		return UTF8, nil
	case named == UTF8 || valid > broken || han*3 > broken:
		return "", FaultEncodingUnknown.With()
	}
	return s.legacy()
}

// legacy chooses among the encodings without any mark of their own: that whose
// usual characters make up most of the text beyond ASCII. Few rare ones are Chinese.
func (s Sample) legacy() (Encoding, error) {
	best, most := Encoding(""), 0.25
	for _, e := range []Encoding{GB18030, Big5, Windows1252} {
		usual, all := s.usual(e)
		if share := float64(usual) / float64(all); share > most && s.fits(e) == nil {
			best, most = e, share
		} else if _, broken, _ := s.broken(e); e == GB18030 && all <= fewCharacters && broken == 0 {
			best = e
		}
	}
	if best == "" {
		return "", FaultEncodingUnknown.With()
	}
	return best, nil
}

// characters find those beyond ASCII in bytes that are read as Latin-1. The usual
// ones are a group: the 3755 common ones of GB 2312 and the 5401 of Big5, which stand in
// blocks, with their punctuation; and a single letter or sign of Windows-1252.
var characters = map[Encoding]*regexp.Regexp{
	GB18030: regexp.MustCompile(`([\x{B0}-\x{D7}\x{A1}-\x{A3}][\x{A1}-\x{FE}])|` +
		`[\x{80}-\x{FF}][0-9][\x{80}-\x{FF}][0-9]|[\x{80}-\x{FF}][@-\x{FF}]?`),
	Big5:        regexp.MustCompile(`([\x{A1}-\x{C6}][@-~\x{A1}-\x{FE}])|[\x{80}-\x{FF}][@-\x{FF}]?`),
	Windows1252: regexp.MustCompile(`[\x{80}-\x{FF}]{2,}|([\x{80}\x{8A}\x{8E}\x{91}-\x{9E}\x{A3}\x{B0}\x{C0}-\x{FF}])|[\x{80}-\x{FF}]`),
}

const fewCharacters = 32

// usual counts the usual characters of an encoding, and all beyond ASCII.
func (s Sample) usual(e Encoding) (usual, all int) {
	s.lines(func(line []byte) {
		if isASCII(line) {
			return
		}
		latin, _ := charmap.ISO8859_1.NewDecoder().Bytes(line) // has no errors
		for _, found := range characters[e].FindAllSubmatchIndex(latin, -1) {
			if all++; found[2] >= 0 {
				usual++
			}
		}
	})
	return usual, max(all, 1)
}

// fits returns a fault when the first line, or more than one line in ten, is no
// text in the encoding, or a line is in another one.
func (s Sample) fits(e Encoding) error {
	lines, broken, first := s.broken(e)
	isMixed := false
	if e == UTF16LE || e == UTF16BE {
		text, _ := decode(s.Head[:len(s.Head)&^1], e)
		_, length := markedEncoding(s.Head)
		isMixed = hasForeignLine(text) || slices.ContainsFunc(append([][]byte{s.Head[length:]}, s.more...), hasEightBitLine)
	}
	if first || broken*10 > lines || isMixed {
		return FaultEncodingUnknown.With()
	}
	return nil
}

// Allows returns FaultEncodingChosen when a file cannot be in the encoding that a
// person chose.
func (s Sample) Allows(e Encoding) error {
	if named, _ := markedEncoding(s.Head); named != "" && named != e {
		return FaultEncodingChosen.With(string(e))
	}
	if lines, broken, _ := s.broken(e); broken*2 > lines {
		return FaultEncodingChosen.With(string(e))
	}
	return nil
}

func (s Sample) broken(e Encoding) (lines, broken int, first bool) {
	count := func(line []byte) {
		lines++
		if _, bad := decode(line, e); bad {
			broken++
			first = first || lines == 1
		}
	}
	if e != UTF16LE && e != UTF16BE {
		s.lines(count)
		return lines, broken, first
	}
	text, _ := decode(s.Head[:len(s.Head)&^1], e)
	Sample{Head: bytes.TrimPrefix(text, byteOrderMark)}.lines(func(line []byte) {
		lines++
		if !isText(line) || bytes.Contains(line, replacement) || bytes.Contains(line, []byte("\uFFFE")) {
			broken++
			first = first || lines == 1
		}
	})
	return lines, broken, first
}

// unmarkedUTF16: of the ASCII in it, every second byte is NUL, always on the
// same side; and there must be letters or digits, since there are accounts.
func unmarkedUTF16(head []byte, nuls int) Encoding {
	odd := 0
	for i := 1; i < len(head); i += 2 {
		if head[i] == 0 {
			odd++
		}
	}
	e := UTF16LE
	if odd*10 <= nuls {
		e = UTF16BE
	} else if odd*10 < nuls*9 {
		return ""
	}
	plain, pairs := 0, 0 // pairs: characters that are two letters or digits of 8-bit text
	text, _ := decode(head[:len(head)&^1], e)
	for _, c := range string(text) {
		if c < 0x80 && isPlain(byte(c)) {
			plain++
		} else if c <= 0xFFFF && isPlain(byte(c)) && isPlain(byte(c>>8)) {
			pairs++
		}
	}
	if plain*20 < len(head) || pairs*2 > plain {
		return ""
	}
	return e
}

func isPlain(b byte) bool { return isLetter(b) || b >= '0' && b <= '9' || b == '_' }

// hasEightBitLine reports whether a text in UTF-16 holds a line of 8-bit text, as
// when a program appended to the file of another one: it begins with letters or
// digits, and neither in it nor beside its end there is a NUL.
func hasEightBitLine(b []byte) bool {
	for len(b) > 0 {
		end, next := LineEnd(b)
		line := bytes.TrimPrefix(bytes.TrimPrefix(b[:end], []byte{0}), byteOrderMark)
		if len(line) > 2 && isASCII(line[:min(len(line), 4)]) && !bytes.ContainsFunc(line[:min(len(line), 4)], isControl) &&
			bytes.IndexByte(line, 0) < 0 && (next == len(b) || b[next] != 0) {
			return true
		}
		b = b[next:]
	}
	return false
}

// hasForeignLine reports whether a decoded text has a line that is no UTF-16.
func hasForeignLine(text []byte) (found bool) {
	Sample{Head: text}.lines(func(line []byte) { found = found || isForeign(line) })
	return found
}

// isForeign reports whether most characters of a line are two of 8-bit text each, or
// have their bytes in the other order.
func isForeign(line []byte) bool {
	swapped, pairs, all := 0, 0, 0
	isSign := func(b byte) bool { return isPlain(b) || b == '\r' || b == '\n' }
	for _, c := range string(line) {
		all++
		if c > 0xFF && c&0xFF == 0 && c <= 0x7E00 {
			swapped++
		} else if c > 0xFF && c <= 0xFFFF && isSign(byte(c)) && isSign(byte(c>>8)) {
			pairs++
		}
	}
	return all > 2 && swapped*2 > all || all > 5 && pairs*5 > all*4
}

func isControl(c rune) bool { return c < ' ' && c != '\t' }

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
