package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"tagsweep/internal/accounts"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// Asked names an open question about a job's file: see accounts.Question.
type Asked string

// unsure says which question is open.
func (j Job) unsure() *fault.Error { return FaultUnsure.With(j.Unsure[0], string(j.Unsure[0])) }

// sameLayout reports whether a layout that choices lead to is the one the file was read in.
func (u Understood) sameLayout(layout accounts.Understanding) bool {
	return bytes.Equal(layoutOf(u.Understanding), layoutOf(layout))
}

// sameDoubts reports whether, in the same layout, choices change no row that is in
// doubt. An answer that is taken back is asked for anew, and that takes another reading.
func (u Understood) sameDoubts(c accounts.Choices) bool {
	for _, doubt := range accounts.Doubts {
		before, now := u.Choices.Rows[doubt], c.Rows[doubt]
		if before != now && !(before == "" && now == accounts.Aside) {
			return false
		}
	}
	return true
}

// layoutOf is what tells one layout from another.
func layoutOf(u accounts.Understanding) []byte {
	u.Unsure, u.Accepted = nil, nil
	text, err := json.Marshal(u)
	if err != nil {
		panic(err) // strings and numbers are always JSON
	}
	return text
}

// answered is the understanding once choices are made that change no row: the questions
// that stay open are those of the layout, and those about rows that were not answered.
func (u Understood) answered(c accounts.Choices, layout accounts.Understanding) accounts.Understanding {
	isDoubt := func(q accounts.Question) bool { return slices.Contains(accounts.Doubts, accounts.Reason(q.Name)) }
	open := slices.DeleteFunc(slices.Clone(layout.Unsure), isDoubt)
	for _, q := range u.Unsure {
		if isDoubt(q) && c.Rows[accounts.Reason(q.Name)] == "" {
			open = append(open, q)
		}
	}
	u.Understanding.Unsure = open
	return u.Understanding
}

func saveUnsure(ctx context.Context, tx *store.Tx, jobID string, u accounts.Understanding) error {
	text, err := json.Marshal(u)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE jobs SET understanding = $2, unsure = $3 WHERE id = $1`, jobID, string(text), names(u.Unsure))
	return err
}
