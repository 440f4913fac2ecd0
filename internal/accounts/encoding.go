package accounts

import (
	"bytes"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

var (
	codings = map[Encoding]encoding.Encoding{
		UTF16LE:     unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
		UTF16BE:     unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
		GB18030:     simplifiedchinese.GB18030,
		Big5:        traditionalchinese.Big5,
		Windows1252: charmap.Windows1252,
	}
	marks = []struct {
		mark     string
		encoding Encoding
	}{{"\xef\xbb\xbf", UTF8}, {"\xff\xfe", UTF16LE}, {"\xfe\xff", UTF16BE}}
)

// byteOrderMark of UTF-8.
var byteOrderMark = []byte("\uFEFF")

// markedEncoding tells the encoding that the first bytes of a file name.
func markedEncoding(head []byte) (e Encoding, length int) {
	for _, m := range marks {
		if bytes.HasPrefix(head, []byte(m.mark)) {
			return m.encoding, len(m.mark)
		}
	}
	return "", 0
}

// decoded is the text as UTF-8 without its byte order mark. Bytes that are no
// text in the encoding become U+FFFD; in UTF-8 they stay as they are.
func decoded(src io.Reader, e Encoding) (io.Reader, error) {
	head, err := io.ReadAll(io.LimitReader(src, int64(len(byteOrderMark))))
	if err != nil {
		return nil, err
	}
	if named, length := markedEncoding(head); named == e {
		head = head[length:]
	}
	src = io.MultiReader(bytes.NewReader(head), src)
	if coding, other := codings[e]; other {
		return transform.NewReader(src, coding.NewDecoder()), nil
	}
	return src, nil
}

// decode returns the UTF-8 of some text; bad says that it holds bytes that are
// no text in the encoding.
func decode(b []byte, e Encoding) (text []byte, bad bool) {
	if e == UTF8 {
		return b, !utf8.Valid(b)
	}
	text, err := codings[e].NewDecoder().Bytes(b)
	return text, err != nil || bytes.Contains(text, replacement)
}

// sample is what the encoding is judged by: the beginning of a file, and pieces
// from further in. Each ends at a line end if the file goes on.
type sample struct {
	head []byte
	more [][]byte
}

// lines calls f with every line that is not blank; the bytes of UTF-16 cannot
// be told apart so.
func (s sample) lines(f func(line []byte)) {
	for _, piece := range append([][]byte{s.head}, s.more...) {
		for len(piece) > 0 {
			end, next := lineEnd(piece)
			if !isBlank(piece[:end]) {
				f(piece[:end])
			}
			piece = piece[next:]
		}
	}
}

// encoding detects how a text is written, or returns why it cannot be read.
//
// The judgement is our own and not that of a library for any text: those guess
// among dozens of encodings from letter frequencies of running text, which
// tables of accounts are not, and do not say when nothing fits.
func (s sample) encoding() (Encoding, error) {
	if bytes.HasPrefix(s.head, []byte("\xff\xfe\x00\x00")) || bytes.HasPrefix(s.head, []byte("\x00\x00\xfe\xff")) {
		return "", FaultEncoding.With("UTF-32")
	}
	if named, _ := markedEncoding(s.head); named == UTF16LE || named == UTF16BE {
		return named, s.fits(named)
	}
	if nuls := bytes.Count(s.head, []byte{0}); nuls*100 > len(s.head) {
		if e := unmarkedUTF16(s.head, nuls); e != "" {
			return e, nil
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
	named, _ := markedEncoding(s.head)
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

// legacy chooses among the encodings without any mark of their own.
func (s sample) legacy() (Encoding, error) {
	best, most := Encoding(""), 0.25
	for _, e := range []Encoding{GB18030, Big5, Windows1252} {
		good, all := 0, 0
		s.lines(func(line []byte) {
			g, a := plausible[e](line)
			good, all = good+g, all+a
		})
		if share := float64(good) / float64(max(all, 1)); share > most && s.fits(e) == nil {
			best, most = e, share
		}
	}
	if best == "" {
		return s.anyClean()
	}
	return best, nil
}

// fits returns a fault when the first line, or more than one line in ten, is no
// text in the encoding.
func (s sample) fits(e Encoding) error {
	lines, broken, first := s.broken(e)
	if first || broken*10 > lines {
		return FaultEncodingUnknown.With()
	}
	return nil
}

// bears returns a fault when a file cannot be what a person says that it is.
func (s sample) bears(e Encoding) error {
	if named, _ := markedEncoding(s.head); named != "" && named != e {
		return FaultEncodingChosen.With(string(e))
	}
	if lines, broken, _ := s.broken(e); broken*2 > lines {
		return FaultEncodingChosen.With(string(e))
	}
	return nil
}

func (s sample) broken(e Encoding) (lines, broken int, first bool) {
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
	text, _ := decode(s.head[:len(s.head)&^1], e)
	sample{head: bytes.TrimPrefix(text, byteOrderMark)}.lines(func(line []byte) {
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
	plain := 0
	text, _ := decode(head[:len(head)&^1], e)
	for _, b := range text {
		if isLetter(b) || b >= '0' && b <= '9' {
			plain++
		}
	}
	if lines, broken, first := (sample{head: head}).broken(e); plain*20 < len(head) || first || broken*10 > lines {
		return ""
	}
	return e
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
