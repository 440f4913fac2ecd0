package audit

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Origins begins the names of all logs, and so the first line of a checkpoint.
const Origins = "tagsweep/"

// Checkpoint is the state of the log at a time. Signed, it is a note in the format of
// C2SP's tlog-checkpoint, with two additional lines.
type Checkpoint struct {
	Origin string // names the log
	Size   int64  // entries
	Root   tlog.Hash
	At     time.Time
	// Previous is the size of the checkpoint before it; 0: there was none.
	Previous int64
}

// Signer signs checkpoints of one log.
type Signer struct {
	note.Signer
	Public string // the key to verify with, in the form of note.NewVerifier
}

// NewSigner makes the signer of a log from 32 secret bytes.
func NewSigner(origin string, seed [ed25519.SeedSize]byte) (*Signer, error) {
	private := ed25519.NewKeyFromSeed(seed[:])
	public, err := note.NewEd25519VerifierKey(origin, private.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		return nil, err
	}
	const ed25519Key = "\x01"
	signer, err := note.NewSigner(
		fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", origin, verifier.KeyHash(),
			base64.StdEncoding.EncodeToString([]byte(ed25519Key+string(seed[:])))),
	)
	if err != nil {
		return nil, errors.New("audit: the key to sign with cannot be made") // the error itself holds the key
	}
	return &Signer{signer, public}, nil
}

// Sign makes the note of a checkpoint.
func (c Checkpoint) Sign(by *Signer) (string, error) {
	text := fmt.Sprintf("%s\n%d\n%s\ntime %s\nprevious %d\n", c.Origin, c.Size, c.Root, c.At.UTC().Format(timeFormat), c.Previous)
	signed, err := note.Sign(&note.Note{Text: text}, by)
	return string(signed), err
}

// ErrCheckpoint says that a text is not a checkpoint signed with the key.
var ErrCheckpoint = errors.New("not a checkpoint signed with the key of this log")

// OpenCheckpoint verifies a note with a public key and reads the checkpoint.
// Without a key it only reads it.
func OpenCheckpoint(text, public string) (c Checkpoint, err error) {
	signed := text
	if public != "" {
		verifier, err := note.NewVerifier(public)
		if err != nil {
			return c, fmt.Errorf("%w: %w", ErrCheckpoint, err)
		}
		opened, err := note.Open([]byte(text), note.VerifierList(verifier))
		if err != nil {
			return c, fmt.Errorf("%w: %w", ErrCheckpoint, err)
		}
		if signed = opened.Text; !strings.HasPrefix(signed, verifier.Name()+"\n") {
			return c, ErrCheckpoint
		}
	} else if end := strings.Index(text, "\n\n"); end >= 0 {
		signed = text[:end+1]
	}
	lines := strings.Split(signed, "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[3], "time ") || !strings.HasPrefix(lines[4], "previous ") {
		return c, ErrCheckpoint
	}
	c.Origin = lines[0]
	var ok, follows bool
	c.Size, ok = entryCount(lines[1])
	c.Previous, follows = entryCount(strings.TrimPrefix(lines[4], "previous "))
	if !ok || !follows || c.Previous >= max(c.Size, 1) {
		return c, ErrCheckpoint
	}
	if c.Root, err = tlog.ParseHash(lines[2]); err != nil {
		return c, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	if c.At, err = time.Parse(timeFormat, strings.TrimPrefix(lines[3], "time ")); err != nil {
		return c, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return c, nil
}

// entryCount reads a number of entries, written in one way only.
func entryCount(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0 && strconv.FormatInt(n, 10) == text
}

// signature begins the line that ends a note.
const signature = "\u2014 "

// maxLine is more than any line of a checkpoint.
const maxLine = 10_000

// Checkpoints reads the notes of a checkpoint file, each after an empty line. It
// skips one that was cut off while it was written.
func Checkpoints(published io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		lines := bufio.NewScanner(published)
		lines.Buffer(nil, maxLine)
		var note strings.Builder
		for lines.Scan() {
			line := lines.Text()
			if note.Len() == 0 && line == "" {
				continue
			}
			if strings.HasPrefix(line, Origins) {
				note.Reset()
			}
			note.WriteString(line + "\n")
			if signed, is := strings.CutPrefix(line, signature); is {
				if whole(signed) && !yield(note.String(), nil) {
					return
				}
				note.Reset()
			}
		}
		if err := lines.Err(); err != nil {
			yield("", err)
		}
	}
}

// whole reports whether a signature is complete.
func whole(signed string) bool {
	_, text, _ := strings.Cut(signed, " ")
	signature, err := base64.StdEncoding.DecodeString(text)
	return err == nil && len(signature) == 4+ed25519.SignatureSize
}
