package text

import (
	"bytes"
	"io"
)

// MaxRecord bounds a record in bytes. Detection sees as much of a file.
const MaxRecord = 64 << 10

const bufferBytes = 4 * MaxRecord

// Lines is the decoded text of a file, read through a buffer line by line.
type Lines struct {
	src        io.Reader
	utf16      bool
	decoded    bool // bytes that are no text have become U+FFFD
	buf        []byte
	start, end int // what is buffered and not yet read
	eof        bool
	err        error // of src; it does not go away
	line       int64 // of what comes next, from 1
}

// NewLines reads a text in an encoding from its beginning.
func NewLines(src io.Reader, e Encoding) (*Lines, error) {
	utf8, err := decoded(src, e)
	if err != nil {
		return nil, err
	}
	return &Lines{src: utf8, decoded: codings[e] != nil, utf16: e == UTF16LE || e == UTF16BE, buf: make([]byte, bufferBytes), line: 1}, nil
}

// Peek returns what comes next, up to a line end if the text goes on; io.EOF
// when nothing does. Whole is false when not even the first line fits.
func (t *Lines) Peek() (head []byte, whole bool, err error) {
	if err := t.fill(); err != nil {
		return nil, false, err
	}
	head = t.buf[t.start:t.end]
	if len(head) <= MaxRecord {
		return head, true, nil
	}
	head = head[:MaxRecord]
	if i := bytes.LastIndexAny(head, "\r\n"); i >= 0 {
		return head[:i+1], true, nil
	}
	return head, false, nil
}

// SkipTo goes to a line, and calls passed, which may be nil, with every line on
// the way that is not blank, as far as it is buffered; io.EOF when there is no
// such line.
func (t *Lines) SkipTo(line int64, passed func(line []byte)) error {
	for t.line < line {
		if err := t.fill(); err != nil {
			return err
		}
		w := t.window()
		end, next := LineEnd(w)
		if passed != nil && !IsBlank(w[:end]) {
			passed(w[:end])
		}
		if end > MaxRecord {
			t.skipLine()
		} else {
			t.advance(next, 1)
		}
	}
	return nil
}

// skipBlank goes to the first line that is not blank, and returns the window, the
// end of this line and where the next one begins; io.EOF when there is none.
func (t *Lines) skipBlank() (w []byte, end, next int, err error) {
	for {
		if err := t.fill(); err != nil {
			return nil, 0, 0, err
		}
		w := t.window()
		end, next := LineEnd(w)
		if end > MaxRecord || !IsBlank(w[:end]) {
			return w, end, next, nil
		}
		t.advance(next, 1)
	}
}

// skipLine passes over a line however long it is. An error of the source
// returns with the next fill.
func (t *Lines) skipLine() {
	for t.fill() == nil {
		end, _ := LineEnd(t.buf[t.start:t.end])
		t.start += end
		if t.start == t.end {
			continue
		}
		t.fill() // so that both halves of CRLF are there
		t.start = t.start + afterLineEnd(t.buf[t.start:t.end], 0)
		break
	}
	t.line++
}

// window is what a record may reach into: it holds the record and its line end
// unless the record is too long.
func (t *Lines) window() []byte { return t.buf[t.start:min(t.end, t.start+MaxRecord+2)] }

func (t *Lines) advance(bytes, lines int) {
	t.start += bytes
	t.line += int64(lines)
}

// fill sees to it that a whole window is buffered, or all that is left; io.EOF
// when nothing is.
func (t *Lines) fill() error {
	if t.end-t.start < MaxRecord+2 && !t.eof {
		t.start, t.end = 0, copy(t.buf, t.buf[t.start:t.end])
		for idle := 0; t.end < len(t.buf) && !t.eof && t.err == nil; idle++ {
			n, err := t.src.Read(t.buf[t.end:])
			t.end += n
			switch {
			case err == io.EOF:
				t.eof = true
			case err != nil:
				t.err = err
			case n > 0:
				idle = 0
			case idle == 100:
				t.err = io.ErrNoProgress
			}
		}
	}
	if t.err != nil {
		return t.err
	}
	if t.start == t.end {
		return io.EOF
	}
	return nil
}
