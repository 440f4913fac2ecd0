package accounts

import "maps"

// A Question is something about a file that only the person who has it can know.
// Reading goes on as suggested, but no job starts before it is answered.
type Question struct {
	Name      string   `json:"question"` // what the answer is called: a field of Choices, or the Reason of rows in doubt
	Choices   []Choice `json:"choices"`
	Suggested string   `json:"suggested"`      // the value of one of Choices; how the file was read
	Rows      int64    `json:"rows,omitempty"` // in doubt
}

// Choice is one answer to a question.
type Choice struct {
	Value string   `json:"value"`
	Label string   `json:"label,omitempty"` // as it stands in the file: the header of a column, the name of a sheet
	First []string `json:"first,omitempty"` // the first values it is about, at most ten
}

// The questions about how a file is written, in the order they are asked.
const (
	AskSheets    = "sheet"      // several may be chosen
	AskSeparator = "separator"  // one of Separators
	AskFirstLine = "first_line" // where the table begins: a title stands above it
	AskHeader    = "header"     // Yes or No
	AskColumn    = "column"     // of the accounts, from 1
)

// Answers to a question about rows in doubt, which are set aside until it is answered.
const (
	Aside  = "aside"  // they stay set aside
	Accept = "accept" // they are read like all other rows
)

// Doubts are the reasons for which a row is set aside until a person decides on
// all rows with that reason. Each is the name of a question.
var Doubts = []Reason{Hidden, Spared, Unlike, ShortRow, ColumnsChanged, Rounded, SeveralValues}

// AcceptAll are answers for a list that nobody is asked about, such as one that
// this program wrote.
func AcceptAll() map[Reason]string {
	answers := map[Reason]string{}
	for _, reason := range Doubts {
		answers[reason] = Accept
	}
	return answers
}

// Lasting is what of the choices is true for other files with the same header. That
// rows in doubt are accounts is not: nobody has seen those of the next file.
func (c Choices) Lasting() Choices {
	c.Rows = maps.Clone(c.Rows)
	maps.DeleteFunc(c.Rows, func(_ Reason, answer string) bool { return answer == Accept })
	return c
}

// IsZero reports whether nothing was said.
func (c Choices) IsZero() bool {
	return len(c.Sheets) == 0 && c.Encoding == "" && c.Separator == "" && c.Quote == "" && c.FirstLine == 0 &&
		c.Header == "" && c.Column == 0 && c.TagColumn == 0 && len(c.Rows) == 0
}

func (u Understanding) firstSheet() string {
	if len(u.Chosen) == 0 {
		return ""
	}
	return u.Chosen[0]
}
