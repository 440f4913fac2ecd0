package timtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
)

const (
	controlPrefix = "/_simulator/"
	controlLimit  = 64 << 20 // bytes of a request's body
)

// AccountState is what the simulator knows of an account.
type AccountState struct {
	Account string   `json:"account"`
	Known   bool     `json:"known"`
	Tags    []string `json:"tags"`
	First   []string `json:"first"` // those it had before any call or edit
}

// Accounts returns the states of accounts, all at one moment.
func (s *Service) Accounts(accounts []string) []AccountState {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make([]AccountState, len(accounts))
	for i, account := range accounts {
		states[i] = AccountState{account, s.state.known(account), append([]string{}, s.state.tags(account)...),
			append([]string{}, s.state.first(account)...)}
	}
	return states
}

// controlRoutes:
//
//	GET  ledger?after=N   calls with a higher number, as JSON Lines
//	GET  stats            Stats
//	POST accounts         ["a","b"] → [AccountState]
//	PUT  tags             {"a":["x"]} replaces the tags of accounts
//	GET  edits            [Edit]
//	GET  faults, PUT faults   Faults
//	GET  settled          answers when no call is open and no change is to come
func (s *Service) controlRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+controlPrefix+"ledger", func(w http.ResponseWriter, r *http.Request) {
		after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
		if err != nil && r.URL.Query().Has("after") {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/jsonl")
		lines := json.NewEncoder(w)
		for call := range s.since(after) {
			if lines.Encode(call) != nil {
				return
			}
		}
	})
	mux.HandleFunc("GET "+controlPrefix+"stats", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, s.Stats())
	})
	mux.HandleFunc("POST "+controlPrefix+"accounts", func(w http.ResponseWriter, r *http.Request) {
		if accounts, ok := readJSON[[]string](w, r); ok {
			writeJSON(w, s.Accounts(accounts))
		}
	})
	mux.HandleFunc("PUT "+controlPrefix+"tags", func(w http.ResponseWriter, r *http.Request) {
		if tags, ok := readJSON[map[string][]string](w, r); ok {
			for account, list := range tags {
				s.SetTags(account, list...)
			}
			w.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("GET "+controlPrefix+"edits", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, s.Edits())
	})
	mux.HandleFunc("GET "+controlPrefix+"settled", func(w http.ResponseWriter, r *http.Request) {
		if s.Settled(r.Context()) == nil {
			w.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("GET "+controlPrefix+"faults", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, s.Faults())
	})
	mux.HandleFunc("PUT "+controlPrefix+"faults", func(w http.ResponseWriter, r *http.Request) {
		faults, ok := readJSON[Faults](w, r)
		if !ok {
			return
		}
		if err := s.SetFaults(faults); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

func readJSON[T any](w http.ResponseWriter, r *http.Request) (value T, ok bool) {
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, controlLimit))
	body.DisallowUnknownFields() // a mistyped fault must not pass for none
	if err := body.Decode(&value); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return value, false
	}
	return value, true
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value)
}

// Control asks and directs a simulator in another process.
type Control struct {
	base   string
	client *http.Client
}

// NewControl takes the simulator's base URL.
func NewControl(baseURL string) *Control {
	return &Control{strings.TrimRight(baseURL, "/"), http.DefaultClient}
}

// Ledger yields the calls with a number above after, and an error last when
// there was one.
func (c *Control) Ledger(ctx context.Context, after int64) iter.Seq2[Call, error] {
	return func(yield func(Call, error) bool) {
		body, err := c.open(ctx, http.MethodGet, "ledger?after="+strconv.FormatInt(after, 10), nil)
		if err != nil {
			yield(Call{}, err)
			return
		}
		defer body.Close()
		lines := json.NewDecoder(bufio.NewReader(body))
		for {
			var call Call
			switch err := lines.Decode(&call); {
			case err == io.EOF:
				return
			case err != nil:
				yield(Call{}, err)
				return
			}
			if !yield(call, nil) {
				return
			}
		}
	}
}

// Stats returns the sums of all calls so far.
func (c *Control) Stats(ctx context.Context) (stats Stats, err error) {
	err = c.ask(ctx, http.MethodGet, "stats", nil, &stats)
	return stats, err
}

// Accounts returns the states of accounts, in their order.
func (c *Control) Accounts(ctx context.Context, accounts []string) (states []AccountState, err error) {
	err = c.ask(ctx, http.MethodPost, "accounts", accounts, &states)
	return states, err
}

// SetTags replaces the tags of accounts.
func (c *Control) SetTags(ctx context.Context, tags map[string][]string) error {
	return c.ask(ctx, http.MethodPut, "tags", tags, nil)
}

// Edits returns the changes of tags that no call made, in their order.
func (c *Control) Edits(ctx context.Context) (edits []Edit, err error) {
	err = c.ask(ctx, http.MethodGet, "edits", nil, &edits)
	return edits, err
}

// Settled waits until no call is open and no change is to come.
func (c *Control) Settled(ctx context.Context) error {
	return c.ask(ctx, http.MethodGet, "settled", nil, nil)
}

func (c *Control) ask(ctx context.Context, method, path string, send, receive any) error {
	body, err := c.open(ctx, method, path, send)
	if err != nil {
		return err
	}
	defer body.Close()
	if receive == nil {
		return nil
	}
	return json.NewDecoder(body).Decode(receive)
}

func (c *Control) open(ctx context.Context, method, path string, send any) (io.ReadCloser, error) {
	var payload []byte
	if send != nil {
		var err error
		if payload, err = json.Marshal(send); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+controlPrefix+path, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		defer response.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(response.Body, 500))
		return nil, fmt.Errorf("timtest: %s %s: %s: %s", method, path, response.Status, bytes.TrimSpace(said))
	}
	return response.Body, nil
}
