package jobs

// Gates are how many of a job's first accounts are sent before it is seen how
// many of them failed.
var Gates = []int64{1, 10, 100, 1000}

// NextGate is the gate behind one; 0 behind the last: none.
func NextGate(gate int64) int64 {
	for _, next := range Gates {
		if gate > 0 && gate < next {
			return next
		}
	}
	return 0
}

// judgedAnew is after how many settled accounts failures are judged anew.
const judgedAnew = 1000

// Failures is what has become of a job's accounts since failures were last
// judged. Those that failed by a person's decision are neither.
type Failures struct {
	Settled, Failed int64
	Gate            int64 // only the first so many accounts may be sent yet; 0: all
	GateSettled     bool  // none of them is open any more
	Limit           int   // percent of failures at which the job halts; 100: never
}

// Verdict is what follows from failures.
type Verdict int

// The verdicts.
const (
	NotYet  Verdict = iota // too few accounts are settled to say
	Pass                   // counting starts anew, and the gate moves on
	TooMany                // the job halts
)

// Judge says whether too many accounts failed, as soon as that is certain, and
// at a gate, or every 1,000 accounts, whether counting starts anew.
func (f Failures) Judge() Verdict {
	window := f.Gate
	if window == 0 {
		window = judgedAnew
	}
	ended := f.Gate > 0 && f.GateSettled || f.Gate == 0 && f.Settled >= judgedAnew
	if ended || window < f.Settled {
		window = f.Settled
	}
	switch {
	case f.Limit < 100 && f.Failed*100 > int64(f.Limit)*window:
		return TooMany
	case ended:
		return Pass
	}
	return NotYet
}

// representative is how many accounts tell what share of a list fails.
const representative = 100

// Raised is the limit of a job that a person resumes after it halted for its
// failures, in percent; 0: as it was. A list that is known to be bad does not
// halt again and again.
func (f Failures) Raised(appLimit int) int {
	if f.Settled < representative {
		return 0
	}
	share := (f.Failed*100 + f.Settled - 1) / f.Settled
	return int(min(100, share+int64(appLimit)))
}
