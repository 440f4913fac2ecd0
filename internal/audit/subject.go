package audit

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"tagsweep/internal/store"
)

// Subject is a person in the log: one whole value. It is compared with whole values of
// entries, never with a part of one.
type Subject struct {
	Kind  SubjectKind `json:"kind"`
	Value string      `json:"value"`
}

// SubjectKind says which fields of entries a subject is compared with: see subjects.
type SubjectKind string

// The kinds of subjects.
const (
	OfUser    SubjectKind = "user"    // a user name, in upper or lower case, of full or half width
	OfAccount SubjectKind = "account" // an account of the app, exact to the letter
	OfAddress SubjectKind = "address" // an IP address, however it is written
)

// SubjectKinds lists them in the order of a form.
var SubjectKinds = []SubjectKind{OfUser, OfAccount, OfAddress}

// term is what the entries about a subject are found by. No word of a search is like it.
func (s Subject) term() string {
	switch s.Kind {
	case OfUser:
		if name := folded(s.Value); len(name) <= 2*maxSubject { // what is longer has no room in an index
			return "~" + name
		}
		return "~" + strings.ToLower(s.Value)
	case OfAddress:
		if ip, err := netip.ParseAddr(strings.TrimSpace(s.Value)); err == nil {
			return "@" + ip.Unmap().String()
		}
		return "@" + folded(s.Value)
	}
	return AccountTerm(s.Value)
}

// folded is a text as it is compared where upper and lower case, full and half width, and
// accents written as one character or as two, make no difference.
func folded(text string) string {
	return strings.ToLower(norm.NFKC.String(strings.ToLower(strings.TrimSpace(text))))
}

// AccountTerm is what entries about an account are found by, exact to the letter.
// No word is like it.
func AccountTerm(account string) string { return "=" + account }

// actor is the actor whose entries are the subject's; "" for none.
func (s Subject) actor() string {
	if s.Kind != OfUser {
		return ""
	}
	return folded(s.Value)
}

// is reports whether an entry is about the subject.
func (e Entry) is(s Subject) bool {
	if s.Kind == OfUser && folded(e.Actor.Name) == s.actor() {
		return true
	}
	about := e.subjects()
	return slices.Contains(about, s.term()) || slices.Contains(about, searched+s.term())
}

// searched stands before the term of somebody whom an entry is not about: it only says
// that the log was searched for them.
const searched = "?"

// subjects returns the terms of the people whom an entry is about, but for the user who
// acted. Each is the whole of a field: a user is the target of a sign-in or of a change to
// users; an account is the target of what is done to accounts; an address is the actor's;
// sums of refusals list several; and somebody who searched the log gave them as a filter.
func (e Entry) subjects() (terms []string) {
	prefix := ""
	add := func(kind SubjectKind, values ...any) {
		for _, value := range values {
			if text, is := value.(string); is && text != "" {
				terms = append(terms, prefix+Subject{kind, store.Clean(text, maxSubject)}.term())
			}
		}
	}
	list := func(name string) []any {
		values, _ := e.Details[name].([]any)
		return values
	}
	add(OfAddress, e.Actor.Address)
	add(OfAddress, list("addresses")...)
	for _, sum := range slices.Concat(list("by_name"), list("by_address")) {
		if sum, is := sum.(map[string]any); is {
			from, _ := sum["addresses"].([]any)
			add(OfUser, sum["name"])
			add(OfAddress, append(from, sum["address"])...)
		}
	}
	switch {
	case e.Code.namesUser():
		add(OfUser, e.Target)
	case e.Code.NamesAccount():
		add(OfAccount, e.Target)
		add(OfAccount, list("accounts")...)
	}
	if filter, is := e.Details["filter"].(map[string]any); is {
		prefix = searched
		add(OfUser, filter["actor"], filter["q"])
		add(OfAccount, filter["account"], filter["q"])
		add(OfAddress, filter["q"])
	}
	return terms
}

// maxSubject is how many bytes of a name, an account or an address count.
const maxSubject = 300

// namesUser reports whether the event's target is the name of a user.
func (c Code) namesUser() bool {
	switch c {
	case SignInFailed, SessionEnded, SessionEndedBy, UserCreated, UserPasswordSet, PasswordChanged, UserRoleSet, UserDisabled, UserEnabled:
		return true
	}
	return false
}

// NamesAccount reports whether the event's target is an account.
func (c Code) NamesAccount() bool {
	return c == TagsRead || c == AccountsProtected || c == AccountUnprotected
}
