package tim

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json" // encoding/json/v2, part of Go from 1.27 on
	"github.com/go-json-experiment/json/jsontext"
)

// Delivery says whether a call was sent and answered.
type Delivery int

const (
	NotSent  Delivery = iota + 1 // no byte of the request was written: making the call again is safe
	Answered                     // the service's own answer was read
	Lost                         // the request was written, wholly or in part, and no answer of the service gives its result
)

func (d Delivery) String() string {
	return [...]string{"unknown", "not_sent", "answered", "lost"}[d]
}

// Answer is the result of one call.
type Answer struct {
	Delivery      Delivery
	SentAt        time.Time
	Duration      time.Duration
	HTTPStatus    int            // 0 when there was none
	Code          int            // the service's ErrorCode; only Answered gives 0 a meaning
	Info          string         // the service's ErrorInfo, at most 500 bytes
	AccountErrors []AccountError // accounts of the call it did not work for, each once
	UserSigID     string         // which signature was used, for Client.RenewSignature; not the signature
	Err           error          // why Delivery is not Answered, for the log; free of the key and the UserSig
}

// AccountError is one account's entry in an answer's ErrorList.
type AccountError struct {
	Account string
	Code    int
	Info    string
}

// OK reports whether the call succeeded for all accounts except AccountErrors.
func (a Answer) OK() bool { return a.Delivery == Answered && a.Code == 0 }

// Rule returns how the caller must react. A lost call is always in doubt. So is any HTTP
// status other than 200, although Tencent advises to retry: a gateway's error page does
// not say whether the service did the work.
func (a Answer) Rule() Rule {
	switch a.Delivery {
	case Answered:
		return RuleOf(a.Code)
	case NotSent:
		return Rule{Class: Retry, ServiceDown: true}
	}
	return Rule{Class: InDoubt}
}

// reply is the body of an answer. Unknown fields are ignored, but not those that are
// there twice, or that are known in other letters: such an answer contradicts itself.
type reply struct {
	ActionStatus string
	ErrorCode    *int
	ErrorInfo    string
	ErrorList    []struct {
		Account   string `json:"To_Account"`
		ErrorCode int
		ErrorInfo string
		Unknown   unknown `json:",embed"`
	}
	UserTags []struct {
		Account string `json:"To_Account"`
		Tags    []string
		Unknown unknown `json:",embed"`
	}
	Unknown unknown `json:",embed"`
}

type unknown map[string]jsontext.Value

// misspelt reports whether a field is one of the known ones in other letters.
func (u unknown) misspelt() bool {
	for name := range u {
		for _, known := range []string{"ActionStatus", "ErrorCode", "ErrorInfo", "ErrorList", "UserTags", "To_Account", "Tags"} {
			if strings.EqualFold(name, known) {
				return true
			}
		}
	}
	return false
}

// decode reads an answer to a call about accounts. A code other than 0 refuses
// the call whatever ActionStatus says; 0 counts only together with OK. An
// answer that contradicts itself, or names an account outside the call, is an error.
func decode(body []byte, accounts []string) (reply, error) {
	var r reply
	if err := json.Unmarshal(body, &r, jsontext.AllowInvalidUTF8(true)); err != nil {
		return reply{}, fmt.Errorf("the answer is not the service's JSON: %w", err)
	}
	odd := r.Unknown.misspelt()
	for _, e := range r.ErrorList {
		odd = odd || e.Unknown.misspelt()
	}
	for _, user := range r.UserTags {
		odd = odd || user.Unknown.misspelt()
	}
	if odd {
		return reply{}, errors.New("the answer has a known field in other letters")
	}
	if r.ErrorCode == nil {
		return reply{}, errors.New("the answer has no ErrorCode")
	}
	if *r.ErrorCode == 0 && r.ActionStatus != "OK" {
		return reply{}, fmt.Errorf("the answer has code 0 and ActionStatus %q", r.ActionStatus)
	}

	asked := make(map[string]bool, len(accounts))
	for _, account := range accounts {
		asked[account] = true
	}
	listed := map[string]bool{}
	once := r.ErrorList[:0]
	for _, e := range r.ErrorList {
		if !asked[e.Account] {
			return reply{}, fmt.Errorf("the ErrorList names account %q, which was not in the call", e.Account)
		}
		if e.ErrorCode == 0 {
			return reply{}, fmt.Errorf("the ErrorList names account %q without a code", e.Account)
		}
		if !listed[e.Account] {
			listed[e.Account] = true
			once = append(once, e)
		}
	}
	r.ErrorList = once
	for _, user := range r.UserTags {
		if !asked[user.Account] {
			return reply{}, fmt.Errorf("UserTags names account %q, which was not in the call", user.Account)
		}
	}
	return r, nil
}

// secrets are texts that must not appear in errors, messages or logs, in every form that
// an answer or an error could contain.
type secrets []string

func redactor(key, userSig string) secrets {
	return secrets{userSig, url.QueryEscape(userSig), url.PathEscape(userSig), key}
}

func (s secrets) text(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, "[hidden]")
	}
	return text
}

func (s secrets) error(err error) error { return &hiddenError{s.text(err.Error()), err} }

// hiddenError behaves like its cause for errors.Is, but never shows it.
type hiddenError struct {
	text  string
	cause error
}

func (e *hiddenError) Error() string        { return e.text }
func (e *hiddenError) Is(target error) bool { return errors.Is(e.cause, target) }

// shorten cuts text to at most limit bytes at the start of a character.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
