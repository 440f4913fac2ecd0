package accounts

import "strings"

// Likeness is what nearly all accounts of a file have in common. A row with
// another one is in doubt: it may be a title, a total, or of another table.
type Likeness struct {
	Class    string `json:"class,omitempty"`    // "": nothing
	Prefix   string `json:"prefix,omitempty"`   // before the first digit
	Shortest int    `json:"shortest,omitempty"` // 0: any
	Longest  int    `json:"longest,omitempty"`  // 0: any
}

// Classes of accounts, the finest first.
const (
	digits   = "digits"
	prefixed = "prefix"
	mixed    = "mixed" // letters or signs, and digits
	letters  = "letters"
)

func classOf(account string) string {
	switch {
	case isNumber(account):
		return digits
	case hasDigit(account):
		return mixed
	}
	return letters
}

func isMixed(account string) bool { return classOf(account) == mixed }

// likenessOf finds what at least nine in ten of the accounts share; of fewer than
// ten, all but one; of fewer than three, nothing. Up to a third may be words
// without a digit between others that are all alike.
func likenessOf(accounts []string) Likeness {
	n := len(accounts)
	need := (n*9 + 9) / 10
	if n < 3 {
		return Likeness{}
	} else if n < 10 {
		need = n - 1
	}
	classes, prefixes, lengths := map[string]int{}, map[string]int{}, map[int]int{}
	for _, account := range accounts {
		class := classOf(account)
		classes[class]++
		lengths[len(account)]++
		if class == mixed {
			prefixes[beforeDigit(account)]++
		}
	}
	if words := classes[letters]; words*3 <= n && need > n-words {
		need = n - words // titles between
	}
	if classes[digits] >= need {
		l := Likeness{Class: digits}
		for _, account := range accounts {
			if isNumber(account) {
				l.add(len(account))
			}
		}
		// Running numbers grow longer; what is shorter or much longer is something else.
		l.Shortest, l.Longest = max(l.Shortest-1, 1), l.Longest+3
		return l
	}
	for prefix, n := range prefixes {
		if n >= need && prefix != "" {
			return Likeness{Class: prefixed, Prefix: prefix}
		}
	}
	for _, class := range []string{mixed, letters} {
		if classes[class] < need {
			continue
		}
		l := Likeness{Class: class}
		for length, n := range lengths {
			if class == mixed && n >= need {
				l.Shortest, l.Longest = length, length
			}
		}
		return l
	}
	return Likeness{}
}

func (l *Likeness) add(length int) {
	if l.Shortest == 0 || length < l.Shortest {
		l.Shortest = length
	}
	l.Longest = max(l.Longest, length)
}

// fits reports whether an account is like the others.
func (l *Likeness) fits(account string) bool {
	if l.Class == "" {
		return true
	}
	if len(account) < l.Shortest || l.Longest > 0 && len(account) > l.Longest {
		return false
	}
	if l.Class == prefixed {
		return strings.HasPrefix(account, l.Prefix) && len(account) > len(l.Prefix) &&
			isDigit(account[len(l.Prefix)])
	}
	return classOf(account) == l.Class
}

func beforeDigit(cell string) string {
	if i := strings.IndexAny(cell, "0123456789"); i >= 0 {
		return cell[:i]
	}
	return cell
}
