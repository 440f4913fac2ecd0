package web

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
	"tagsweep/web/templates"
)

// Faults of an entry that cannot be shown.
var (
	faultNoEntry = fault.Declare(fault.NotFound, "audit.no_entry",
		"Log entry %s does not exist. Check the number, or find the entry in the log.")
	faultEntryRemoved = fault.Declare(fault.NotFound, "audit.entry_removed",
		"Entry %d is no longer in the log. It is past the retention period, and all entries up to %d were removed. "+
			"Its hash remains, so the log can still be verified.")
)

const neighbours = 10 // on either side

// showEntry shows one entry in full, among its neighbours.
func (s *Server) showEntry(v *request) error {
	ctx := v.Request().Context()
	seq, err := strconv.ParseInt(v.Param("seq"), 10, 64)
	if err != nil {
		return faultNoEntry.With(v.Param("seq"))
	}
	around, err := s.Audit.Around(ctx, seq, neighbours)
	if err != nil {
		return err
	}
	if len(around) == 0 {
		return s.noEntry(v, seq)
	}
	covers, err := s.Audit.LastCheckpoint(ctx, seq)
	if err != nil {
		return err
	}
	if err := s.recordRead(ctx, audit.Entry{Code: audit.LogRead, Actor: v.actor(), Details: map[string]any{"seq": seq}}); err != nil {
		return err
	}
	at := slices.IndexFunc(around, func(e audit.Entry) bool { return e.Seq == seq })
	if v.wantsJSON() {
		return v.JSON(http.StatusOK, entryJSON{around[at], entriesJSON(around[:at]), entriesJSON(around[at+1:]), asCheckpointJSON(covers)})
	}
	return s.entryPage(v, around, at, covers)
}

func (s *Server) entryPage(v *request, around []audit.Entry, at int, covers audit.SignedCheckpoint) error {
	page := templates.EntryPage{Entry: around[at], Covers: covers}
	if at > 0 {
		page.Earlier = around[at-1].Seq
	}
	if at+1 < len(around) {
		page.Later = around[at+1].Seq
	}
	slices.Reverse(around)
	page.Around = around
	return s.page(v, http.StatusOK, s.view(v, "audit"), func(view templates.View) templ.Component { return templates.Entry(view, page) })
}

// noEntry says whether an entry was removed or never existed.
func (s *Server) noEntry(v *request, seq int64) error {
	keeping, err := s.Audit.Retention(v.Request().Context())
	switch {
	case err != nil:
		return err
	case seq >= 1 && seq <= keeping.Removed:
		return faultEntryRemoved.With(seq, keeping.Removed)
	}
	return faultNoEntry.With(v.Param("seq"))
}

// entryJSON is an entry with its neighbours, oldest first.
type entryJSON struct {
	Entry      audit.Entry     `json:"entry"`
	Before     []audit.Entry   `json:"before"`
	After      []audit.Entry   `json:"after"`
	Checkpoint *checkpointJSON `json:"checkpoint"` // the first that covers it; null: none yet
}

type checkpointJSON struct {
	Size int64      `json:"size"`
	At   *time.Time `json:"at"`
	Note string     `json:"note"`
}

func asCheckpointJSON(c audit.SignedCheckpoint) *checkpointJSON {
	if c.Size == 0 {
		return nil
	}
	return &checkpointJSON{c.Size, moment(c.At), c.Note}
}
