package accounts

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

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
	for _, reason := range Doubts {
		if c.Rows[reason] == Accept {
			u.Accepted = append(u.Accepted, reason)
		}
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
	u = Understanding{Encoding: c.Encoding}
	u.Packed, u.Entry = f.packing()
	above := func(line []byte) { u.above(string(line[:min(len(line), 4*shownBytes)])) }
	sample, _, err := t.Peek()
	if err != nil {
		return u, noTable(err, c)
	}
	if format := formatOfText(sample); format != "" {
		return u, FaultBinary.With(format)
	}
	first := max(c.FirstLine, 1)
	if separator, length := separatorLine(sample); length > 0 && c.FirstLine != 1 {
		if c.Separator == "" {
			c.Separator = separator
		}
		first = max(first, 2)
	}
	if err := t.SkipTo(first, above); err != nil {
		return u, noTable(err, c)
	}
	sample, whole, err := t.Peek()
	if err != nil {
		return u, noTable(err, c)
	}
	r := rules{limit: limit, wholeLine: c.Separator == OnePerLine, tags: f.tags}
	if !whole && c.Separator == "" {
		c.Separator = OnePerLine
	}
	found := detect(sample, first, c, r)
	if !whole {
		found.header, found.column, found.line, found.unread = nil, max(c.Column-1, 0), first, c.Header == Yes
		found.unsure = nil
	}
	u.WholeLine = r.wholeLine || found.separator == OnePerLine && found.asks(AskSeparator)
	r.wholeLine = u.WholeLine
	if err := u.take(found, c, r); err != nil {
		return u, err
	}
	if err := t.SkipTo(u.FirstLine, above); err != nil {
		return u, noTable(err, c)
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
		for i := range u.Unsure {
			if u.Unsure[i].Name == AskHeader {
				u.Unsure[i].Suggested = No
			}
		}
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
func (u *Understanding) take(found layout, c Choices, r rules) error {
	u.Separator, u.Quote = found.separator, found.quote
	u.FirstLine, u.Unsure, u.ByName = found.line, found.unsure, found.byName
	u.Column, u.Columns = found.column, found.columns
	own := found.columns
	if isRejects(found.header) {
		own -= len(RejectColumns)
	}
	switch {
	case own > MaxColumns:
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
	if r.tags {
		if err := u.takeTags(found, c); err != nil {
			return err
		}
	}
	u.learn(found.rows, r)
	u.learnMeant(found.rows)
	return nil
}

// learn keeps what the rows of the sample have in common.
func (u *Understanding) learn(rows []sampleRow, r rules) {
	accounts := accountsIn(rows, u.Column, r)
	u.Like = likenessOf(accounts)
	long := slices.DeleteFunc(slices.Clone(accounts), func(account string) bool { return !isLongNumber(account) })
	u.Rounding = share(long, endsInZeros) > 0.5 || share(long, isFloat) >= 0.9 ||
		len(long) > 1 && share(long, isCut) > max(0.02, 1/float64(len(long)))
	u.Required = max(u.Column+1, u.TagColumn)
	if !slices.ContainsFunc(rows, func(row sampleRow) bool { return !row.broken }) { // nothing is known
		u.Required = u.Columns
	}
	wide := 0
	for _, row := range rows {
		if row.filled() > 1 {
			wide++
		}
	}
	u.Wide = wide*4 >= len(rows)*3
	for i := range u.Columns {
		filled, withDigit := 0, 0
		for _, row := range rows {
			if cell := row.cell(i); !isBlank(cell) {
				filled++
				if hasDigit(cell) {
					withDigit++
				}
			}
		}
		if filled > 0 {
			u.Required = max(u.Required, i+1)
		}
		if filled > 0 && filled*10 >= len(rows)*9 {
			u.Filled = append(u.Filled, i)
		}
		if withDigit > 2 && withDigit*4 >= len(rows)*3 {
			u.WithDigit = append(u.WithDigit, i)
		}
	}
}

// isLongNumber: a number with more digits than spreadsheets and JavaScript keep.
func isLongNumber(account string) bool { return len(account) >= 16 && isNumber(account) }

// isCut: spreadsheets keep 15 digits; by chance, one number of a hundred has no more.
func isCut(account string) bool { return len(account) > 17 && strings.Trim(account[15:], "0") == "" }

func endsInZeros(account string) bool { return strings.HasSuffix(account, "00") }

// isFloat: JavaScript and spreadsheets keep such a number, and round those beside it.
func isFloat(account string) bool {
	n, err := strconv.ParseUint(account, 10, 64)
	return err == nil && n > 1<<53 && n < 1<<63 && uint64(float64(n)) == n
}
