package tim

import (
	"maps"
	"slices"
	"time"
)

// Class is how the caller must react to an answer.
type Class int

const (
	OK         Class = iota + 1 // done
	Retry                       // send the batch again after a back-off
	Slow                        // the budget of calls is spent: slow down, then send the batch again
	SignAgain                   // Client.RenewSignature, then send the batch again
	WaitMinute                  // make no call for Rule.Wait, Client.RenewSignature, then send the batch again
	Halt                        // nothing will work until a person acts
	Account                     // an account of the call is bad: halve until it is alone, then it has failed
	Split                       // too many accounts: halve; with one account left, Halt
	InDoubt                     // the result of the call is unknown: read the tags again
)

func (c Class) String() string {
	return [...]string{"unknown", "ok", "retry", "slow", "signAgain", "wait_minute", "halt", "account", "split", "in_doubt"}[c]
}

// Rule is what to do about a code: Class for the first Tries times, Then for
// ThenTries times, and Last from then on. A number of 0 ends the list: the
// class before it stays.
type Rule struct {
	Class     Class
	Tries     int
	Then      Class
	ThenTries int
	Last      Class

	Wait        time.Duration // least wait before the batch is sent again; 0 = the caller's back-off
	MaxSingles  int           // for Account: after so many calls for single accounts, Halt: the accounts are not the cause; 0 = never
	ServiceDown bool          // the service itself does not work for now
	Reading     bool          // as answer to GetTags: this app may not read tags
}

// After returns the class to apply to a batch that has been sent again tries
// times for this reason already: 0 when the code came for the first time.
func (r Rule) After(tries int) Class {
	switch {
	case r.Tries == 0 || tries < r.Tries:
		return r.Class
	case r.ThenTries == 0 || tries < r.Tries+r.ThenTries:
		return r.Then
	}
	return r.Last
}

// IsAccountError reports whether the code by itself says that an account is bad.
func (r Rule) IsAccountError() bool { return r.Class == Account && r.MaxSingles == 0 }

const (
	fewTries  = 3  // tries that outlast a hiccup
	manyTries = 10 // tries that outlast a restart of the service, with a growing back-off
)

var (
	halt      = Rule{Class: Halt}
	slow      = Rule{Class: Slow}
	account   = Rule{Class: Account}
	split     = Rule{Class: Split}
	forbids   = Rule{Class: Halt, Reading: true}
	retry     = Rule{Class: Retry, Tries: manyTries, Then: Halt, ServiceDown: true} // Tencent itself says: retry
	unsure    = Rule{Class: Retry, Tries: fewTries, Then: Halt}
	signAgain = Rule{Class: SignAgain, Tries: 1, Then: Halt}
)

// table is docs/tim-api.md section 3: the only place where codes have a meaning.
var table = []struct {
	rule  Rule
	codes []int
}{
	{forbids, []int{
		60002, 60009, 60017, // URL malformed; wrong resource; request disabled
		60027, 60010, 70403, 90009, // product does not allow this API; needs an admin of the app
	}},
	{halt, []int{
		60025,               // bad parameter in the URL
		60006, 60012, 60016, // SDKAppID invalid, missing, disabled
		60026,               // wrong data centre for this domain
		60020, 60021, 60028, // plan missing, expired or in arrears; IP not allowed; trial's quota used
		70009, 70013, 70014, 70016, // UserSig of another key, identifier, SDKAppID; key does not exist
		70020, 70051, // SDKAppID does not exist; admin blocked
		70398, 72000, 72002, // quota of accounts, daily or monthly users over plan
		90045, // the push feature is not switched on
	}},
	{Rule{Class: Account, MaxSingles: fewTries}, []int{60003, 90001}}, // JSON could not be parsed
	// Older pages: account or signature wrong. The newest: account check failed, retry.
	{Rule{Class: SignAgain, Tries: 1, Then: Retry, ThenTries: fewTries, Last: Account}, []int{60004, 60005}},
	{slow, []int{60007, 60011, 60018, 60019}}, // too frequent
	// Timed out, or the HTTP format is wrong, which the accounts may cause.
	{Rule{Class: Retry, Tries: manyTries, Then: Account, ServiceDown: true}, []int{60008}},
	{unsure, []int{60013}}, // the backend's answer could not be parsed
	{retry, []int{
		60014,                                           // account check timed out
		70169, 70202, 70500, 90992, 90994, 90995, 91000, // server time-out or internal error
	}},
	{signAgain, []int{
		70001,               // UserSig expired
		70002, 70003, 70005, // UserSig empty, illegal, unreadable
	}},
	// Verification failed too often: the admin is locked out for a minute.
	{Rule{Class: WaitMinute, Tries: 1, Then: Halt, Wait: time.Minute}, []int{70050}},
	{account, []int{
		60015,                             // account type error
		70107, 90003, 90012, 90048, 70402, // not imported; missing; not registered; does not exist; illegal parameter
		90020, 90032, 90034, // tag too long; too many tags
	}},
	{split, []int{70206, 90011, 90018}}, // too many accounts in the call
}

var rules = func() map[int]Rule {
	rules := map[int]Rule{}
	for _, row := range table {
		for _, code := range row.codes {
			rules[code] = row.rule
		}
	}
	return rules
}()

// RuleOf returns the rule of a code. A call with an unknown code is retried a few times,
// then a person must act.
func RuleOf(code int) Rule {
	if code == 0 {
		return Rule{Class: OK}
	}
	if rule, known := rules[code]; known {
		return rule
	}
	return unsure
}

// Codes returns every code of the table in ascending order.
func Codes() []int { return slices.Sorted(maps.Keys(rules)) }
