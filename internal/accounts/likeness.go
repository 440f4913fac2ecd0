package accounts

import (
	"slices"
	"strings"
)

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

// likenessOf finds what nearly all of the accounts share: at least three in ten are
// digits, or have the same letters before the digits, so that the others are another
// list; or nine in ten, and all but one of fewer than ten, are of one class. Of fewer
// than three, nothing.
func likenessOf(accounts []string) Likeness {
	n := len(accounts)
	if n < 3 {
		return Likeness{}
	}
	kinds, lengths, last, unordered := map[Likeness]int{}, map[Likeness][]int{}, map[Likeness]string{}, map[Likeness]bool{}
	count := func(kind Likeness, account string) {
		kinds[kind]++
		lengths[kind] = append(lengths[kind], len(account))
		before := last[kind]
		unordered[kind] = unordered[kind] || len(account) < len(before) || len(account) == len(before) && account < before ||
			before != "" && len(account) > len(before)+1
		last[kind] = account
	}
	for _, account := range accounts {
		class := classOf(account)
		count(Likeness{Class: class}, account)
		if prefix := beforeDigit(account); class == mixed && prefix != "" {
			count(Likeness{Class: prefixed, Prefix: prefix}, account)
		}
	}
	best, most := Likeness{}, 0
	for kind, n := range kinds {
		if (kind.Class == digits || kind.Class == prefixed) && (n > most || n == most && kind.Prefix < best.Prefix) {
			best, most = kind, n
		}
	}
	need := min((n*9+9)/10, n-1)
	begin := func(account string) bool { return strings.HasPrefix(account, best.Prefix) }
	if best.Class == prefixed && most < need && share(accounts, begin)*float64(n) >= float64(need) { // wxid_7f, wxid_a9
		lengths[Likeness{Class: mixed, Prefix: best.Prefix}] = lengths[Likeness{Class: mixed}]
		best.Class = mixed
	} else if most < need && (most < 3 || most*10 < n*3) {
		best = Likeness{}
		for _, class := range []string{mixed, letters} {
			if kind := (Likeness{Class: class}); kinds[kind] >= need {
				best = kind
			}
		}
	}
	if best.Class != "" && best.Class != letters {
		best.Shortest, best.Longest = usualLengths(lengths[best], best.Class != mixed, unordered[best])
	}
	return best
}

// usualLengths: running numbers grow longer; else what is shorter or longer than nearly
// all was cut, or is two. Zero is any.
func usualLengths(all []int, counts, unordered bool) (shortest, longest int) {
	slices.Sort(all)
	last := len(all) - 1
	few := max(len(all)/20, min(len(all)/8, 1))
	switch quarter := len(all) / 4; {
	case counts && !unordered:
		return all[0], all[last] + 3
	case all[few] == all[last-few]:
		return all[few], all[few]
	case counts:
		low, high := last/2, last/2 // within the quarters, as long as no two lengths are missing
		for low > quarter && all[low-1]+2 >= all[low] {
			low--
		}
		for high < last-quarter && all[high]+2 >= all[high+1] {
			high++
		}
		return max(all[low]-1, 1), all[high] + 1
	}
	return 0, 0
}

// fits reports whether an account is like the others.
func (l *Likeness) fits(account string) bool {
	if l.Class == "" {
		return true
	}
	if len(account) < l.Shortest || l.Longest > 0 && len(account) > l.Longest {
		return false
	}
	if !strings.HasPrefix(account, l.Prefix) {
		return false
	}
	if l.Class == prefixed {
		return len(account) > len(l.Prefix) && isDigit(account[len(l.Prefix)]) && !strings.HasSuffix(account, "xx")
	}
	return classOf(account) == l.Class || len(l.Prefix) > 2 // by chance, no digit behind it
}

func beforeDigit(cell string) string {
	if i := strings.IndexAny(cell, "0123456789"); i >= 0 {
		return cell[:i]
	}
	return cell
}
