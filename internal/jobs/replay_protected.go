package jobs

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

// oughtProtected are the protected accounts of all apps by the log.
type oughtProtected struct {
	groups   map[int64]*oughtGroup           // by the entry that put them on the list; those of which some are left
	spans    map[string]map[string][]protect // by app and account: when it was protected
	versions map[string]int64                // by app
}

// oughtGroup is what is left on the list of what one entry put there.
type oughtGroup struct {
	app, digest string
	accounts    []string // nil: not known, for entries about it were erased
}

// protect is a time during which an account was protected, in unix milliseconds.
type protect struct{ from, to, entry int64 }

// inHand is how long after an account was protected a batch that was claimed before
// may still be sent.
const inHand = 5 * time.Minute

// learn follows the protected list.
func (o *oughtProtected) learn(e audit.Entry, v *audit.Verified) {
	digest, _ := e.Details["list_sha256"].(string)
	o.versions[e.App] = audit.WholeNumber(e.Details["version"])
	if e.Code == audit.AccountsProtected {
		g := &oughtGroup{app: e.App, digest: digest}
		names, _ := e.Details["accounts"].([]any)
		for _, name := range names {
			account, _ := name.(string)
			g.accounts = append(g.accounts, account)
			o.begin(e.App, account, protect{e.At.UnixMilli(), math.MaxInt64, e.Seq})
		}
		o.groups[e.Seq] = g
		return
	}
	entry := audit.WholeNumber(e.Details["entry"])
	g := o.groups[entry]
	if g == nil || g.app != e.App {
		v.Add("entry %d of the log: it removes the protection of an account that was not protected", e.Seq)
		return
	}
	g.digest = digest
	if at := slices.Index(g.accounts, e.Target); at >= 0 {
		g.accounts = slices.Delete(g.accounts, at, at+1)
		o.end(g.app, e.Target, e)
	} else { // which one is not known: none of them counts from here on
		for _, account := range g.accounts {
			o.end(g.app, account, e)
		}
		g.accounts = nil
	}
	if audit.WholeNumber(e.Details["left"]) == 0 {
		delete(o.groups, entry)
	}
}

func (o *oughtProtected) begin(app, account string, p protect) {
	if o.spans[app] == nil {
		o.spans[app] = map[string][]protect{}
	}
	o.spans[app][account] = append(o.spans[app][account], p)
}

func (o *oughtProtected) end(app, account string, e audit.Entry) {
	if all := o.spans[app][account]; len(all) > 0 {
		all[len(all)-1].to = e.At.UnixMilli()
	}
}

// verifyIn compares the protected accounts with the log, a group of one entry after the other.
func (o *oughtProtected) verifyIn(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	type listed struct {
		app, account, salt string
		entry              int64
	}
	var group []listed
	compare := func() {
		if len(group) == 0 {
			return
		}
		first := group[0]
		ought := o.groups[first.entry]
		delete(o.groups, first.entry)
		var names []string
		for _, l := range group {
			names = append(names, l.account)
		}
		slices.Sort(names)
		group = group[:0]
		if ought == nil || ought.app != first.app {
			v.Add("protected accounts of app %s: no entry of the log protects %s", first.app, strings.Join(names, ", "))
		} else if listDigest(first.salt, names) != ought.digest {
			ought.differ(first.entry, names, v)
		}
	}
	err := store.Each(ctx, tx, func(row store.Scanner) error {
		var l listed
		if err := row.Scan(&l.app, &l.account, &l.salt, &l.entry); err != nil {
			return err
		}
		if len(group) > 0 && (group[0].app != l.app || group[0].entry != l.entry) {
			compare()
		}
		group = append(group, l)
		return nil
	}, `SELECT app_id, account, salt, entry FROM protected_accounts ORDER BY app_id, entry`)
	if err != nil {
		return err
	}
	compare()
	for _, entry := range slices.Sorted(maps.Keys(o.groups)) {
		o.groups[entry].differ(entry, nil, v)
	}
	return nil
}

// differ names the accounts that are missing or too many.
func (g *oughtGroup) differ(entry int64, names []string, v *audit.Verified) {
	missing := slices.DeleteFunc(slices.Clone(g.accounts), func(a string) bool { return slices.Contains(names, a) })
	added := slices.DeleteFunc(slices.Clone(names), func(a string) bool { return slices.Contains(g.accounts, a) })
	switch {
	case g.accounts == nil:
		v.Add("protected accounts of app %s: those of entry %d of the log were changed", g.app, entry)
	case len(missing) > 0:
		v.Add("protected accounts of app %s: by entry %d of the log these are missing: %s", g.app, entry, strings.Join(missing, ", "))
	default:
		v.Add("protected accounts of app %s: entry %d of the log does not protect %s", g.app, entry,
			cmp.Or(strings.Join(added, ", "), "them as they are"))
	}
}

// changedProtected finds accounts for which a call left that changes tags while the log
// says that they were protected.
func (r *recount) changedProtected() {
	for _, a := range r.found {
		spans := slices.DeleteFunc(slices.Clone(r.protected[a.Account]), func(p protect) bool {
			return !r.job.FinishedAt.IsZero() && r.job.FinishedAt.UnixMilli() < p.from || r.job.StartedAt.UnixMilli() >= p.to
		})
		if len(spans) == 0 || r.err != nil {
			continue
		}
		r.err = store.Each(r.ctx, r.tx, func(row store.Scanner) error {
			var held []byte
			var sentAt int64
			err := row.Scan(&held, &sentAt)
			for _, p := range spans {
				if Held(held, a.Place) && sentAt > p.from+inHand.Milliseconds() && sentAt < p.to {
					r.wrong = append(r.wrong, "account "+a.Account+" was sent although entry "+strconv.FormatInt(p.entry, 10)+" of the log protects it")
				}
			}
			return err
		}, `SELECT held, sent_at FROM calls
			WHERE job_id = $1 AND batch = $2 AND command <> 'get_tags' AND delivery <> 'not_sent' AND (delivery <> 'answered' OR code = 0)`,
			r.job.ID, a.Batch)
	}
}
