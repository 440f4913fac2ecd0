package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

// defaultSettings are those of an app that nobody changed, as the schema has them.
var defaultSettings = Settings{FailureLimit: 20, Canary: true, Snapshot: true, KeepDays: 30, VerifyShare: 10_000, OthersStop: true}

// order is that a job was put first, or back.
type order struct {
	entry int64
	first bool
}

func (r *Replay) appChanged(e audit.Entry, v *audit.Verified) {
	id, _ := e.Details["app_id"].(string)
	was, known := r.apps[id]
	switch before, said := e.Details["before"]; {
	case !said && known:
		v.Add("entry %d of the log: app %s was missing from the database, and was added again", e.Seq, id)
	case said:
		is := stateOf(before)
		if !known {
			was = appState{defaultSettings, is.configuration}
		}
		if was != is {
			v.Add("entry %d of the log: the settings of app %s were not as the log says before: %s", e.Seq, id, different(is, was))
		}
	}
	r.apps[id] = stateOf(e.Details["after"])
}

func stateOf(detail any) (a appState) {
	text, err := json.Marshal(detail)
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		return appState{}
	}
	return a
}

// different names a setting that differs.
func different(is, ought appState) string {
	var have, want map[string]any
	for into, s := range map[*map[string]any]appState{&have: is, &want: ought} {
		text, _ := json.Marshal(s)
		_ = json.Unmarshal(text, into)
	}
	for name := range have { // a setting that is as by default is left out
		if _, said := want[name]; !said {
			want[name] = nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if have[name] != want[name] {
			return fmt.Sprintf("%s is %v, but the log says %v", name, have[name], want[name])
		}
	}
	return ""
}

func (r *Replay) verifyApps(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	there := map[string]bool{}
	err := store.Each(ctx, tx, func(row store.Scanner) error {
		var is appState
		var id string
		var list, turns, last int64
		err := row.Scan(append(is.dest(), &id, &list, &turns, &last)...)
		if err != nil {
			return err
		}
		there[id] = true
		if ought, known := r.apps[id]; !known {
			v.Add("app %s: no entry of the log says how it is configured", id)
		} else if wrong := different(is, ought); wrong != "" {
			v.Add("app %s: %s", id, wrong)
		}
		if ought := r.list.versions[id]; list != ought {
			v.Add("app %s: the list of protected accounts has the version %d, but the log says %d", id, list, ought)
		}
		if turns < last {
			v.Add("app %s: jobs that are started next would be served before those that were started", id)
		}
		return nil
	}, `SELECT `+appColumns+`, id, protected_version, turns, COALESCE((SELECT MAX(j.turn) FROM jobs j WHERE j.app_id = apps.id), 0)
		FROM apps ORDER BY id`)
	for _, id := range slices.Sorted(maps.Keys(r.apps)) {
		if err == nil && !there[id] {
			v.Add("app %s: the log says how it is configured, but the app is missing", id)
		}
	}
	return err
}

// verifyOrder compares which job of each app is served first.
func (r *Replay) verifyOrder(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	ought := map[string]order{} // by app: the last order
	first := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(r.first)) {
		app, err := store.Value[string](ctx, tx, `SELECT app_id FROM jobs WHERE id = $1`, id)
		if err = store.IfNone(err, nil); err != nil {
			return err
		}
		if o := r.first[id]; o.entry > ought[app].entry {
			if ought[app], first[app] = o, id; !o.first {
				first[app] = ""
			}
		}
	}
	return store.Each(ctx, tx, func(row store.Scanner) error {
		var app, is, open string
		err := row.Scan(&app, &is, &open)
		if err == nil && open != "" && open != first[app] && (ought[app].entry > 0 || r.removed == 0) {
			v.Add("app %s: job %s is served first, but the log says otherwise", app, open)
		}
		if err != nil || open != "" || first[app] == "" || is == first[app] {
			return err
		}
		v.Add("app %s: job %s is not served first, but entry %d of the log says so", app, first[app], ought[app].entry)
		return nil
	}, `SELECT a.id, a.first_job, COALESCE((SELECT j.id FROM jobs j WHERE j.id = a.first_job AND j.finished_at = 0), '')
		FROM apps a ORDER BY a.id`)
}

// oughtSwitch is how the kill switch ought to be.
type oughtSwitch struct {
	thrown, restored bool
	by, reason       string // "": not known
	at               time.Time
	entry            int64 // that says so; 0: none
}

func (s *oughtSwitch) learn(e audit.Entry) {
	*s = oughtSwitch{thrown: e.Code == audit.KillSwitchThrown, entry: e.Seq, at: e.At, by: e.Actor.Name}
	s.reason, _ = e.Details["reason"].(string)
	_, sends := e.Details["known_sends"]
	s.restored = s.thrown && sends && e.Actor.ID == audit.System.ID
}

func (r *Replay) verifySwitch(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	there, s := false, r.stop
	err := store.Each(ctx, tx, func(row store.Scanner) error {
		var id int64
		var k KillSwitch
		err := row.Scan(&id, store.ScanTime(&k.ThrownAt), &k.ThrownBy, &k.Reason, &k.Hold)
		there = there || id == 1
		switch {
		case err != nil:
		case id != 1:
			v.Add("kill switch: there is more than one")
		case s.thrown && !k.Thrown():
			v.Add("kill switch: sending is not stopped, but entry %d of the log stopped it", s.entry)
		case k.Thrown() && !s.thrown:
			v.Add("kill switch: sending is stopped, but no entry of the log says so")
		case s.thrown && (k.Restored() != s.restored || !near(k.ThrownAt, s.at) || s.by != "" && s.by != k.ThrownBy ||
			s.by != "" && s.reason != k.Reason):
			v.Add("kill switch: who stopped sending, when and why is not what entry %d of the log says", s.entry)
		case !k.Thrown() && k.ThrownBy+k.Reason+k.Hold != "":
			v.Add("kill switch: it gives a reason, but sending is not stopped")
		}
		return err
	}, `SELECT id, thrown_at, thrown_by, reason, hold FROM kill_switch ORDER BY id`)
	if err == nil && !there {
		v.Add("kill switch: it is missing")
	}
	return err
}
