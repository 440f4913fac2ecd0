// Package timtest is a simulator of the tag commands of Tencent Cloud Chat, and
// Compare, which compares what a console says of its jobs with what really
// happened. The simulator is strict where the service is (docs/tim-api.md), keeps
// the tags of any number of accounts, misbehaves on demand, and records every
// call.
//
// The simulator is its own reading of the documentation: it shares no path, limit
// or code with the client it tests. Compare asks the records for jobs in the
// engine's words, and believes only the simulator's ledger.
package timtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"tagsweep/internal/tim"
)

// Config is the app that the simulator serves, and its first behaviour.
type Config struct {
	SDKAppID   uint32
	SecretKey  string
	Identifier string // the app's one admin

	Seed          uint64  // of accounts, tags and faults
	RateLimit     int     // calls in any second and command; 0 = 100, negative = no limit
	UnknownShare  float64 // of accounts that are not registered, 0 to 1; names that start with "unknown" never are
	UntaggedShare float64 // of accounts without a tag at first, 0 to 1
	Faults        Faults
	SumsOnly      bool // for long loads: no ledger is kept and no call changes tags; Stats are complete

	Now func() time.Time // nil = time.Now
}

// Service is a running simulator.
type Service struct {
	config  Config
	control *http.ServeMux
	keys    *verifier

	closing  chan struct{}
	server   *http.Server
	watching sync.Once

	mu      sync.Mutex
	closed  bool
	state   *state
	windows map[tim.Command]*window
	faults  Faults
	drawn   int // faults drawn since they were set
	random  *rand.Rand
	calls   []*Call
	edits   []Edit
	order   int64 // readings and changes of tags so far
	sums    sums

	stalls []stall

	open int64         // calls being answered and changes to come
	idle chan struct{} // closed when open falls to 0; nil before the first call
}

// New returns a simulator that listens nowhere yet.
func New(config Config) (*Service, error) {
	if config.SDKAppID == 0 || config.SecretKey == "" || config.Identifier == "" {
		return nil, errors.New("timtest: an SDKAppID, a secret key and an identifier are needed")
	}
	config.RateLimit = cmp.Or(config.RateLimit, 100)
	if config.Now == nil {
		config.Now = time.Now
	}
	s := &Service{config: config, keys: &verifier{config: config}, closing: make(chan struct{}),
		state: newState(config), windows: map[tim.Command]*window{}, sums: newSums(),
		random: rand.New(rand.NewPCG(config.Seed, 1))}
	s.control = s.controlRoutes()
	if err := s.SetFaults(config.Faults); err != nil {
		return nil, err
	}
	return s, nil
}

// Start listens on a TCP address, such as "127.0.0.1:0", and returns the base
// URL. Call it once, and once more after each Stop.
func (s *Service) Start(addr string) (string, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("timtest: %w", err)
	}
	s.server = &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10, ErrorLog: log.New(io.Discard, "", 0)}
	go s.server.Serve(listener) // ends with Close
	s.watching.Do(func() { go s.watchStalls() })
	return "http://" + listener.Addr().String(), nil
}

// Stop drops every connection and listens no more, as a service that is down
// does. Accounts and ledger are kept for the next Start.
func (s *Service) Stop() error { return s.server.Close() }

// Close drops every connection, carries out the changes that were to come
// late, and returns when nothing is left to happen.
func (s *Service) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	var err error
	if s.server != nil {
		err = s.server.Close()
	}
	return errors.Join(err, s.Settled(context.Background()))
}

// Settled waits until no call is open and no change is to come.
func (s *Service) Settled(ctx context.Context) error {
	s.mu.Lock()
	open, idle := s.open, s.idle
	s.mu.Unlock()
	if open == 0 {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter counts one more open call or late change. The caller holds the lock.
func (s *Service) enter() {
	if s.open == 0 {
		s.idle = make(chan struct{})
	}
	s.open++
}

func (s *Service) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open--; s.open == 0 {
		close(s.idle)
	}
}

// Handler serves the service's commands and, under /_simulator/, the control
// routes.
func (s *Service) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, controlPrefix) {
			s.control.ServeHTTP(w, r)
			return
		}
		s.mu.Lock()
		closed := s.closed
		if !closed {
			s.enter()
		}
		s.mu.Unlock()
		if closed {
			drop(w)
			return
		}
		defer s.leave()
		s.serve(w, r)
	})
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	request, err := s.read(w, r)
	if err != nil {
		drop(w) // it did not arrive whole, so it is no call
		return
	}
	call, reply := s.arrive(request)
	s.answer(w, r, call, reply)
}

// end notes how a call ended: with an HTTP status, or with 0 and a connection
// that was dropped. It comes before the client can know, so that the ledger is
// never behind the client.
func (s *Service) end(call *Call, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	call.Took = max(s.config.Now().UnixMicro()-call.At, 1)
	call.Status = status
	if status == 0 {
		s.sums.recode(call.Code, NoAnswer)
		call.Code, call.Dropped = NoAnswer, true
	}
}

// arrive decides everything about a call at the moment it has arrived, so that
// the ledger, the limits, the faults and the changes have one order.
func (s *Service) arrive(request request) (*Call, reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Now()
	call := &Call{
		Number: s.sums.calls + 1, At: now.UnixMicro(), Family: request.family, Command: request.command,
		Random: request.random, Accounts: request.accounts, Tags: request.tags,
	}
	if !s.config.SumsOnly {
		s.calls = append(s.calls, call)
	}
	reply := reply{status: http.StatusOK, wait: s.latency()}

	switch {
	case request.denied != 0:
		call.Code = request.denied
	case !s.window(request.command).admit(now):
		call.Code, call.Throttled = 60007, true
	case request.refused != 0:
		call.Code = request.refused
	default:
		if call.Code = s.scripted(request); call.Code == 0 {
			call.Fault = s.draw(request.command)
			s.carryOut(request, call, &reply)
		}
	}
	s.sums.add(call)
	reply.finish(call)
	return call, reply
}

func (s *Service) carryOut(request request, call *Call, reply *reply) {
	behaviour := behaviours[call.Fault]
	reply.breaks = behaviour.breaks
	switch {
	case behaviour.code != 0:
		call.Code = behaviour.code
	case call.Fault == LateApply:
		reply.wait = 0
		s.applyLate(request, call)
	case behaviour.applies:
		var ignored []string
		if behaviour == behaviours[""] {
			ignored = s.ignored(request)
		}
		result := s.state.apply(request, s.faults.Unknown, ignored)
		call.Code = result.code
		s.note(call, result, call.At)
		reply.result = result
	}
	if behaviour.breaks != intact {
		call.Code = NoAnswer
	}
}

// note records the effect of a call. The caller holds the lock.
func (s *Service) note(call *Call, result result, at int64) {
	if result.code != 0 {
		return
	}
	s.order++
	call.Order, call.Applied, call.ErrorAccounts, call.Ignored = s.order, result.applied, result.unknown, result.ignored
	if result.applied {
		call.AppliedAt = at
	}
}

// applyLate carries a call out some time later. The caller holds the lock.
func (s *Service) applyLate(request request, call *Call) {
	within := max(s.faults.LateWithin, time.Millisecond)
	late := time.Duration(s.random.Int64N(int64(within)))
	unknown := s.faults.Unknown
	s.enter()
	go func() {
		defer s.leave()
		timer := time.NewTimer(late)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.closing:
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		result := s.state.apply(request, unknown, nil)
		s.note(call, result, s.config.Now().UnixMicro())
		if result.applied {
			s.sums.commands[call.Command].Applied++
		}
	}()
}
