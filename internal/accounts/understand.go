package accounts

import (
	"errors"
	"io"

	"tagsweep/internal/accounts/text"
	"tagsweep/internal/fault"
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
	if len(c.Sheets) > 0 {
		return Understanding{}, FaultNoSheet.With(readable(c.Sheets[0]))
	}
	s, err := f.sample()
	if err != nil {
		return Understanding{}, err
	}
	detected, whyNot := s.Encoding()
	chosen, shape := c.Encoding, ""
	if chosen == "" {
		chosen, err = detected, whyNot
	} else {
		err = s.Allows(chosen)
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
		end, _ := text.LineEnd(s.Head)
		shape = f.digest([]string{"", string(s.Head[:end])})
	case err != nil:
		return u, err
	default:
		shape = f.digest(u.Header)
	}
	if !c.IsZero() || whyNot != nil {
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

// understandText detects what the choices leave open; they name the encoding.
func (f *file) understandText(c Choices, limit int) (u Understanding, err error) {
	t, closer, err := f.lines(c.Encoding)
	if err != nil {
		return u, err
	}
	defer closer.Close()
	u = Understanding{Encoding: c.Encoding, WholeLine: c.Separator == OnePerLine}
	u.Packed, u.Entry = f.packing()
	above := func(line []byte) { u.above(string(line[:min(len(line), 4*shownBytes)])) }
	first := max(c.FirstLine, 1)
	if err := t.SkipTo(first, above); err != nil {
		return u, noTable(err, c)
	}
	sample, whole, err := t.Peek()
	if err != nil {
		return u, noTable(err, c)
	}
	if separator, length := separatorLine(sample); length > 0 && c.FirstLine == 0 {
		if c.Separator == "" {
			c.Separator = separator
		}
		if err := t.SkipTo(2, above); err != nil {
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
	if err := t.SkipTo(u.FirstLine, above); err != nil {
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
	if table := newTextTable(t, u, limit); !table.records.IsClear() {
		if c.Header == Yes {
			return u, FaultHeader.With(u.FirstLine)
		}
		u.Header = nil
	}
	return u, nil
}

// above keeps a line above the table to be shown.
func (u *Understanding) above(line string) {
	if len(u.Above) < aboveShown {
		u.Above = append(u.Above, shorten(line))
	}
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
	u.Separator, u.Quote = found.separator, found.quote
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
