package timtest

import (
	"maps"

	"tagsweep/internal/tim"
)

// Stats sum all calls up.
type Stats struct {
	Calls    int64                        `json:"calls"`
	Open     int64                        `json:"open"` // calls being answered and changes to come
	Largest  int                          `json:"largest"`
	Commands map[tim.Command]CommandStats `json:"commands"`
	Codes    map[int]int64                `json:"codes"` // NoAnswer included
	Faults   map[Fault]int64              `json:"faults"`
	Changed  int64                        `json:"changed"` // accounts whose tags are not those of the seed
}

// CommandStats are those of one command.
type CommandStats struct {
	Calls          int64 `json:"calls"`
	Accounts       int64 `json:"accounts"`  // in all calls together
	Applied        int64 `json:"applied"`   // calls
	Throttled      int64 `json:"throttled"` // calls
	FirstAt        int64 `json:"first_at"`  // arrival of the first call, Unix microseconds
	LastAt         int64 `json:"last_at"`   // and of the last
	MaxInAnySecond int   `json:"max_in_any_second"`
	Exceeded       int   `json:"exceeded"` // calls beyond 100 in any second, unless the simulator may have stood still
}

// sums are kept call by call, so that they cost the same after a million. The
// caller of every method holds the service's lock.
type sums struct {
	calls    int64
	largest  int
	commands map[tim.Command]*commandSums
	codes    map[int]int64
	faults   map[Fault]int64
}

type commandSums struct {
	CommandStats
	lastSecond []int64 // arrivals, oldest first
	bursts     []burst
}

// maxBursts limits the list: without a rate limit every second is a burst.
const maxBursts = 10_000

func newSums() sums {
	return sums{commands: map[tim.Command]*commandSums{}, codes: map[int]int64{}, faults: map[Fault]int64{}}
}

// add counts a call that has arrived and whose answer is decided.
func (s *sums) add(call *Call) {
	s.calls++
	s.largest = max(s.largest, len(call.Accounts))
	s.codes[call.Code]++
	if call.Fault != "" {
		s.faults[call.Fault]++
	}
	c := s.commands[call.Command]
	if c == nil {
		c = &commandSums{CommandStats: CommandStats{FirstAt: call.At}}
		s.commands[call.Command] = c
	}
	c.Calls++
	c.Accounts += int64(len(call.Accounts))
	if call.Applied {
		c.Applied++
	}
	if call.Throttled {
		c.Throttled++
	}
	c.LastAt = call.At
	for len(c.lastSecond) > 0 && call.At-c.lastSecond[0] >= 1_000_000 {
		c.lastSecond = c.lastSecond[1:]
	}
	c.lastSecond = append(c.lastSecond, call.At)
	c.MaxInAnySecond = max(c.MaxInAnySecond, len(c.lastSecond))
	if len(c.lastSecond) > serviceLimit && len(c.bursts) < maxBursts {
		c.bursts = append(c.bursts, burst{c.lastSecond[0], call.At, len(c.lastSecond)})
	}
}

// recode moves a call from one code to another.
func (s *sums) recode(from, to int) {
	if s.codes[from]--; s.codes[from] == 0 {
		delete(s.codes, from)
	}
	s.codes[to]++
}

// Stats returns the sums of all calls so far.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{Calls: s.sums.calls, Open: s.open, Largest: s.sums.largest,
		Commands: map[tim.Command]CommandStats{}, Codes: maps.Clone(s.sums.codes),
		Faults: maps.Clone(s.sums.faults), Changed: int64(len(s.state.changed))}
	for command, c := range s.sums.commands {
		sums := c.CommandStats
		for _, b := range c.bursts {
			sums.Exceeded = max(sums.Exceeded, s.excess(b))
		}
		stats.Commands[command] = sums
	}
	return stats
}
