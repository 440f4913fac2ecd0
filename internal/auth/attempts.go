package auth

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"tagsweep/internal/store"
)

// Attempts to sign in are limited in memory: a refused attempt reads and writes no
// database. What is remembered is bounded, is lost when the console ends, and is known to
// this console alone.
//
// A browser in which the person has signed in before has a limit of its own (OWASP: "Slow
// Down Online Guessing Attacks with Device Cookies"), so that strangers cannot keep the
// person out. For all others these limits count, and an attempt uses one of each:
//
//   - everybody, because each attempt costs the processor a hash;
//   - the address, of IPv6 its /64, and its /48 more widely;
//   - the user name from the address;
//   - the user name. When many addresses try it, it is not locked: each address may try it
//     less often.
const (
	keptAddresses = 50_000
	keptNames     = 20_000
)

// allowance is so many attempts at once, and one more after each time.
type allowance struct {
	atOnce int
	every  time.Duration
}

var (
	ofEverybody = allowance{30, 100 * time.Millisecond}
	ofAddress   = allowance{20, 5 * time.Second}
	ofNetwork   = allowance{100, time.Second}
	ofPair      = allowance{5, 30 * time.Second}
	ofName      = allowance{20, time.Minute}
	ofDevice    = allowance{10, 30 * time.Second}
)

func (a allowance) limiter() *rate.Limiter { return rate.NewLimiter(rate.Every(a.every), a.atOnce) }

// wait is how long until a limiter has so many attempts left.
func (a allowance) wait(l *rate.Limiter, now time.Time, attempts int) time.Duration {
	missing := float64(attempts) - l.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing*float64(a.every)) + time.Millisecond
}

// limiters are those of many keys. The ones that were used least lately are forgotten.
type limiters struct {
	allowance
	kept *simplelru.LRU[string, *rate.Limiter]
}

func newLimiters(a allowance, most int) limiters {
	kept, err := simplelru.NewLRU[string, *rate.Limiter](most, nil)
	if err != nil {
		panic(err) // most is not positive
	}
	return limiters{a, kept}
}

func (l limiters) of(key string) *rate.Limiter {
	limiter, known := l.kept.Get(key)
	if !known {
		limiter = l.limiter()
		l.kept.Add(key, limiter)
	}
	return limiter
}

// attempts are the limits of one console.
type attempts struct {
	mutex                                     sync.Mutex
	everybody                                 *rate.Limiter
	addresses, networks, pairs, names, device limiters
}

func newAttempts() *attempts {
	return &attempts{
		everybody: ofEverybody.limiter(),
		addresses: newLimiters(ofAddress, keptAddresses),
		networks:  newLimiters(ofNetwork, keptAddresses),
		pairs:     newLimiters(ofPair, keptAddresses),
		names:     newLimiters(ofName, keptNames),
		device:    newLimiters(ofDevice, keptNames),
	}
}

// Attempt is an attempt to sign in.
type Attempt struct {
	Name    string // as typed
	Address string
	Device  string // of a browser in which this person has signed in before; "": not known

	at    time.Time
	taken []*rate.Reservation
}

// Refusal is why an attempt has to wait, and how long.
type Refusal struct {
	Wait    time.Duration
	Crowded bool // not this person, but too many others are signing in
}

// TrySignIn counts an attempt before its password is looked at, so that many at once do not
// slip through. When there were too many it counts nothing and says how long to wait. It
// touches no database. Give the attempt back with Succeeded.
func (us *Users) TrySignIn(a *Attempt) (refused *Refusal) {
	t := us.attempts
	t.mutex.Lock()
	defer t.mutex.Unlock()
	a.at = time.Now()
	if a.Device != "" {
		device := t.device.of(a.Device)
		if wait := ofDevice.wait(device, a.at, 1); wait > 0 {
			return &Refusal{Wait: wait}
		}
		a.take(device)
		return nil
	}
	narrow, wide := Sources(a.Address)
	address, network := t.addresses.of(narrow), ofNetwork.limiter()
	if wide != narrow {
		network = t.networks.of(wide)
	}
	if wait := max(ofAddress.wait(address, a.at, 1), ofNetwork.wait(network, a.at, 1)); wait > 0 {
		return &Refusal{Wait: wait}
	}
	if wait := ofEverybody.wait(t.everybody, a.at, 1); wait > 0 {
		return &Refusal{Wait: wait, Crowded: true}
	}
	name := strings.ToLower(store.Clean(a.Name, 100))
	account, pair, needs := t.names.of(name), t.pairs.of(name+"\x00"+narrow), 1
	if ofName.wait(account, a.at, 1) > 0 { // many try this name: an address that did has to have rested
		needs = ofPair.atOnce
	}
	if wait := ofPair.wait(pair, a.at, needs); wait > 0 {
		return &Refusal{Wait: wait}
	}
	a.take(address, network, t.everybody, pair)
	if account.TokensAt(a.at) >= 1 {
		a.take(account)
	}
	return nil
}

func (a *Attempt) take(from ...*rate.Limiter) {
	for _, limiter := range from {
		a.taken = append(a.taken, limiter.ReserveN(a.at, 1))
	}
}

// Succeeded gives an attempt back, and forgets those before it that failed in the same way.
func (us *Users) Succeeded(a *Attempt) {
	t := us.attempts
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for _, taken := range a.taken {
		taken.CancelAt(a.at)
	}
	if a.Device != "" { // others at the address may be trying the name
		t.device.kept.Remove(a.Device)
		return
	}
	narrow, _ := Sources(a.Address)
	t.pairs.kept.Remove(strings.ToLower(store.Clean(a.Name, 100)) + "\x00" + narrow)
}

// Sources are what an address is limited by: an IPv4 address by itself, of IPv6 the /64,
// which one machine can have whole, and more widely the /48, which one customer can have.
func Sources(address string) (narrow, wide string) {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address, address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		return ip.String(), ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String(), netip.PrefixFrom(ip, 48).Masked().String()
}
