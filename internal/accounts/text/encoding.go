// Package text reads text files of rows: it detects their encoding, and splits
// them into records and cells. It knows nothing of accounts.
//
// # Encodings
//
// UTF-8, UTF-16, GB18030 (GBK), Big5 and Windows-1252. A byte order mark
// decides; else NULs at every second byte beside letters or digits mean UTF-16;
// else text that is valid UTF-8 in at least nine lines of ten, the first among
// them, is that. Otherwise the encoding wins whose usual characters make up most
// of the text beyond ASCII, and at least a quarter; few rare ones are GB18030.
// Text that fits none, or lines of UTF-8 beside others, is refused. Besides the
// first 64 KiB, pieces from the whole file are looked at.
//
// In all of these an ASCII character between separators is the same character,
// so that a wrong guess garbles names and not accounts. A person's choice is
// refused when it contradicts the byte order mark or when most lines are no text
// in it. A file with more than one NUL in a hundred bytes that is not UTF-16 is
// no text. UTF-16 with lines in 8 bits or with its bytes in the other order is refused.
//
// # Lines
//
//   - CRLF, LF and CR each end a line, mixed as they may be.
//   - A line of nothing but spaces and tabs is blank: no record.
//   - A record of more than 64 KiB is too long; reading goes on at the next line.
//
// # Quotes
//
// Cells are quoted as RFC 4180 says: a quoted cell may hold separators, line
// ends and doubled quotes. Spaces (and tabs, where they do not separate) around a
// quoted cell are not part of it. A quote inside an unquoted cell, or text after
// a closing quote, is stray. When a quoted cell reaches into further lines:
//
//   - It is one record if it closes properly, unless one of its lines looks
//     like a row of its own, other than the one that the row's own account stands
//     on; then the quote may have swallowed rows, and each of its lines is a record
//     by itself, all of them unclear.
//   - If no quote closes it within 64 KiB, or the next quote is itself an opening
//     one, the line it began on is unclear and reading goes on at the line
//     after it, so that one forgotten quote does not cost the rows below.
//   - If it closes with text after the quote, every line up to there is unclear.
package text

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

// Encoding names how the text of a file is written in bytes.
type Encoding string

// The encodings that are supported.
const (
	UTF8        Encoding = "UTF-8"
	UTF16LE     Encoding = "UTF-16LE"
	UTF16BE     Encoding = "UTF-16BE"
	GB18030     Encoding = "GB18030" // GBK and GB2312 are parts of it
	Big5        Encoding = "Big5"
	Windows1252 Encoding = "Windows-1252"
)

// Encodings lists them in the order a person chooses from.
var Encodings = []Encoding{UTF8, GB18030, Big5, UTF16LE, UTF16BE, Windows1252}

// codings are those other than UTF-8.
var codings = map[Encoding]encoding.Encoding{
	UTF16LE:     unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
	UTF16BE:     unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
	GB18030:     simplifiedchinese.GB18030,
	Big5:        traditionalchinese.Big5,
	Windows1252: charmap.Windows1252,
}

var byteOrderMarks = []struct {
	mark     string
	encoding Encoding
}{{"\xef\xbb\xbf", UTF8}, {"\xff\xfe", UTF16LE}, {"\xfe\xff", UTF16BE}}

var (
	byteOrderMark = []byte("\uFEFF") // in UTF-8
	replacement   = []byte("\uFFFD")
)

// markedEncoding returns the encoding that the byte order mark of a file names.
func markedEncoding(head []byte) (e Encoding, length int) {
	for _, m := range byteOrderMarks {
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

func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }
