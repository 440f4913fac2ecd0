package messages

import (
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
)

// Bytes is a size; texts show it in KB, MB or GB.
type Bytes int64

// speak turns a value that has a name of its own in each language into that
// name; other values pass as they are.
func (t *Text) speak(arg any) any {
	switch value := arg.(type) {
	case jobs.State:
		return t.State(value)
	case jobs.Outcome:
		return t.Outcome(value)
	case jobs.Kind:
		return t.Kind(value)
	case auth.Role:
		return t.Role(value)
	case jobs.Asked:
		return t.Asked(value)
	case Bytes:
		return t.Size(int64(value))
	case time.Duration:
		return t.Duration(value)
	case time.Time:
		return t.Time(value)
	}
	return arg
}

func (t *Text) spoken(args []any) []any {
	spoken := make([]any, len(args))
	for i, arg := range args {
		spoken[i] = t.speak(arg)
	}
	return spoken
}

// Fault returns the sentence of a fault in this language.
func (t *Text) Fault(e *fault.Error) string {
	if key := "fault." + e.Code; t.Has(key) {
		return t.T(key, e.Args...)
	}
	return English.printer.Sprintf(e.English, English.spoken(e.Args)...)
}

// State names a job's state, the derived "pausing", "cancelling" and "scheduled" included.
func (t *Text) State(s jobs.State) string { return t.T("state." + string(s)) }

// Outcome names an account's outcome.
func (t *Text) Outcome(o jobs.Outcome) string { return t.T("outcome." + string(o)) }

// OutcomeOf names an outcome as accounts of the job have it.
func (t *Text) OutcomeOf(j jobs.Job, o jobs.Outcome) string {
	if key := "outcome." + string(o) + ".told"; verifiesTold(j, o) && t.Has(key) {
		return t.T(key)
	}
	return t.Outcome(o)
}

// WhyOf says what an outcome means for an account of the job.
func (t *Text) WhyOf(j jobs.Job, o jobs.Outcome) string {
	if verifiesTold(j, o) {
		return t.T("outcome." + string(o) + ".why.told")
	}
	return t.For("outcome."+string(o)+".why", j.Kind)
}

// verifiesTold reports whether the outcome is what the inspection of a sample
// found of a job that was told tags: there it is not about having tags at all.
func verifiesTold(j jobs.Job, o jobs.Outcome) bool {
	return j.Kind == jobs.Inspect && j.Told() && (o == jobs.Inspected || o == jobs.Unchanged)
}

// Kind names what a job does.
func (t *Text) Kind(k jobs.Kind) string { return t.named("kind."+string(k), string(k)) }

// Policy says what a restore does with accounts that have gained other tags.
func (t *Text) Policy(p snapshot.Policy) string { return t.named("policy."+string(p), string(p)) }

// Delivery says what became of a call on its way.
func (t *Text) Delivery(name string) string { return t.named("delivery."+name, name) }

// For returns the text of a key as it is said of a kind of job: the kind's own
// where there is one.
func (t *Text) For(key string, k jobs.Kind, args ...any) string {
	if own := key + "." + string(k); t.Has(own) {
		return t.T(own, args...)
	}
	return t.T(key, args...)
}

// Decision names what a person wants done with accounts in doubt.
func (t *Text) Decision(d jobs.Decision) string { return t.named("decision."+string(d), string(d)) }

// Command names a call to the service.
func (t *Text) Command(name string) string { return t.named("command."+name, name) }

// Event names what an audit entry records.
func (t *Text) Event(c audit.Code) string { return t.T("audit." + string(c)) }

// Role names a role.
func (t *Text) Role(r auth.Role) string {
	if !t.Has("role." + string(r)) {
		return string(r)
	}
	return t.T("role." + string(r))
}

// Reason says why a row was rejected.
func (t *Text) Reason(r accounts.Reason) string { return t.T("reason." + string(r)) }

// SetAside says why a row did not become an account.
func (t *Text) SetAside(kind jobs.SetAsideKind, reason string, repeats int64) string {
	switch kind {
	case jobs.Duplicate:
		return t.T("set_aside.duplicate.of", repeats)
	case jobs.Protected:
		return t.T("set_aside.protected.why")
	}
	return t.Reason(accounts.Reason(reason))
}

// Service says in plain words what a code of Tencent's service means and, when
// a person must act, what to do. The code itself is not part of the text.
func (t *Text) Service(code int) string {
	if key := "tim." + strconv.Itoa(code); t.Has(key) {
		return t.T(key)
	}
	return t.T("tim.unknown")
}

// Int writes a whole number: 48,120.
func (t *Text) Int(n int64) string { return t.printer.Sprintf("%d", n) }

// Decimal writes a number with one decimal: 96.8.
func (t *Text) Decimal(f float64) string { return t.printer.Sprintf("%.1f", f) }

// Percent writes a share of a whole to one decimal, without ever rounding an
// unfinished one up to 100 or a present one down to 0.
func (t *Text) Percent(part, whole int64) string {
	switch {
	case whole == 0 || part == 0:
		return t.printer.Sprintf("%d%%", 0)
	case part == whole:
		return t.printer.Sprintf("%d%%", 100)
	}
	percent := math.Round(float64(part)/float64(whole)*1000) / 10
	return t.printer.Sprintf("%.1f%%", min(max(percent, 0.1), 99.9))
}

// Capital begins a text with a capital letter, for words that stand alone.
func (t *Text) Capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// Ints writes a short list of numbers: 7, 19, 402.
func (t *Text) Ints(list []int64) string {
	parts := make([]string, len(list))
	for i, n := range list {
		parts[i] = t.Int(n)
	}
	return t.List(parts)
}

// List joins the parts of a list.
func (t *Text) List(parts []string) (list string) {
	for i, part := range parts {
		if i == 0 {
			list = part
		} else {
			list = t.T("list.pair", list, part)
		}
	}
	return list
}

// Size writes a number of bytes for people.
func (t *Text) Size(n int64) string {
	switch {
	case n < 1000:
		return t.T("size.bytes", n)
	case n < 1000*1000:
		return t.T("size.kb", t.short(float64(n)/1e3))
	case n < 1000*1000*1000:
		return t.T("size.mb", t.short(float64(n)/1e6))
	}
	return t.T("size.gb", t.short(float64(n)/1e9))
}

func (t *Text) short(f float64) string {
	if f == math.Trunc(f) || f >= 100 {
		return t.Int(int64(f))
	}
	return t.Decimal(f)
}

// Duration writes a length of time with the one or two units that matter.
func (t *Text) Duration(d time.Duration) string {
	d = d.Round(time.Second)
	hours, minutes, seconds := int64(d/time.Hour), int64(d%time.Hour/time.Minute), int64(d%time.Minute/time.Second)
	switch {
	case hours > 0 && minutes == 0 && seconds == 0:
		return t.T("duration.hours_only", hours)
	case hours > 0:
		return t.T("duration.hours", hours, minutes)
	case minutes >= 10 || minutes > 0 && seconds == 0:
		return t.T("duration.minutes", minutes)
	case minutes > 0:
		return t.T("duration.minutes_seconds", minutes, seconds)
	}
	return t.T("duration.seconds", seconds)
}

// Time writes a moment to the second in the time zone of the person.
func (t *Text) Time(at time.Time) string {
	if at.IsZero() {
		return t.T("time.never")
	}
	at = at.In(t.Location())
	return t.T(
		"time.layout",
		strconv.Itoa(at.Year()),
		t.T("month."+strconv.Itoa(int(at.Month()))),
		strconv.Itoa(at.Day()),
		at.Format("15:04:05"),
	)
}

// Zone names the time zone: UTC+08:00.
func (t *Text) Zone() string {
	_, offset := time.Now().In(t.Location()).Zone()
	if offset == 0 {
		return "UTC"
	}
	sign := '+'
	if offset < 0 {
		sign, offset = '−', -offset
	}
	return fmt.Sprintf("UTC%c%02d:%02d", sign, offset/3600, offset%3600/60)
}

// Explain says in plain words what became of an account.
func (t *Text) Explain(j jobs.Job, a jobs.Account) string {
	if a.Outcome == jobs.Failed || a.Code == jobs.CodeRestored {
		return t.Service(a.Code)
	}
	return t.WhyOf(j, a.Outcome)
}
