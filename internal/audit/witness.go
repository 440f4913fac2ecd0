package audit

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

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
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	var lock *os.File
	if err == nil {
		lock, err = os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	}
	if err != nil {
		return nil, FaultWitness.Because(err, path)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, FaultWitnessInUse.Because(err, path)
	}
	w, err := ReadWitness(path, seed)
	if err != nil {
		lock.Close()
		return nil, err
	}
	w.lock = lock
	return w, nil
}

// ReadWitness reads the witness file of a console that may be running. It cannot be
// saved. Fault: FaultWitness.
func ReadWitness(path string, seed [32]byte) (*Witness, error) {
	w := &Witness{path: path, seed: seed}
	var err error
	if w.logs, err = readWitness(path, seed); errors.Is(err, ErrWitness) {
		w.wrong = err
	} else if err != nil {
		return nil, FaultWitness.Because(err, path)
	}
	return w, nil
}

var errReadOnly = errors.New("audit: the witness file is only read")

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
	Last        string    // a call of the last of them; "": not known
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
	return Progress{r.origin, sends, r.fields["last"], started, at}, errors.Join(err, err2, err3) == nil
}

// SaveProgress remembers how far this console has sent. It is on the disk when
// SaveProgress returns. ErrWitness: the file is damaged, and stays as it is.
func (w *Witness) SaveProgress(p Progress) error {
	return w.save(p.Origin, func(r *remembered) {
		r.fields["sends"] = strconv.FormatInt(p.Sends, 10)
		if r.fields["last"] = p.Last; p.Last == "" {
			delete(r.fields, "last")
		}
		r.fields["started"] = p.Started.UTC().Format(timeFormat)
		r.fields["at"] = p.At.UTC().Format(timeFormat)
	})
}

// Hold returns the hold of a log's database that SaveHold saved last; "": none.
func (w *Witness) Hold(origin string) string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.of(origin).fields["hold"]
}

// SaveHold remembers for which hold of its database this console knows the reason: see
// jobs.KillSwitch. ErrWitness as for SaveProgress.
func (w *Witness) SaveHold(origin, hold string) error {
	return w.save(origin, func(r *remembered) { r.fields["hold"] = hold })
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
	if w.lock == nil {
		return errReadOnly
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
