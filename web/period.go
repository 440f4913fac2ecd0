package web

import (
	"strings"
	"time"

	"tagsweep/internal/fault"
)

// Faults of a time filter.
var (
	faultTime = fault.Declare(fault.Invalid, "filter.time",
		"The search failed: %q is not a valid time. Enter a time such as 2026-07-31T22:30, or a date such as "+
			"2026-07-31.")
	faultPeriod = fault.Declare(fault.Invalid, "filter.period",
		"The search failed: the start time must be before the end time. Change one of them, or leave one empty.")
)

// timesTyped are the formats of browsers, in the time zone of the pages.
var timesTyped = []string{"2006-01-02T15:04", "2006-01-02T15:04:05"}

func typedTime(typed string, zone *time.Location) (at time.Time, is bool) {
	for _, layout := range timesTyped {
		if at, err := time.ParseInLocation(layout, typed, zone); err == nil {
			return at, true
		}
	}
	return at, false
}

// period reads from and to: times of a form, whole days, or times of a script (RFC
// 3339).
func period(v *request) (from, to time.Time, err error) {
	if from, err = edge(v.QueryParam("from"), v.text.Location(), 0); err != nil {
		return from, to, err
	}
	if to, err = edge(v.QueryParam("to"), v.text.Location(), 1); err != nil {
		return from, to, err
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return from, to, faultPeriod.With()
	}
	return from, to, nil
}

// edge reads a time, or the beginning of a day, some days later. Zero means no limit.
func edge(typed string, zone *time.Location, days int) (time.Time, error) {
	typed = strings.TrimSpace(typed)
	if typed == "" {
		return time.Time{}, nil
	}
	if at, is := typedTime(typed, zone); is {
		return at, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, typed, zone); err == nil {
		return day.AddDate(0, 0, days), nil
	}
	if at, err := time.Parse(time.RFC3339, typed); err == nil {
		return at, nil
	}
	return time.Time{}, faultTime.With(typed)
}
