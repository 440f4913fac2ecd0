package templates

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
)

// detail is one line of what an entry says beyond its columns.
type detail struct{ name, value string }

// entryDetails lists where an entry came from and what it holds. Names that
// have no text are shown as they were recorded: the log hides nothing.
func entryDetails(v View, e audit.Entry) (list []detail) {
	add := func(key, value string) {
		if value == "" {
			return
		}
		name := key
		switch {
		case key == "kind" && e.Code == audit.LogErased:
			name = v.T("audit.erase.kind")
		case v.Has("detail." + key):
			name = v.T("detail." + key)
		case e.Details["count"] != nil && strings.Contains(key, "."): // a sum: how often for the reason of this code
			name = v.T("detail.for_reason", key)
		}
		list = append(list, detail{name, value})
	}
	add("app", e.App)
	add("domain", e.Domain)
	for _, key := range slices.Sorted(maps.Keys(e.Details)) {
		if key == "reason" {
			add(key, reasonText(v, e))
			continue
		}
		add(key, detailValue(v, key, e.Details[key]))
	}
	if e.Actor.SignedIn != "" {
		add("signed_in", signedInText(v, e.Actor.SignedIn))
	}
	add("address", e.Actor.Address)
	add("user_agent", e.Actor.UserAgent)
	add("session", e.Actor.Session)
	add("request_id", e.Actor.RequestID)
	return list
}

// reasonText is the reason in words where the program gave it; what people
// typed stays as it is.
func reasonText(v View, e audit.Entry) string {
	reason, _ := e.Details["reason"].(string)
	if key := "detail.reason." + reason; (e.Actor.ID == audit.System.ID || e.Code == audit.SignInFailed) && v.Has(key) {
		return v.T(key)
	}
	return reason
}

func signedInText(v View, how string) string {
	if key := "detail.signed_in." + how; v.Has(key) {
		return v.T(key)
	}
	return how
}

func detailValue(v View, key string, value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		switch key {
		case "state":
			return v.State(jobs.State(value))
		case "outcome", "outcomes":
			return outcomesNamed(v, strings.Split(value, ", "))
		case "role", "before", "after":
			return v.Role(auth.Role(value))
		case "start_at", "keep_until", "erase_at", "last_at", "since":
			if at, err := time.Parse(time.RFC3339, value); err == nil {
				return v.Time(at)
			}
		case "kind":
			if v.Has("delivery." + value) { // of a call
				return v.Delivery(value)
			}
			if v.Has("audit.erase.kind." + value) { // of an erasure
				return v.T("audit.erase.kind." + value)
			}
			return v.Kind(jobs.Kind(value))
		case "ended":
			if value == "all" {
				return v.T("detail.all")
			}
		case "policy":
			return v.Policy(snapshot.Policy(value))
		case "decision":
			return v.Decision(jobs.Decision(value))
		}
		return value
	case float64: // every number, read back from JSON
		switch {
		case key == "code" && value < 0: // one of ours
			return v.Service(int(value))
		case key == "verify_share":
			return shareText(v, snapshot.Share(value))
		case key == "code":
			return strconv.FormatInt(int64(value), 10)
		}
		if value == float64(int64(value)) {
			return v.Int(int64(value))
		}
		return v.Decimal(value)
	case bool:
		return yesOrNo(v, value)
	case []any:
		if key == "by_name" || key == "by_address" {
			return countsText(v, value)
		}
		parts := texts(value)
		if key == "outcomes" {
			return outcomesNamed(v, parts)
		}
		return v.List(parts)
	case map[string]any:
		switch key {
		case "outcomes":
			return outcomesText(v, value)
		case "filter":
			return filterText(v, value)
		case "understanding", "choices", "before", "after", "list":
			if _, sending := value["failure_limit"]; sending {
				return sendingText(v, value)
			}
			return readingText(v, value)
		}
	}
	return written(value)
}

// texts are the parts of a list without words of their own.
func texts(value any) []string {
	list, _ := value.([]any)
	parts := make([]string, len(list))
	for i, part := range list {
		parts[i] = written(part)
	}
	return parts
}

// outcomesNamed lists outcomes by their names; "all" stands for every one.
func outcomesNamed(v View, list []string) string {
	for i, o := range list {
		switch {
		case o == "all":
			list[i] = v.T("detail.all")
		case v.Has("outcome." + o):
			list[i] = v.Outcome(jobs.Outcome(o))
		}
	}
	return v.List(list)
}

// written is a value without words of its own.
func written(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// readingText says how a file was or is to be read; what is not named in it is detected.
func readingText(v View, how map[string]any) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(how)) {
		value := written(how[key])
		switch key {
		case "encoding":
			value = v.Encoding(accounts.Encoding(value))
		case "separator":
			value = v.Separator(value)
		case "quote":
			value = v.Quote(value)
		case "header":
			value = yesOrNo(v, value == accounts.Yes || value == "true")
		case "sheets":
			value = v.List(texts(how[key]))
		case "rows":
			answers, _ := how[key].(map[string]any)
			for _, doubt := range slices.Sorted(maps.Keys(answers)) {
				parts = append(parts, v.T("detail.pair", v.Doubt(accounts.Reason(doubt)), v.T("ask.done."+written(answers[doubt]))))
			}
			continue
		}
		if how[key] == "" {
			continue
		}
		name := key
		if v.Has("detail." + key) {
			name = v.T("detail." + key)
		}
		parts = append(parts, v.T("detail.pair", name, value))
	}
	if len(parts) == 0 {
		return v.T("detail.detected")
	}
	return v.List(parts)
}

// sendingText says what an admin chose of how the app sends.
func sendingText(v View, set map[string]any) string {
	rate, _ := set["rate"].(float64)
	limit, _ := set["failure_limit"].(float64)
	canary, _ := set["canary"].(bool)
	keep, _ := set["snapshot"].(bool)
	days, _ := set["keep_days"].(float64)
	share, _ := set["verify_share"].(float64)
	pace := v.T("detail.rate.configured")
	if rate > 0 {
		pace = v.Int(int64(rate))
	}
	parts := []string{
		v.T("detail.pair", v.T("sending.rate"), pace),
		v.T("detail.pair", v.T("sending.failure_limit"), v.Int(int64(limit))),
		v.T("detail.pair", v.T("sending.canary"), onOrOff(v, canary)),
		v.T("detail.pair", v.T("sending.snapshot"), onOrOff(v, keep)),
		v.T("detail.pair", v.T("sending.keep_days"), v.Int(int64(days))),
		v.T("detail.pair", v.T("sending.verify_share"), Percent(snapshot.Share(share))),
	}
	for _, limit := range jobs.LimitNames {
		if n, set := set[limit].(float64); set {
			parts = append(parts, v.T("detail.pair", v.T("approval.limit."+limit), limitText(v, int64(n))))
		}
	}
	if role, set := set["approvers"].(string); set {
		parts = append(parts, v.T("detail.pair", v.T("approval.approvers"), v.T("approval.approvers."+role)))
	}
	if hours, set := set["approval_hours"].(float64); set {
		parts = append(parts, v.T("detail.pair", v.T("approval.hours"), v.Int(int64(hours))))
	}
	if name, configured := set["name"].(string); configured {
		parts = append(parts, v.T("detail.pair", v.T("detail.app"), name+" ("+written(set["environment"])+")"))
		for _, key := range []string{"domain", "family", "identifier", "configured_rate"} {
			parts = append(parts, v.T("detail.pair", v.T("detail."+key), written(set[key])))
		}
	}
	return v.List(parts)
}

// limitText is a limit of the second person in words.
func limitText(v View, n int64) string {
	switch n {
	case jobs.NoLimit:
		return v.T("approval.limit.none")
	case jobs.Always:
		return v.Int(0)
	}
	return v.Int(n)
}

func onOrOff(v View, on bool) string {
	if on {
		return v.T("value.on")
	}
	return v.T("value.off")
}

func yesOrNo(v View, yes bool) string {
	if yes {
		return v.T("correct.header.yes")
	}
	return v.T("correct.header.no")
}

func outcomesText(v View, counts map[string]any) string {
	var parts []string
	for _, o := range jobs.Outcomes {
		if n, ok := counts[string(o)].(float64); ok && n > 0 {
			parts = append(parts, v.T("job.bar.part", v.Outcome(o), v.Int(int64(n))))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return v.List(parts)
}

// countsText says how often something was refused, by name or by address.
func countsText(v View, counts []any) string {
	var parts []string
	for _, each := range counts {
		each, _ := each.(map[string]any)
		name, _ := each["name"].(string)
		address, _ := each["address"].(string)
		part := v.T("detail.pair", cmp.Or(name, address), v.Int(audit.WholeNumber(each["count"])))
		if from := texts(each["addresses"]); len(from) > 0 {
			part = v.T("detail.counted_from", part, v.List(from))
		}
		parts = append(parts, part)
	}
	return v.List(parts)
}

// filterText says what a person searched the log for.
func filterText(v View, filter map[string]any) string {
	var parts []string
	for _, key := range []string{"from", "to", "code", "result", "actor", "account", "job", "q"} {
		value, _ := filter[key].(string)
		if value == "" {
			continue
		}
		switch key {
		case "from", "to":
			if at, err := time.Parse(time.RFC3339, value); err == nil {
				value = v.Time(at)
			}
		case "code":
			value = v.Event(audit.Code(value))
		case "result":
			value = v.T("audit.result." + value)
		}
		parts = append(parts, v.T("detail.pair", v.T("detail.filter."+key), value))
	}
	if len(parts) == 0 {
		return v.T("detail.all")
	}
	return v.List(parts)
}
