package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/note"

	"tagsweep/internal/fault"
)

// Faults of a witness file.
var (
	FaultWitness = fault.Declare(fault.Unavailable, "audit.witness",
		"The witness file %s cannot be read or written. Nothing was started. Check CONSOLE_WITNESS_FILE, and that "+
			"its folder exists and is writable.")
	FaultWitnessInUse = fault.Declare(fault.Unavailable, "audit.witness_in_use",
		"Another console uses the witness file %s. Nothing was started. Stop it first, or set CONSOLE_WITNESS_FILE: "+
			"each console needs its own.")
)

// ErrWitness says that a witness file was not written with the key, or was changed.
var ErrWitness = errors.New("the witness file was changed, or written with another key")

// Witness is a small file outside the database. In it a console remembers, for each
// log, the last checkpoint it signed and how far it has sent. Both are signed notes
// of the log's key. Whoever has the database, but neither this file nor the key,
// cannot make the console forget. Its methods may be called at the same time.
type Witness struct {
	path string
	seed [32]byte
	lock *os.File // keeps other consoles out

	mutex sync.Mutex
	logs  []remembered // the one that was written last comes last
	last  *Signer      // of the log that was saved last: it is saved before every send
	wrong error        // ErrWitness: the file is left as it is
}

// remembered is what a witness knows of one log.
type remembered struct {
	origin     string
	checkpoint string            // the last one signed, as a note; "": none yet
	fields     map[string]string // of the record; empty: there is none
}

// OpenWitness opens the witness file of a console; a new one is made with the first
// save. A file that does not verify is no error here: see Damaged. Faults:
// FaultWitness, FaultWitnessInUse.
func OpenWitness(path string, seed [32]byte) (*Witness, error) {
	w := &Witness{path: path, seed: seed}
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		w.lock, err = os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	}
	if err != nil {
		return nil, FaultWitness.Because(err, path)
	}
	if err := syscall.Flock(int(w.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		w.lock.Close()
		return nil, FaultWitnessInUse.Because(err, path)
	}
	if w.logs, err = readWitness(path, seed); errors.Is(err, ErrWitness) {
		w.wrong = err
	} else if err != nil {
		w.lock.Close()
		return nil, FaultWitness.Because(err, path)
	}
	return w, nil
}

// Close lets another console use the file.
func (w *Witness) Close() error { return w.lock.Close() }

// Damaged returns ErrWitness if the file was changed by others. It is then neither
// believed nor replaced.
func (w *Witness) Damaged() error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.wrong
}

// Progress is how far a console has sent. The times are those of its own clock.
type Progress struct {
	Origin      string    // the log of the database it sends from
	Sends       int64     // batches, as the database counts them: see jobs.Sends
	Started, At time.Time // of the process; of these numbers
}

// Progress returns what SaveProgress saved last for a log. Found is false if nothing was,
// or if the file is damaged.
func (w *Witness) Progress(origin string) (p Progress, found bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, r := range w.logs {
		if r.origin == origin {
			return r.progress()
		}
	}
	return p, false
}

func (r remembered) progress() (p Progress, ok bool) {
	sends, err := strconv.ParseInt(r.fields["sends"], 10, 64)
	started, err2 := time.Parse(timeFormat, r.fields["started"])
	at, err3 := time.Parse(timeFormat, r.fields["at"])
	return Progress{r.origin, sends, started, at}, errors.Join(err, err2, err3) == nil
}

// SaveProgress remembers how far this console has sent. It is on the disk when
// SaveProgress returns. ErrWitness: the file is damaged, and stays as it is.
func (w *Witness) SaveProgress(p Progress) error {
	return w.save(p.Origin, func(r *remembered) {
		r.fields["sends"] = strconv.FormatInt(p.Sends, 10)
		r.fields["started"] = p.Started.UTC().Format(timeFormat)
		r.fields["at"] = p.At.UTC().Format(timeFormat)
	})
}

// save changes what is remembered of a log, and writes the file.
func (w *Witness) save(origin string, change func(*remembered)) error {
	if !strings.HasPrefix(origin, Origins) {
		return fmt.Errorf("audit: %q names no log", origin)
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.wrong != nil {
		return w.wrong
	}
	changed := remembered{origin: origin, fields: map[string]string{}}
	all := slices.DeleteFunc(slices.Clone(w.logs), func(r remembered) bool {
		if r.origin != origin {
			return false
		}
		changed.checkpoint = r.checkpoint
		maps.Copy(changed.fields, r.fields)
		return true
	})
	change(&changed)
	all = append(all, changed)
	var file strings.Builder
	for _, r := range all {
		signer, err := w.signer(r.origin)
		if err != nil {
			return err
		}
		notes, err := r.notes(signer)
		if err != nil {
			return err
		}
		file.WriteString(notes)
	}
	if err := replaceFile(w.path, file.String()); err != nil {
		return err
	}
	w.logs = all
	return nil
}

// signer returns the signer of a log.
func (w *Witness) signer(origin string) (*Signer, error) {
	if w.last != nil && w.last.Name() == origin {
		return w.last, nil
	}
	signer, err := NewSigner(origin, w.seed)
	if err == nil {
		w.last = signer
	}
	return signer, err
}

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
