package timtest

import (
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tagsweep/internal/tim"
)

// reply is what goes back, decided when the call arrived.
type reply struct {
	status int
	breaks breakage
	wait   time.Duration
	result result
	body   []byte
}

type errorItem struct {
	Account   string `json:"To_Account"`
	ErrorCode int
	ErrorInfo string
}

func (p *reply) finish(call *Call) {
	switch p.breaks {
	case badGateway:
		p.status, p.body = http.StatusBadGateway, []byte("<html><body><h1>502 Bad Gateway</h1></body></html>\n")
		return
	case garbage:
		p.body = []byte("\x00\x17<!-- upstream -->{\"ActionStatus\":\"OK\",\"ErrorCode\":0}")
		return
	}
	said := struct {
		ActionStatus string
		ErrorInfo    string
		ErrorCode    int
		ErrorList    []errorItem       `json:",omitempty"`
		UserTags     []tim.AccountTags `json:",omitempty"`
	}{ActionStatus: "OK", UserTags: p.result.userTags}
	if call.Code > 0 {
		said.ActionStatus, said.ErrorCode, said.ErrorInfo = "FAIL", call.Code, "simulated error "+strconv.Itoa(call.Code)
	}
	for _, account := range p.result.unknown {
		said.ErrorList = append(said.ErrorList, errorItem{account, 70107, "may be absent"})
	}
	p.body, _ = json.Marshal(said, jsontext.AllowInvalidUTF8(true)) // strings and numbers always encode
}

// answer sends the reply.
func (s *Service) answer(w http.ResponseWriter, r *http.Request, call *Call, p reply) {
	var elapsed <-chan time.Time
	if p.breaks != silence {
		timer := time.NewTimer(p.wait)
		defer timer.Stop()
		elapsed = timer.C
	}
	select {
	case <-elapsed:
	case <-r.Context().Done(): // the client has gone
		s.end(call, 0)
		return
	case <-s.closing:
		s.end(call, 0)
		drop(w)
		return
	}

	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(p.body)))
	switch p.breaks {
	case reset:
		s.end(call, 0)
		drop(w)
		return
	case halfAnswer:
		s.end(call, 0)
		w.Write(p.body[:len(p.body)/2])
		http.NewResponseController(w).Flush()
		drop(w)
		return
	case badGateway:
		w.Header().Set("Content-Type", "text/html")
	}
	s.end(call, p.status)
	w.WriteHeader(p.status)
	w.Write(p.body)
	if http.NewResponseController(w).Flush() != nil {
		s.end(call, 0)
	}
}

// drop ends the connection with a reset instead of an answer.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
