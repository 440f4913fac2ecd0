package jobs

import (
	"context"
	"maps"
	"slices"

	"tagsweep/internal/audit"
	"tagsweep/internal/store"
)

// oughtApproval is what a request for a second person ought to be by the log.
type oughtApproval struct {
	job, askerID, terms, startAt, expires string
	action                                Action
	policy                                string
	state                                 ApprovalState
	decidedBy, decidedID                  string
	erased                                bool  // who decided
	entry                                 int64 // the last one about it
}

var approvalCodes = map[audit.Code]ApprovalState{
	audit.ApprovalAsked: Awaiting, audit.ApprovalGiven: Approved, audit.ApprovalRefused: Declined, audit.ApprovalWithdrawn: Withdrawn,
}

// approvalChanged follows a request.
func (r *Replay) approvalChanged(e audit.Entry, v *audit.Verified) {
	id := text(e, "approval")
	if e.Code == audit.ApprovalAsked {
		r.approvals[id] = &oughtApproval{job: e.JobID, askerID: e.Actor.ID, terms: text(e, "runs_sha256"), startAt: text(e, "start_at"),
			expires: text(e, "expires"), action: Action(text(e, "action")), policy: text(e, "policy"), state: Awaiting, entry: e.Seq}
		return
	}
	a := r.approvals[id]
	switch {
	case a == nil && r.removed > 0:
		return
	case a == nil, a.state != Awaiting, a.job != e.JobID, a.terms != text(e, "runs_sha256"):
		v.Add("job %s: entry %d of the log (%s) decides on a request that was not made, or was another one", e.JobID, e.Seq, e.Code)
		return
	}
	a.state, a.decidedBy, a.decidedID, a.erased, a.entry = approvalCodes[e.Code], e.Actor.Name, e.Actor.ID, e.Erased, e.Seq
	j := r.jobs[e.JobID]
	if e.Code == audit.ApprovalGiven && (e.Actor.ID == a.askerID || j != nil && !e.Erased && j.maker == e.Actor.Name) {
		v.Add("job %s: by entry %d of the log %s approved what they had asked for or uploaded", e.JobID, e.Seq, e.Actor.Name)
	}
}

// secondPerson checks that what an entry lets go on had the second person it says.
func (r *Replay) secondPerson(e audit.Entry, v *audit.Verified) {
	by, id, emergency := text(e, "approved_by"), text(e, "approval"), text(e, "emergency") != "" || e.Erased
	_, needed := e.Details["second_person_above"]
	switch a := r.approvals[id]; {
	case id == "" && needed && !emergency:
		v.Add("job %s: entry %d of the log (%s) needed a second person, and had none", e.JobID, e.Seq, e.Code)
	case id != "" && a == nil && r.removed > 0:
	case id != "" && (a == nil || a.state != Approved || a.job != e.JobID || a.askerID != e.Actor.ID ||
		!e.Erased && !a.erased && a.decidedBy != by):
		v.Add("job %s: entry %d of the log says that a request for it was approved, but no entry before it does", e.JobID, e.Seq)
	}
}

// verifyApprovals compares the requests with the log. Requests that were decided, and whose
// entries were removed, are not known.
func (r *Replay) verifyApprovals(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	left := maps.Clone(r.approvals)
	rows := paged(func(last Approval) ([]Approval, error) {
		return store.Collect(ctx, tx, scanApproval, `SELECT `+approvalColumns+` FROM approvals a WHERE id > $1 ORDER BY id LIMIT 100`, last.ID)
	})
	for a, err := range rows {
		if err != nil {
			return err
		}
		ought := left[a.ID]
		delete(left, a.ID)
		switch {
		case ought == nil && r.removed > 0:
		case ought == nil:
			v.Add("approval %s: no entry of the log asks for it", a.ID)
		case a.JobID != ought.job || a.terms != ought.terms || a.Asker.ID != ought.askerID || a.Action != ought.action ||
			string(a.Policy) != ought.policy || startAt(a.StartAt) != ought.startAt || startAt(a.ExpiresAt) != ought.expires:
			v.Add("approval %s: what was asked for, and by whom, is not what the log says", a.ID)
		case a.State != ought.state && !(a.State == Void && ought.state == Awaiting) || !ought.erased && a.DecidedBy != ought.decidedBy:
			v.Add("approval %s: it is %s, but by entry %d of the log it is %s", a.ID, a.State, ought.entry, ought.state)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(left)) {
		v.Add("approval %s: entry %d of the log is about it, but it is missing", id, left[id].entry)
	}
	return nil
}

func text(e audit.Entry, detail string) string {
	s, _ := e.Details[detail].(string)
	return s
}
