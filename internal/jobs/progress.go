package jobs

// Progress is what decides what follows for a job once accounts were settled.
type Progress struct {
	State    State
	HaltCode int
	Waiting  int64 // accounts
	Open     int64 // accounts; waiting ones included
	Settled  int64 // accounts since failures were last judged, but those a person left
	Failed   int64 // of them
	Limit    int   // percent of failures at which the job halts; 100: never
	Careful  bool  // only its first batch may be sent yet
	First    bool  // that one has no open account any more
}

// Verdict is what follows for a job.
type Verdict int

// The verdicts.
const (
	GoOn    Verdict = iota // nothing
	End                    // no account is open any more
	Drop                   // it was cancelled: what waits ends
	TooMany                // it halts: too large a share has failed
	Pass                   // failures count anew, and all batches may be sent
)

// judgedAnew is after how many settled accounts failures are judged anew.
const judgedAnew = 1000

// Judge says what follows, and of failures as soon as that is certain: at the end
// of a careful start, and then of every 1,000 accounts.
func (p Progress) Judge() Verdict {
	window, ended := int64(judgedAnew), p.Settled >= judgedAnew
	if p.Careful {
		window, ended = BatchSize, p.First
	}
	if ended || window < p.Settled {
		window = p.Settled
	}
	running := p.State == Queued || p.State == Running || p.State == Halted && Recovers(p.HaltCode)
	switch {
	case p.Open == 0:
		return End
	case p.State == Cancelled && p.Waiting > 0:
		return Drop
	case !running:
		return GoOn
	case p.Limit < 100 && p.Failed*100 > int64(p.Limit)*window:
		return TooMany
	case ended:
		return Pass
	}
	return GoOn
}

// representative is how many accounts tell what share of a list fails.
const representative = 100

// Raised is the limit of a job that a person resumes after it halted for its
// failures, in percent; 0: as it was. A list that is known to be bad does not
// halt again and again.
func (p Progress) Raised(appLimit int) int {
	if p.Settled < representative {
		return 0
	}
	share := (p.Failed*100 + p.Settled - 1) / p.Settled
	return int(min(100, share+int64(appLimit)))
}
