package web

import (
	"bufio"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strconv"

	"tagsweep/internal/accounts"
	"tagsweep/internal/audit"
)

// entriesAtOnce is how many entries of an export are in memory.
const entriesAtOnce = 1000

// export is a format of exported entries.
type export struct {
	name, mediaType string
	begin           func(io.Writer) entryWriter
}

type entryWriter interface {
	write(audit.Entry) error
	flush() error
}

var (
	csvExport       = export{"csv", "text/csv; charset=utf-8", beginCSV}
	jsonLinesExport = export{"jsonl", "application/jsonl; charset=utf-8", beginJSONLines}
)

// exportAudit sends all entries that match the filter, newest first. It records the
// export in the log first; that entry is not included.
func exportAudit(to export) func(*Server, *request) error {
	return func(s *Server, v *request) error {
		ctx := v.Request().Context()
		form, filter, err := s.auditFilter(v)
		if err != nil {
			return err
		}
		size, err := s.Audit.Size(ctx)
		if err != nil {
			return err
		}
		filter.Before, filter.Limit = size+1, entriesAtOnce // what is written meanwhile is not chased
		page, err := s.Audit.Entries(ctx, filter)
		if err != nil {
			return err
		}
		err = s.recordRead(
			ctx,
			audit.Entry{
				Code:    audit.LogExported,
				Actor:   v.actor(),
				Details: map[string]any{"filter": v.filterDetails(form), "format": to.name, "to": size},
			},
		)
		if err != nil {
			return err
		}
		return s.writeEntries(v, to, filter, page)
	}
}

func (s *Server) writeEntries(v *request, to export, filter audit.Filter, page []audit.Entry) (err error) {
	h := v.Response().Header()
	h.Set("Content-Type", to.mediaType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": "audit-log." + to.name}))
	v.Response().WriteHeader(http.StatusOK)
	out := to.begin(v.Response())
	for len(page) > 0 {
		for _, e := range page {
			if err := out.write(e); err != nil {
				return err
			}
		}
		if len(page) < filter.Limit {
			break
		}
		filter.Before = page[len(page)-1].Seq
		if page, err = s.Audit.Entries(v.Request().Context(), filter); err != nil {
			return err
		}
	}
	return out.flush()
}

// entryColumns have these names in every language.
var entryColumns = []string{"seq", "at", "code", "result", "actor", "actor_id", "role", "signed_in", "session",
	"address", "user_agent", "request_id", "job", "target", "app", "domain", "details", "erased"}

// millisecond is RFC 3339 with milliseconds, like the times of entries.
const millisecond = "2006-01-02T15:04:05.000Z07:00"

type csvEntries struct{ *accounts.Writer }

func beginCSV(w io.Writer) entryWriter {
	out := csvEntries{accounts.NewWriter(w)}
	out.Write(entryColumns) // Flush gives its error
	return out
}

func (w csvEntries) write(e audit.Entry) error {
	result, details, erased := audit.Succeeded, "", ""
	if e.Code.Failure() {
		result = audit.Failed
	}
	if len(e.Details) > 0 {
		text, err := json.Marshal(e.Details)
		if err != nil {
			return err
		}
		details = string(text)
	}
	if e.Erased {
		erased = "true"
	}
	return w.Write([]string{strconv.FormatInt(e.Seq, 10), e.At.UTC().Format(millisecond), string(e.Code), result,
		e.Actor.Name, e.Actor.ID, e.Actor.Role, e.Actor.SignedIn, e.Actor.Session, e.Actor.Address, e.Actor.UserAgent,
		e.Actor.RequestID, e.JobID, e.Target, e.App, e.Domain, details, erased})
}

func (w csvEntries) flush() error { return w.Flush() }

type jsonLines struct {
	out   *bufio.Writer
	lines *json.Encoder
}

func beginJSONLines(w io.Writer) entryWriter {
	out := bufio.NewWriterSize(w, 32<<10)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	return jsonLines{out, lines}
}

func (w jsonLines) write(e audit.Entry) error { return w.lines.Encode(e) }
func (w jsonLines) flush() error              { return w.out.Flush() }
