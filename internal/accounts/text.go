package accounts

import (
	"bytes"
	"io"
)

const (
	// MaxColumns is how many columns a file may have.
	MaxColumns  = 100
	bufferBytes = 4 * maxRecord
)

// text is the decoded text of a file, read through a buffer line by line.
type text struct {
	src        io.Reader
	buf        []byte
	start, end int // what is buffered and not yet read
	eof        bool
	err        error // of src; it does not go away
	line       int64 // of what comes next, from 1
}

func newText(src io.Reader) text { return text{src: src, buf: make([]byte, bufferBytes), line: 1} }

// sample is what comes next, up to a line end if the text goes on. Whole is
// false when not even the first line fits.
func (t *text) sample() (sample []byte, whole bool, err error) {
	if err := t.fill(); err != nil {
		return nil, false, err
	}
	sample = t.buf[t.start:t.end]
	if len(sample) <= maxRecord {
		return sample, true, nil
	}
	sample = sample[:maxRecord]
	if i := bytes.LastIndexAny(sample, "\r\n"); i >= 0 {
		return sample[:i+1], true, nil
	}
	return sample, false, nil
}

// skipTo goes to a line, and returns the first lines passed over that are not blank; io.EOF when
// there is no such line.
func (t *text) skipTo(line int64) (above []string, err error) {
	for t.line < line {
		if err := t.fill(); err != nil {
			return above, err
		}
		w := t.window()
		end, next := lineEnd(w)
		if len(above) < aboveShown && !isBlank(w[:end]) {
			above = append(above, shorten(string(w[:min(end, 4*shownBytes)])))
		}
		if end > maxRecord {
			t.skipLine()
		} else {
			t.advance(next, 1)
		}
	}
	return above, nil
}

// skipBlank goes to the first line that is not blank; io.EOF when there is none.
func (t *text) skipBlank() error {
	for {
		if err := t.fill(); err != nil {
			return err
		}
		w := t.window()
		end, next := lineEnd(w)
		if end > maxRecord || !isBlank(w[:end]) {
			return nil
		}
		t.advance(next, 1)
	}
}

// skipLine passes over a line however long it is. An error of the source
// returns with the next fill.
func (t *text) skipLine() {
	for t.fill() == nil {
		end, _ := lineEnd(t.buf[t.start:t.end])
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
func (t *text) window() []byte { return t.buf[t.start:min(t.end, t.start+maxRecord+2)] }

func (t *text) advance(bytes, lines int) {
	t.start += bytes
	t.line += int64(lines)
}

// fill sees to it that a whole window is buffered, or all that is left; io.EOF
// when nothing is.
func (t *text) fill() error {
	if t.end-t.start < maxRecord+2 && !t.eof {
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
