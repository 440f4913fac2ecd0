package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// replaceFile writes a file so that after a power failure the old or the new one is there.
func replaceFile(path, content string) error {
	next := path + ".new"
	file, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// recordTitle is the second line of a record. No checkpoint has it: there it is a number.
const recordTitle = "witness"

// notes are the signed notes of a log, each followed by an empty line.
func (r remembered) notes(by *Signer) (string, error) {
	notes := ""
	if r.checkpoint != "" {
		notes = r.checkpoint + "\n"
	}
	if len(r.fields) == 0 {
		return notes, nil
	}
	text := r.origin + "\n" + recordTitle + "\n"
	for _, name := range slices.Sorted(maps.Keys(r.fields)) {
		text += name + " " + r.fields[name] + "\n"
	}
	signed, err := note.Sign(&note.Note{Text: text}, by)
	return notes + string(signed) + "\n", err
}

// readWitness reads a witness file; nothing when there is none. ErrWitness: a byte of
// it is not what the key signed.
func readWitness(path string, seed [32]byte) (all []remembered, err error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rest := string(content)
	for rest != "" {
		end := strings.Index(rest, "\n"+signature)
		if end < 0 {
			return nil, ErrWitness
		}
		last := strings.Index(rest[end+1:], "\n\n")
		if last < 0 {
			return nil, ErrWitness
		}
		signed := rest[:end+1+last+1]
		if all, err = learnNote(all, signed, seed); err != nil {
			return nil, err
		}
		rest = rest[len(signed)+1:]
	}
	written := ""
	for _, r := range all {
		signer, err := NewSigner(r.origin, seed)
		if err != nil {
			return nil, err
		}
		notes, err := r.notes(signer)
		if err != nil {
			return nil, err
		}
		written += notes
	}
	if written != string(content) { // a note is there twice, or in another form
		return nil, ErrWitness
	}
	return all, nil
}

// learnNote adds a note of a witness file to what is remembered.
func learnNote(all []remembered, signed string, seed [32]byte) ([]remembered, error) {
	origin, _, _ := strings.Cut(signed, "\n")
	if !strings.HasPrefix(origin, Origins) {
		return nil, ErrWitness
	}
	signer, err := NewSigner(origin, seed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWitness, err)
	}
	verifier, err := note.NewVerifier(signer.Public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWitness, err)
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWitness, err)
	}
	if len(all) == 0 || all[len(all)-1].origin != origin {
		all = append(all, remembered{origin: origin, fields: map[string]string{}})
	}
	r := &all[len(all)-1]
	record, is := strings.CutPrefix(opened.Text, origin+"\n"+recordTitle+"\n")
	if !is {
		c, err := OpenCheckpoint(signed, signer.Public)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrWitness, err)
		}
		if again, err := c.Sign(signer); err != nil || again != signed { // Ed25519 always signs alike
			return nil, ErrWitness
		}
		r.checkpoint = signed
		return all, nil
	}
	for line := range strings.Lines(record) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		r.fields[name] = value
	}
	return all, nil
}
