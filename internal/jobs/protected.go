package jobs

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// MostProtected bounds the protected list of an app: it is held in memory while
// files are read and batches are sent.
const MostProtected = 100_000

// Faults of the protected list.
var (
	FaultNotProtected = fault.Declare(fault.NotFound, "protected.none",
		"Account %s is not protected. Nothing was changed. Someone may have removed its protection.")
	FaultProtectedNew = fault.Declare(fault.Conflict, "protected.changed",
		"The job was not started: the list of protected accounts has changed since the file was read. The file is "+
			"being read again. Check the numbers, then start the job.")
	FaultProtectFull = fault.Declare(fault.Invalid, "protected.full",
		"No accounts were added: the list can contain at most %d accounts. Remove accounts that are no longer "+
			"needed, and try again.")
)

// ProtectedAccount is an account that no job of its app may touch.
type ProtectedAccount struct {
	Account string
	Note    string
	By      string // user name
	At      time.Time
}

// ProtectedFilter chooses protected accounts; a zero field chooses all.
type ProtectedFilter struct {
	Prefix string
	After  string // an account: those that sort behind it
	Limit  int
}

// ProtectedAccounts lists the accounts that fit, sorted.
func (s *Jobs) ProtectedAccounts(ctx context.Context, appID string, f ProtectedFilter) ([]ProtectedAccount, error) {
	return store.Collect(ctx, s.db.Reader(), func(row store.Scanner) (p ProtectedAccount, err error) {
		return p, row.Scan(&p.Account, &p.Note, &p.By, store.ScanTime(&p.At))
	}, `
		SELECT account, note, added_by, added_at FROM protected_accounts
		WHERE app_id = $1 AND substr(account, 1, length(CAST($2 AS TEXT))) = $2 AND (CAST($3 AS TEXT) = '' OR account > $3)
		ORDER BY account LIMIT $4`, appID, store.Clean(f.Prefix, 100), store.Clean(f.After, 100), f.Limit)
}

// CountProtected counts the protected accounts of an app.
func (s *Jobs) CountProtected(ctx context.Context, appID string) (int64, error) {
	return store.Value[int64](ctx, s.db.Reader(), `SELECT COUNT(*) FROM protected_accounts WHERE app_id = $1`, appID)
}

// perEntry is how many accounts one entry of the log names.
const perEntry = 100

// Protect puts accounts on the list, at most MostProtected, and returns how
// many were not on it before. From then on no job sends them. The names must be
// accounts.
func (s *Jobs) Protect(ctx context.Context, by audit.Actor, appID, note string, names []string) (added int, err error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		added = 0
		if err := tx.Exec(ctx, `UPDATE apps SET protected_version = protected_version WHERE id = $1`, appID); err != nil {
			return err
		}
		there, err := protectedNow(ctx, tx, appID)
		if err != nil {
			return err
		}
		fresh := slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, is := there[name]; return is })
		if len(there)+len(fresh) > MostProtected {
			return FaultProtectFull.With(MostProtected)
		}
		if added = len(fresh); added == 0 {
			return nil
		}
		return s.protect(ctx, tx, by, appID, note, fresh)
	})
	return added, err
}

// protect puts accounts on the list. Each entry of the log binds some of them: by a
// digest that tells nothing about the accounts to whoever does not have the list.
func (s *Jobs) protect(ctx context.Context, tx *store.Tx, by audit.Actor, appID, note string, names []string) error {
	version, err := newProtected(ctx, tx, appID)
	if err != nil {
		return err
	}
	chunks := slices.Collect(slices.Chunk(names, perEntry))
	entries, salts := make([]audit.Entry, len(chunks)), make([]string, len(chunks))
	for i, some := range chunks {
		salts[i] = rand.Text()
		entries[i] = audit.Entry{Code: audit.AccountsProtected, Actor: by, Target: some[0], App: appID,
			Details: map[string]any{"accounts": some, "note": note, "left": len(some), "list_sha256": listDigest(salts[i], some),
				"version": version}}
	}
	last, err := s.log.Append(ctx, tx, entries...)
	if err != nil {
		return err
	}
	var rows []any
	for i, some := range chunks {
		entry := last - int64(len(chunks)-1-i)
		for _, name := range some {
			rows = append(rows, appID, name, store.Clean(note, 500), store.Clean(by.Name, 100), store.Millis(s.db.Now()), entry, salts[i])
		}
	}
	return store.InsertAll(ctx, tx, `protected_accounts (app_id, account, note, added_by, added_at, entry, salt)`, 7, rows)
}

// listDigest stands in the log for accounts that one entry put on the list.
func listDigest(salt string, names []string) string {
	text, err := audit.JSON(append([]string{salt}, slices.Sorted(slices.Values(names))...))
	if err != nil {
		panic(err) // texts are always JSON
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Unprotect takes an account off the list. Rows that were set aside stay so.
func (s *Jobs) Unprotect(ctx context.Context, by audit.Actor, appID, account string) error {
	return s.db.Tx(ctx, func(tx *store.Tx) error {
		version, err := newProtected(ctx, tx, appID)
		if err != nil {
			return store.IfNone(err, FaultNotProtected.With(store.Clean(account, 100)))
		}
		var note, salt string
		var entry int64
		err = tx.QueryRowContext(ctx, `
			DELETE FROM protected_accounts WHERE app_id = $1 AND account = $2 RETURNING note, salt, entry`,
			appID, store.Clean(account, 100)).Scan(&note, &salt, &entry)
		if err != nil {
			return store.IfNone(err, FaultNotProtected.With(store.Clean(account, 100)))
		}
		left, err := store.Column[string](ctx, tx,
			`SELECT account FROM protected_accounts WHERE app_id = $1 AND entry = $2`, appID, entry)
		if err != nil {
			return err
		}
		return s.log.RecordIn(ctx, tx, audit.Entry{Code: audit.AccountUnprotected, Actor: by, Target: account, App: appID,
			Details: map[string]any{"note": note, "entry": entry, "left": len(left), "list_sha256": listDigest(salt, left),
				"version": version}})
	})
}

// newProtected gives the list of an app its next version. The entry about it names it.
func newProtected(ctx context.Context, tx *store.Tx, appID string) (version int64, err error) {
	return store.Value[int64](ctx, tx,
		`UPDATE apps SET protected_version = protected_version + 1 WHERE id = $1 RETURNING protected_version`, appID)
}

// protectedList is the list of an app at a version, in memory.
type protectedList struct {
	version int64
	names   map[string]struct{}
}

// ProtectedNames are the accounts of an app that no job may touch, nor read to
// change them, and the version of their list. It is read again only when it has
// changed, and must not be written to.
func (s *Jobs) ProtectedNames(ctx context.Context, q store.Querier, appID string) (map[string]struct{}, int64, error) {
	version, err := store.Value[int64](ctx, q, `SELECT protected_version FROM apps WHERE id = $1`, appID)
	if err != nil {
		return nil, 0, err
	}
	s.protectedMu.Lock()
	defer s.protectedMu.Unlock()
	if known, ok := s.protected[appID]; ok && known.version == version {
		return known.names, version, nil
	}
	names, err := protectedNow(ctx, q, appID)
	if err != nil {
		return nil, 0, err
	}
	if s.protected == nil {
		s.protected = map[string]protectedList{}
	}
	s.protected[appID] = protectedList{version, names}
	return names, version, nil
}

func protectedNow(ctx context.Context, q store.Querier, appID string) (map[string]struct{}, error) {
	all, err := store.Column[string](ctx, q, `SELECT account FROM protected_accounts WHERE app_id = $1`, appID)
	names := make(map[string]struct{}, len(all))
	for _, name := range all {
		names[strings.Clone(name)] = struct{}{}
	}
	return names, err
}

// SetAside takes protected accounts out of a batch that waits: their rows become
// set aside, and the job holds fewer accounts. Those that a call may have changed
// stay accounts, which are not sent again. Both are given by their places in the job.
func (s *Jobs) SetAside(ctx context.Context, tx *store.Tx, jobID string, plan PlannedBatch, untouched, touched []int64) error {
	now := store.Millis(s.db.Now())
	var asides, own []any
	group := SetAsideGroup{Kind: Protected}
	for _, seq := range untouched {
		row := plan.Accounts[seq-plan.First()]
		asides = append(asides, jobID, row.Row, row.Line, Protected, row.Account, "", 0)
		own = append(own, jobID, seq, setAside, 0, "", now)
		group.Rows++
		group.First = append(group.First, row.Row)
	}
	for _, seq := range touched {
		own = append(own, jobID, seq, Failed, CodeProtected, "", now)
	}
	if err := store.InsertAll(ctx, tx, `own_outcomes (job_id, seq, outcome, code, message, settled_at)`, 6, own); err != nil {
		return err
	}
	err := tx.Exec(ctx, `
		UPDATE batches SET accounts = accounts - $3, outcome = CASE WHEN accounts = $3 THEN 'cancelled' ELSE outcome END,
			settled_at = CASE WHEN accounts = $3 THEN $4 ELSE settled_at END,
			console = CASE WHEN accounts = $3 THEN '' ELSE console END, claim = CASE WHEN accounts = $3 THEN '' ELSE claim END
		WHERE job_id = $1 AND number = $2`, jobID, plan.Number, len(untouched)+len(touched), now)
	if err != nil {
		return err
	}
	if n := int64(len(touched)); n > 0 {
		if err := move(ctx, tx, moves{job: jobID, by: Counts{Waiting: -n, Failed: n}, byPerson: n}); err != nil {
			return err
		}
	}
	if group.Rows == 0 {
		return nil
	}
	err = store.InsertAll(ctx, tx, `set_asides (job_id, row_number, line, kind, value, reason, repeats)`, 7, asides)
	if err != nil {
		return err
	}
	if err := saveGroup(ctx, tx, jobID, group); err != nil {
		return err
	}
	return tx.Exec(ctx, `
		UPDATE jobs SET accounts = accounts - $2, outcome_waiting = outcome_waiting - $2, protected = protected + $2,
			version = version + 1 WHERE id = $1`,
		jobID, group.Rows)
}

// setAside stands in place of an outcome for an account that was taken out of
// its job before it was sent: it is no account of the job any more.
const setAside = "set_aside"
