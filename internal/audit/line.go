package audit

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Written is an entry as it is stored. Line is a leaf of the tree: it holds
// nothing personal but a digest of Personal, which can therefore be erased
// without changing the tree.
type Written struct {
	Line     string
	Personal string // "": erased
}

// line is the JSON of Written.Line, its fields in this order.
type line struct {
	Seq      int64          `json:"seq"`
	At       string         `json:"at"`
	Code     Code           `json:"code"`
	ActorID  string         `json:"actor"`
	Role     string         `json:"role"`
	SignedIn string         `json:"signed_in,omitempty"`
	Session  string         `json:"session,omitempty"`
	Request  string         `json:"request,omitempty"`
	Job      string         `json:"job,omitempty"`
	App      string         `json:"app,omitempty"`
	Domain   string         `json:"domain,omitempty"`
	Details  map[string]any `json:"details,omitempty"`
	Personal string         `json:"personal"` // hex SHA-256 of Written.Personal
}

// personal is the JSON of Written.Personal. Without the salt, a name could be
// found again from the digest by trying names.
type personal struct {
	Salt      string         `json:"salt"`
	Name      string         `json:"name,omitempty"`
	Address   string         `json:"address,omitempty"`
	UserAgent string         `json:"user_agent,omitempty"`
	Target    string         `json:"target,omitempty"`
	Details   map[string]any `json:"details,omitempty"`
}

const timeFormat = "2006-01-02T15:04:05.000Z"

// impersonal are the details whose texts are codes, ids and digests. Every other
// text may be about somebody.
var impersonal = map[string]bool{
	"kind": true, "state": true, "decision": true, "policy": true, "outcome": true, "outcomes": true, "role": true,
	"before": true, "after": true,
	"permission": true, "method": true, "of": true, "call": true, "start_at": true, "keep_until": true, "erase_at": true,
	"sha256": true, "rows_sha256": true, "calls_sha256": true, "job_sha256": true, "approvals": true, "because_of": true,
	"entries": true, "root": true, "known_root": true, "lost": true, "why": true, "last_at": true,
	"seed": true, "format": true, "destination": true,
	"since": true,
	"user":  true, "password_sha256": true, "app_id": true, "terms_sha256": true,
	"list_sha256": true,
	"approval":    true, "action": true, "runs_sha256": true, "expires": true,
	"draft_sha256": true, "mapping": true, "subject_hmac": true,
	"ended": true,
}

// Write makes the two stored texts of an entry, with a fresh salt.
func Write(e Entry) (Written, error) {
	public, private := map[string]any{}, map[string]any{}
	for name, value := range e.Details {
		if isImpersonal(name, value) {
			public[name] = value
		} else {
			private[name] = value
		}
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	kept, err := JSON(personal{hex.EncodeToString(salt), e.Actor.Name, e.Actor.Address, e.Actor.UserAgent, e.Target, private})
	if err != nil {
		return Written{}, err
	}
	leaf, err := JSON(line{e.Seq, e.At.UTC().Format(timeFormat), e.Code, e.Actor.ID, e.Actor.Role, e.Actor.SignedIn,
		e.Actor.Session, e.Actor.RequestID, e.JobID, e.App, e.Domain, public, digest(kept)})
	return Written{leaf, kept}, err
}

func isImpersonal(name string, value any) bool {
	switch value.(type) {
	case nil, bool, int, int64, float64:
		return true
	}
	return impersonal[name]
}

// JSON is compact and on one line. It escapes no character without need.
func JSON(v any) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), err
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Errors of Read: the stored text was not written by Write.
var (
	ErrLine     = errors.New("the line cannot be read")
	ErrPersonal = errors.New("the personal part is not the one that was written")
)

// Read turns the stored texts back into the entry.
func (w Written) Read() (Entry, error) {
	var l line
	if err := strict(w.Line, &l); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrLine, err)
	}
	at, err := time.Parse(timeFormat, l.At)
	if err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrLine, err)
	}
	e := Entry{Seq: l.Seq, At: at, Code: l.Code, JobID: l.Job, App: l.App, Domain: l.Domain, Details: l.Details, Erased: w.Personal == "",
		Actor: Actor{ID: l.ActorID, Role: l.Role, SignedIn: l.SignedIn, Session: l.Session, RequestID: l.Request}}
	if e.Erased {
		return e, nil
	}
	var p personal
	if digest(w.Personal) != l.Personal {
		return Entry{}, ErrPersonal
	}
	if err := strict(w.Personal, &p); err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrPersonal, err)
	}
	e.Actor.Name, e.Actor.Address, e.Actor.UserAgent, e.Target = p.Name, p.Address, p.UserAgent, p.Target
	if len(p.Details) > 0 {
		if e.Details == nil {
			e.Details = map[string]any{}
		}
		maps.Copy(e.Details, p.Details)
	}
	return e, nil
}

// Leaf is the hash of the line in the tree (RFC 6962, section 2.1).
func (w Written) Leaf() tlog.Hash { return tlog.RecordHash([]byte(w.Line)) }

// strict reads one JSON object that has only the fields it may have.
func strict(text string, into any) error {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("there is more text after it")
	}
	return nil
}

// Proved is an entry with the proof that it is in the tree of a size.
type Proved struct {
	Written
	Proof []tlog.Hash
}
