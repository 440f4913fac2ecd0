package accounts

import (
	"bytes"
	"errors"
	"io"

	"tagsweep/internal/fault"
)

// further places of a file are looked at to find its encoding.
const (
	furtherPlaces = 24
	furtherBytes  = 4 << 10
)

// understand finds out how a file is to be read.
func (f *file) understand(c Choices, limit int) (u Understanding, err error) {
	if err := c.known(); err != nil {
		return u, err
	}
	if !f.tags {
		c.TagColumn = 0
	}
	if u, err = f.understandTable(c, limit); err == nil && f.tags {
		err = u.hasTags()
	}
	return u, err
}

func (f *file) understandTable(c Choices, limit int) (Understanding, error) {
	if f.book != nil {
		return f.understandBook(c, limit)
	}
	if c.Sheet != "" {
		return Understanding{}, FaultNoSheet.With(readable(c.Sheet))
	}
	s, err := f.sample()
	if err != nil {
		return Understanding{}, err
	}
	detected, whyNot := s.encoding()
	chosen, shape := c.Encoding, ""
	if chosen == "" {
		chosen, err = detected, whyNot
	} else {
		err = s.bears(chosen)
	}
	if err != nil {
		return Understanding{}, err
	}
	// What the file is like without any choice decides its shape.
	var u Understanding
	if whyNot == nil {
		u, err = f.understandText(Choices{Encoding: detected}, limit)
	}
	switch {
	case whyNot != nil, isFault(err), err == nil && u.Header == nil:
		end, _ := lineEnd(s.head)
		shape = f.digest([]string{"", string(s.head[:end])})
	case err != nil:
		return u, err
	default:
		shape = f.digest(u.Header)
	}
	if c != (Choices{}) || whyNot != nil {
		c.Encoding = chosen
		u, err = f.understandText(c, limit)
	}
	u.Shape = shape
	return u, err
}

func isFault(err error) bool {
	_, ok := errors.AsType[*fault.Error](err)
	return ok
}

// sample takes the beginning and some further places. What is packed cannot be
// entered in the middle: it is unpacked once to its end, which also finds
// damage before any row is read.
func (f *file) sample() (s sample, err error) {
	r, err := f.open()
	if err != nil {
		return s, err
	}
	defer r.Close()
	if s.head, err = readHead(r); err != nil {
		return s, err
	}
	if len(s.head) < maxRecord {
		return s, nil
	}
	s.head = wholeLines(s.head, false)
	if f.unpack == nil {
		return s, f.sampleFurther(&s)
	}
	piece := make([]byte, maxRecord)
	for {
		n, err := io.ReadFull(r, piece) // its own errors are no longer those of io
		if !isASCII(piece[:n]) && len(s.more) < furtherPlaces {
			at := 0
			for piece[at] < 0x80 {
				at++
			}
			at = max(0, min(at-furtherBytes/2, n-furtherBytes))
			s.more = append(s.more, bytes.Clone(wholeLines(piece[at:min(n, at+furtherBytes)], true)))
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return s, nil
		} else if err != nil {
			return s, err
		}
	}
}

func (f *file) sampleFurther(s *sample) error {
	size := f.source.Size()
	for i := range int64(furtherPlaces) {
		piece := make([]byte, furtherBytes)
		n, err := f.source.ReadAt(piece, maxRecord+(size-maxRecord)*i/furtherPlaces)
		if err != nil && err != io.EOF {
			return err
		}
		s.more = append(s.more, wholeLines(piece[:n], true))
	}
	return nil
}

// wholeLines cuts off a line that is not there to its end and, of what does not
// begin the file, one that is not there from its beginning.
func wholeLines(piece []byte, inside bool) []byte {
	if inside {
		i := bytes.IndexAny(piece, "\r\n")
		piece = piece[i+1:]
	}
	if i := bytes.LastIndexAny(piece, "\r\n"); i >= 0 {
		return piece[:i+1]
	} else if inside {
		return nil
	}
	// Cut where no character can be, so that none is halved.
	return piece[:1+bytes.LastIndexFunc(piece, func(c rune) bool { return c < '0' })]
}

// understandText detects what the choices leave open; they name the encoding.
func (f *file) understandText(c Choices, limit int) (u Understanding, err error) {
	t, closer, err := f.text(c.Encoding)
	if err != nil {
		return u, err
	}
	defer closer.Close()
	u = Understanding{Packed: f.packed, Entry: f.entry, Encoding: c.Encoding, WholeLine: c.Separator == OnePerLine}
	first := max(c.FirstLine, 1)
	if u.Above, err = t.skipTo(first); err != nil {
		return u, noTable(err, c)
	}
	sample, whole, err := t.sample()
	if err != nil {
		return u, noTable(err, c)
	}
	if separator, length := separatorLine(sample); length > 0 && c.FirstLine == 0 {
		if c.Separator == "" {
			c.Separator = separator
		}
		if u.Above, err = t.skipTo(2); err != nil {
			return u, err
		}
		first, sample = 2, sample[length:]
	}
	found := detect(sample, c, rules{limit: limit, wholeLine: u.WholeLine, tags: f.tags})
	if !whole {
		found.header, found.column, found.line, found.unread = nil, max(c.Column-1, 0), 0, c.Header == Yes
	}
	if err := u.take(found, c, first, f.tags); err != nil {
		return u, err
	}
	above, err := t.skipTo(u.FirstLine)
	u.Above = append(u.Above, above[:min(len(above), aboveShown-min(aboveShown, len(u.Above)))]...)
	if err != nil {
		return u, noTable(err, c)
	}
	u.Required = u.Columns
	for u.Header != nil && u.Required > max(u.Column+1, u.TagColumn) && u.Header[u.Required-1] == "" {
		u.Required--
	}
	if u.Header == nil {
		return u, nil
	}
	// A quote in the header may hold rows: then it is read as one itself.
	if table := newTable(t, u, limit); !table.headerHolds() {
		if c.Header == Yes {
			return u, FaultHeader.With(u.FirstLine)
		}
		u.Header = nil
	}
	return u, nil
}

func noTable(err error, c Choices) error {
	if err == io.EOF && c.FirstLine > 1 {
		return FaultFirstLine.With(c.FirstLine)
	} else if err == io.EOF {
		return FaultEmpty.With()
	}
	return err
}

// take makes what was found part of the understanding.
func (u *Understanding) take(found candidate, c Choices, first int64, tags bool) error {
	u.Separator, u.Quote = found.dialect.names()
	u.FirstLine = first + found.line
	u.Column, u.Columns, u.Several = found.column, found.columns, found.several
	switch {
	case found.columns > MaxColumns:
		return FaultColumns.With(found.columns, MaxColumns)
	case u.Column >= u.Columns || u.Column < 0:
		return FaultColumn.With(u.Column+1, u.Columns)
	case found.unread:
		return FaultHeader.With(u.FirstLine)
	}
	if found.header != nil {
		u.Header = make([]string, len(found.header))
		for i, cell := range found.header {
			u.Header[i] = readable(cell)
		}
	}
	if tags {
		return u.takeTags(found, c)
	}
	return nil
}

// text opens the text in an encoding.
func (f *file) text(e Encoding) (text, io.Closer, error) {
	r, err := f.open()
	if err != nil {
		return text{}, nil, err
	}
	src, err := decoded(r, e)
	if err != nil {
		r.Close()
		return text{}, nil, err
	}
	return newText(src), r, nil
}
