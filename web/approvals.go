package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"

	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/snapshot"
	"tagsweep/web/templates"
)

const approvalsPath = "/approvals"

// listApprovals shows the requests that wait for a second person, and those decided lately.
func (s *Server) listApprovals(v *request) error { return s.approvalsPage(v, http.StatusOK, nil) }

func (s *Server) approvalsPage(v *request, status int, f *fault.Error) error {
	ctx := v.Request().Context()
	all, err := s.Jobs.Approvals(ctx)
	if err != nil {
		return err
	}
	page := templates.ApprovalsPage{Now: time.Now()}
	for _, a := range all {
		row := templates.ApprovalRow{AskedOf: a}
		if row.May, err = s.Jobs.MayApprove(ctx, v.actor(), a.Approval); err != nil {
			return err
		}
		page.Rows = append(page.Rows, row)
	}
	if v.wantsJSON() {
		list := make([]approvalJSON, len(page.Rows))
		for i, row := range page.Rows {
			list[i] = asApprovalJSON(row.Approval)
		}
		return v.JSON(status, map[string]any{"approvals": list})
	}
	if s.status.now(ctx).Unseen[v.user.Name] > 0 {
		if err := s.Jobs.SeeDecisions(ctx, v.actor()); err != nil {
			return err
		}
		s.status.changed()
	}
	view := s.view(v, "approvals")
	if view.Here = approvalsPath; f != nil {
		view.Problem = v.text.Fault(f)
	}
	return s.page(v, status, view, func(view templates.View) templ.Component { return templates.Approvals(view, page) })
}

// askApproval asks for a second person to start a job, or to let it go on.
func (s *Server) askApproval(v *request) error {
	id, action := v.Param("id"), jobs.Action(v.FormValue("action"))
	if action == "" {
		action = jobs.Start
	}
	at, err := startAt(v)
	if err == nil {
		start := startRequest(v)
		start.At = at
		_, err = s.Jobs.Ask(v.Request().Context(), v.actor(), id, jobs.AskRequest{Action: action, Start: start,
			Policy: snapshot.Policy(v.FormValue("policy")), Note: v.FormValue("note")})
	}
	return s.approvalDone(v, id, err, "approval.done.asked")
}

// startInEmergency starts a job without the second person it needs.
func (s *Server) startInEmergency(v *request) error {
	id := v.Param("id")
	_, err := s.Jobs.StartInEmergency(v.Request().Context(), v.actor(), id, startRequest(v), v.FormValue("reason"))
	return s.approvalDone(v, id, err, "approval.done.emergency")
}

func (s *Server) approve(v *request) error {
	j, err := s.Jobs.Approve(v.Request().Context(), v.actor(), v.Param("id"))
	return s.approvalDone(v, j.ID, err, "approval.done.approved")
}

func (s *Server) decline(v *request) error {
	err := s.Jobs.Decline(v.Request().Context(), v.actor(), v.Param("id"), v.FormValue("reason"))
	return s.approvalDone(v, "", err, "approval.done.refused")
}

func (s *Server) withdraw(v *request) error {
	return s.approvalDone(v, "", s.Jobs.Withdraw(v.Request().Context(), v.actor(), v.Param("id")), "approval.done.withdrawn")
}

// approvalDone returns to the job, or to the list, with a confirmation or an error.
func (s *Server) approvalDone(v *request, jobID string, err error, key string) error {
	s.status.changed()
	switch {
	case err != nil && strings.HasPrefix(v.Path(), approvalsPath):
		return again(v, err, s.approvalsPage)
	case err != nil:
		return s.jobAgain(v, err)
	}
	s.notice(v, v.text.T(key))
	if jobID == "" {
		return v.Redirect(http.StatusSeeOther, approvalsPath)
	}
	return v.Redirect(http.StatusSeeOther, jobPath(jobID))
}

// approvalJSON is a request for a second person, for scripts.
type approvalJSON struct {
	ID        string             `json:"id"`
	Job       string             `json:"job"`
	Action    jobs.Action        `json:"action"`
	State     jobs.ApprovalState `json:"state"`
	AskedBy   string             `json:"asked_by"`
	AskedAt   time.Time          `json:"asked_at"`
	ExpiresAt time.Time          `json:"expires_at"`
	StartAt   *time.Time         `json:"start_at"`
	Note      string             `json:"note"`
	DecidedBy *string            `json:"decided_by"`
	DecidedAt *time.Time         `json:"decided_at"`
	Reason    string             `json:"reason"`
}

func asApprovalJSON(a jobs.Approval) approvalJSON {
	return approvalJSON{a.ID, a.JobID, a.Action, a.Shown(time.Now()), a.Asker.Name, a.AskedAt, a.ExpiresAt, moment(a.StartAt), a.Note,
		orNull(a.DecidedBy), moment(a.DecidedAt), a.Reason}
}
