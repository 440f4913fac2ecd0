package workbook

import (
	"bufio"
	"encoding/binary"
	"errors"
	"os"
	"slices"
)

const (
	textsApart  = 16      // places that are known: of each so many texts
	windowBytes = 4 << 10 // of the file, in memory
	headBytes   = binary.MaxVarintLen64
)

var errTexts = errors.New("a temporary file has changed")

// textList holds many texts in a temporary file, so that a workbook takes little memory
// however long it is read. Nobody else sees the file.
type textList struct {
	file   *os.File
	out    *bufio.Writer
	n      int      // texts
	bytes  int      // of all texts
	size   int64    // of the file, where each text follows a number for its length and kind
	places []uint32 // where each sixteenth begins
	window []byte
	from   int64 // of the window
}

func newTextList(tempDir string) (*textList, error) {
	file, err := os.CreateTemp(tempDir, "texts-*")
	if err != nil {
		return nil, err
	}
	return &textList{file: file, out: bufio.NewWriter(file)}, os.Remove(file.Name())
}

// add adds a text.
func (t *textList) add(c Cell) error {
	if t.n%textsApart == 0 {
		t.places = append(t.places, uint32(t.size))
	}
	head, _ := t.out.Write(binary.AppendUvarint(t.out.AvailableBuffer(), uint64(len(c.Text))<<8|uint64(c.Kind)))
	_, err := t.out.WriteString(c.Text) // the first error stays
	t.n, t.bytes, t.size = t.n+1, t.bytes+len(c.Text), t.size+int64(head+len(c.Text))
	return err
}

// done ends the adding. Only then may at be called.
func (t *textList) done() error { return t.out.Flush() }

// at returns a text, and false when there is none.
func (t *textList) at(i int) (c Cell, is bool, err error) {
	if t == nil || i < 0 || i >= t.n {
		return c, false, nil
	}
	at := int64(t.places[i/textsApart])
	for skip := i % textsApart; ; skip-- {
		head, err := t.read(at, headBytes)
		if err != nil {
			return c, false, err
		}
		number, n := binary.Uvarint(head)
		length := int64(number >> 8)
		if at += int64(n); n <= 0 || at+length > t.size {
			return c, false, errTexts
		}
		if skip > 0 {
			at += length
			continue
		}
		text, err := t.read(at, int(length))
		return Cell{string(text), Kind(number)}, true, err
	}
}

// read returns what is in the file from there: so much, or up to its end.
func (t *textList) read(at int64, n int) ([]byte, error) {
	n = int(min(int64(n), t.size-at))
	if at < t.from || at+int64(n) > t.from+int64(len(t.window)) {
		length := int(min(int64(max(n, windowBytes)), t.size-at))
		t.from, t.window = at, slices.Grow(t.window[:0], length)[:length]
		if _, err := t.file.ReadAt(t.window, at); err != nil {
			t.window = nil
			return nil, err
		}
	}
	return t.window[at-t.from:][:n], nil
}

func (t *textList) close() error {
	if t == nil {
		return nil
	}
	return t.file.Close()
}
