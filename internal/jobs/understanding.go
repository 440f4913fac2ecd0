package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

// FaultDerivedFile is for a file that a person cannot say anything about.
var FaultDerivedFile = fault.Declare(fault.Conflict, "job.made_file",
	"Nothing was changed: Tagsweep created this file from another job, so it can only be read in one way.")

// Understood is how a job's file was read, and who decided it.
type Understood struct {
	accounts.Understanding
	Choices accounts.Choices // what a person said; the rest was detected
	By      string           // who said it, of this file or of an earlier one with the same header; "" when all was detected
	At      time.Time        // when
	Earlier bool             // it was said of an earlier file with the same header
}

// Understanding returns how the file of a job was read; the zero value while
// it has not been.
func (s *Jobs) Understanding(ctx context.Context, jobID string) (u Understood, err error) {
	return understood(ctx, s.db.Reader(), jobID)
}

func understood(ctx context.Context, q store.Querier, jobID string) (u Understood, err error) {
	var understanding, choices string
	var at, earlier int64
	err = q.QueryRowContext(ctx, `SELECT understanding, choices, understood_by, understood_at, understood_earlier
		FROM jobs WHERE id = $1`,
		store.Clean(jobID, 100)).Scan(&understanding, &choices, &u.By, &at, &earlier)
	if errors.Is(err, sql.ErrNoRows) {
		return u, FaultNoJob.With(store.Clean(jobID, 40))
	}
	if err == nil && understanding != "" {
		err = json.Unmarshal([]byte(understanding), &u.Understanding)
	}
	if err == nil && choices != "" {
		err = json.Unmarshal([]byte(choices), &u.Choices)
	}
	u.At, u.Earlier = store.FromMillis(at), earlier != 0
	return u, err
}

// Mapping returns what was said about files of this shape, nil for nothing.
func (s *Jobs) Mapping(ctx context.Context, im *Import, shape string) (*Mapping, error) {
	var m Mapping
	var choices, header string
	var at int64
	err := s.db.Reader().QueryRowContext(ctx, `
		SELECT m.choices, m.header, m.saved_by, m.saved_at FROM mappings m JOIN jobs j ON j.app_id = m.app_id
			WHERE j.id = $1 AND m.shape = $2`,
		im.ID, shape).Scan(&choices, &header, &m.By, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m.At = store.FromMillis(at)
	return &m, errors.Join(json.Unmarshal([]byte(choices), &m.Choices), json.Unmarshal([]byte(header), &m.Header))
}

// Reread takes what a person says about the file of a draft, in place of all that was
// said before; with no choice at all everything is detected anew. Files of the app with
// the same header are then read the same way. The file is read again only if a row may
// change by it. That rows in doubt are accounts holds only for the layout in which they
// were seen: another one may put other rows in doubt, which are asked about. Choices
// that do not fit the file are a fault.
func (s *Jobs) Reread(ctx context.Context, by audit.Actor, id string, c accounts.Choices) (Job, error) {
	layout, err := s.tryChoices(ctx, id, c)
	if err != nil {
		return Job{}, err
	}
	return s.change(ctx, by, id, Reread, func(ch *change) error {
		before, err := understood(ctx, ch.tx, ch.was.ID)
		if err != nil {
			return err
		}
		said := Mapping{Choices: c, Header: layout.Header}
		same := before.sameLayout(layout)
		if !same {
			said.Choices = c.Lasting()
		}
		if !said.Choices.IsZero() {
			said.By, said.At = store.Clean(by.Name, 100), s.db.Now()
		}
		if err := understoodAs(ctx, ch.tx, ch.was.ID, said, false); err != nil {
			return err
		}
		if same && before.sameDoubts(c) {
			ch.to.State = ch.was.State
			err = saveUnsure(ctx, ch.tx, ch.was.ID, before.answered(c, layout))
		} else {
			_, err = ch.tx.ExecContext(ctx, `UPDATE jobs SET understanding = '', unsure = '' WHERE id = $1`, ch.was.ID)
		}
		if err != nil {
			return err
		}
		ch.details["before"] = before.Choices
		ch.details["after"] = said.Choices
		mapping, err := saveMapping(ctx, ch.tx, ch.was.AppID, before.Shape, said)
		if mapping != "" {
			ch.details["mapping"] = mapping
		}
		return err
	})
}

// Answer adds to what was said about the file of a draft, as Reread does.
func (s *Jobs) Answer(ctx context.Context, by audit.Actor, id string, more accounts.Choices) (Job, error) {
	u, err := s.Understanding(ctx, id)
	if err != nil {
		return Job{}, err
	}
	added, err := json.Marshal(more)
	if err == nil {
		err = json.Unmarshal(added, &u.Choices) // what is left open is not in it
	}
	if err != nil {
		return Job{}, err
	}
	return s.Reread(ctx, by, id, u.Choices)
}

// tryChoices finds out whether the choices fit, and to which layout they lead,
// before anything is given up.
func (s *Jobs) tryChoices(ctx context.Context, id string, c accounts.Choices) (layout accounts.Understanding, err error) {
	j, err := s.Get(ctx, id)
	if err != nil || !j.May(Reread) {
		return layout, err // change says what is wrong
	}
	if j.Source != "" {
		return layout, FaultDerivedFile.With()
	}
	file, options, err := s.storedFileOf(ctx, j)
	if err != nil {
		return layout, err
	}
	options.Choices = c
	rows, err := accounts.Open(file, options)
	if err != nil {
		return layout, err
	}
	return rows.Understanding(), rows.Close()
}

func understoodAs(ctx context.Context, tx *store.Tx, jobID string, m Mapping, earlier bool) error {
	choices, err := json.Marshal(m.Choices)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(
		ctx,
		`UPDATE jobs SET choices = $2, understood_by = $3, understood_at = $4, understood_earlier = $5 WHERE id = $1`,
		jobID,
		string(choices),
		m.By,
		store.Millis(m.At),
		store.Number(earlier),
	)
	return err
}

// saveMapping saves what was said of files of a shape, or forgets it, and returns what the
// log says of that: see mappingOf.
func saveMapping(ctx context.Context, tx *store.Tx, appID, shape string, m Mapping) (said string, err error) {
	if shape == "" {
		return "", nil
	}
	if m.Choices = m.Choices.Lasting(); m.By == "" || m.Choices.IsZero() {
		_, err := tx.ExecContext(ctx, `DELETE FROM mappings WHERE app_id = $1 AND shape = $2`, appID, shape)
		return mappingOf(appID, shape, "", ""), err
	}
	choices, err := json.Marshal(m.Choices)
	if err != nil {
		return "", err
	}
	header, err := json.Marshal(m.Header)
	if err != nil {
		return "", err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO mappings (app_id, shape, choices, header, saved_by, saved_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (app_id, shape) DO UPDATE SET choices = excluded.choices,
			header = excluded.header, saved_by = excluded.saved_by, saved_at = excluded.saved_at`,
		appID, shape, string(choices), string(header), m.By, store.Millis(m.At))
	return mappingOf(appID, shape, string(choices), string(header)), err
}

// mappingOf is a mapping in the log: a digest for which files, a space, and one of what was
// said of them; nothing when that was forgotten.
func mappingOf(appID, shape, choices, header string) string {
	files := jsonDigest([]string{appID, shape})
	if choices == "" {
		return files + " "
	}
	return files + " " + jsonDigest([]string{choices, header})
}

// RawReading is how a job's file was read, as it is kept.
type RawReading struct {
	Understood, Said string // JSON; "": nothing
	By               string
	At               time.Time
	Earlier          bool
}

// RawReading returns how a job's file was read, byte for byte as it is kept.
func (s *Jobs) RawReading(ctx context.Context, jobID string) (r RawReading, err error) {
	var at, earlier int64
	err = s.db.Reader().QueryRowContext(ctx, `
		SELECT understanding, choices, understood_by, understood_at, understood_earlier FROM jobs WHERE id = $1`, jobID).
		Scan(&r.Understood, &r.Said, &r.By, &at, &earlier)
	r.At, r.Earlier = store.FromMillis(at), earlier != 0
	return r, err
}
