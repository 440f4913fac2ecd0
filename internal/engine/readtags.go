package engine

import (
	"context"
	"math/rand/v2"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/tim"
)

// maxSlotWait is how long a person waits for a slot at most.
const maxSlotWait = 4 * time.Second

// Faults of reading the tags of one account for a person.
var (
	FaultAccountMissing = fault.Declare(fault.NotFound, "account.not_there",
		"The tags of account %s cannot be read: the account does not exist in the service. It may have been "+
			"deleted or never imported. Nothing was changed.")
	FaultMayNotRead = fault.Declare(fault.Unavailable, "account.may_not_read",
		"The tags of account %s cannot be read: the service does not allow this app to read tags (code %d). "+
			"Nothing was changed. Check the app's plan in Tencent's console.")
	FaultNotRead = fault.Declare(fault.Unavailable, "account.not_read",
		"The tags of account %s could not be read: the service returned code %d. Nothing was changed. Try again in "+
			"a minute.")
	FaultNoAnswer = fault.Declare(fault.Unavailable, "account.no_answer",
		"The tags of account %s could not be read: the service did not answer. Nothing was changed. Try again in a "+
			"minute.")
	FaultNoSlot = fault.Declare(fault.Unavailable, "account.no_slot",
		"The tags of account %s were not read: calls are limited at the moment. Nothing was changed. Try again in "+
			"a minute.")
	FaultStopped = fault.Declare(fault.Conflict, "sending.stopped",
		"All sending is stopped, so tags cannot be read. Nothing was changed. See “Rate and limits” for the person "+
			"and the reason.")
)

// ReadTags reads the tags of one account now, for a person. It takes a slot of
// the budget and waits for it some seconds at most. Errors are faults.
func (e *Engine) ReadTags(ctx context.Context, account string) ([]string, error) {
	waiting, cancel := context.WithTimeout(ctx, maxSlotWait)
	defer cancel()
	open := func() bool { is, _ := e.gate.openForPerson(); return is }
	for waiting.Err() == nil {
		is, why := e.gate.openForPerson()
		switch {
		case why != nil:
			return nil, why
		case !is: // for a moment, while what stopped calls is being saved
			sleep(waiting, pollEvery)
			continue
		}
		sent, ok := e.limiters[tim.GetTags].next(waiting, open)
		if !ok {
			continue
		}
		gate := tim.SendGate{Until: time.Now().Add(connectTimeout), May: open, Sent: sent}
		tags, answer := e.Client.GetTags(tim.WithSendGate(ctx, gate), rand.Uint32(), []string{account})
		if class := answer.Rule().Class; class == tim.SignAgain || class == tim.WaitMinute {
			e.Client.RenewSignature(answer.UserSigID)
		}
		if answer.Delivery == tim.NotSent && !open() {
			continue
		}
		return e.tagsOf(account, tags, answer)
	}
	return nil, FaultNoSlot.With(account)
}

// tagsOf returns what an answer about one account says.
func (e *Engine) tagsOf(account string, tags map[string][]string, a tim.Answer) ([]string, error) {
	code := a.Code
	if has, listed := tags[account]; listed {
		return has, nil
	}
	if len(a.AccountErrors) > 0 {
		code = a.AccountErrors[0].Code
	}
	rule := tim.RuleOf(code)
	e.Log.Warn("the tags of an account could not be read for a person",
		"delivery", a.Delivery, "http", a.HTTPStatus, "code", code, "info", a.Info, "err", a.Err)
	switch {
	case a.Delivery != tim.Answered:
		return nil, FaultNoAnswer.Because(a.Err, account)
	case code == 0 || rule.IsAccountError():
		return nil, FaultAccountMissing.With(account)
	case rule.Reading:
		return nil, FaultMayNotRead.With(account, code)
	}
	return nil, FaultNotRead.With(account, code)
}
