package audit

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Mark says outside the database how many batches were sent. It is a signed note like
// a checkpoint, and published with those.
type Mark struct {
	Origin string // of the log of the database
	Sends  int64
	At     time.Time
}

// sendsLine begins the second line of a mark. No checkpoint has it: there it is a number.
const sendsLine = "sends "

// Mark signs a mark of this log. It is "" without SignWith.
func (l *Log) Mark(ctx context.Context, sends int64) (string, error) {
	if l.signing == nil {
		return "", nil
	}
	h, err := readHead(ctx, l.db.Reader())
	if err != nil {
		return "", err
	}
	signer, err := NewSigner(h.origin, l.signing.witness.seed)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%s\n%s%d\ntime %s\n", h.origin, sendsLine, sends, l.db.Now().UTC().Format(timeFormat))
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	return string(signed), err
}

// OpenMark verifies a note with a public key and reads the mark. It returns
// ErrCheckpoint for any other note.
func OpenMark(text, public string) (m Mark, err error) {
	verifier, err := note.NewVerifier(public)
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		return m, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return m, ErrCheckpoint
	}
	number, isSends := strings.CutPrefix(lines[1], sendsLine)
	at, isTime := strings.CutPrefix(lines[2], "time ")
	m.Origin = lines[0]
	var failed error
	m.Sends, err = strconv.ParseInt(number, 10, 64)
	m.At, failed = time.Parse(timeFormat, at)
	if !isSends || !isTime || err != nil || failed != nil {
		return Mark{}, ErrCheckpoint
	}
	return m, nil
}
