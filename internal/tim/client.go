// Package tim is the REST client of Tencent Cloud Chat for the tags of
// accounts: it signs, sends, reads and classifies, and knows nothing of jobs.
//
// Its main purpose is one distinction: a call whose request never left may be repeated,
// a call whose answer is lost may not, because the service may have carried it out.
// Every Answer says which of the two it is. codes.go says how the caller must react to
// each code. docs/tim-api.md collects the facts about the service.
package tim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"time"

	"tagsweep/internal/fault"
)

const (
	defaultTimeout  = 10 * time.Second // above the service's own 3 s (docs/tim-api.md section 1)
	defaultMaxConns = 128              // holds 100 calls a second at more than 1 s latency
	idleTimeout     = 30 * time.Second
	answerLimit     = 4 << 20 // 100 accounts with 100 tags of 50 bytes are about 0.6 MB
	usualAnswer     = 64 << 10
)

// Config says how to reach one app of the service.
type Config struct {
	SDKAppID   uint32
	SecretKey  string
	Identifier string // an admin of the app
	Domain     string // see BaseURL
	Family     Family
	Timeout    time.Duration    // for one call from end to end, waiting for a connection included; 0 = 10 s
	Now        func() time.Time // nil = time.Now
	MaxConns   int              // connections, and so calls in flight; 0 = 128
}

// String leaves the secret key out.
func (c Config) String() string {
	return fmt.Sprintf("tim: app %d, %s at %s, family %s", c.SDKAppID, c.Identifier, c.Domain, c.Family)
}

// GoString leaves the secret key out.
func (c Config) GoString() string { return c.String() }

// Faults of a configuration; each names one setting.
var (
	FaultSDKAppID = fault.Declare(fault.Invalid, "tim.sdkappid",
		"The SDKAppID is missing. Tencent's console shows it next to the app name.")
	FaultSecretKey = fault.Declare(fault.Invalid, "tim.secret_key",
		"The secret key of the app is missing. The app's owner can find it in Tencent's console.")
	FaultIdentifier = fault.Declare(fault.Invalid, "tim.identifier",
		"The identifier is missing. Enter the user name of an admin of the app, such as administrator.")
	FaultFamily = fault.Declare(fault.Invalid, "tim.family",
		"%q is not a valid API family. Choose all_member_push or timpush.")
)

// Client makes the calls of one app. It is safe for many goroutines.
type Client struct {
	config    Config
	endpoints map[Command]string
	signer    *signer
	transport *http.Transport
}

// New returns a client, or all faults of the configuration joined.
func New(config Config) (*Client, error) { return newClient(config, newTransport) }

func newClient(config Config, transport func(Config) *http.Transport) (*Client, error) {
	base, err := BaseURL(config.Domain)
	faults := []error{err}
	if config.SDKAppID == 0 {
		faults = append(faults, FaultSDKAppID.With())
	}
	if config.SecretKey == "" {
		faults = append(faults, FaultSecretKey.With())
	}
	if config.Identifier == "" {
		faults = append(faults, FaultIdentifier.With())
	}
	if paths[config.Family] == nil {
		faults = append(faults, FaultFamily.With(config.Family))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}

	if config.Timeout <= 0 {
		config.Timeout = defaultTimeout
	}
	if config.MaxConns <= 0 {
		config.MaxConns = defaultMaxConns
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	endpoints := map[Command]string{}
	for command, path := range paths[config.Family] {
		endpoints[command] = base + path
	}
	return &Client{
		config:    config,
		endpoints: endpoints,
		signer:    newSigner(config),
		transport: transport(config),
	}, nil
}

// String leaves the secret key out.
func (c *Client) String() string { return c.config.String() }

// GoString leaves the secret key out.
func (c *Client) GoString() string { return c.config.String() }

// Close ends the connections that are idle.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// RenewSignature drops the signature of a call (Answer.UserSigID), so that the next call
// makes a new one. It does nothing when that signature was replaced already.
func (c *Client) RenewSignature(used string) { c.signer.forget(used) }

// call makes one request about accounts. An answer that names others is invalid.
func (c *Client) call(ctx context.Context, command Command, random uint32, accounts []string, payload []byte) (reply, Answer) {
	started := time.Now()
	answer := Answer{Delivery: NotSent, SentAt: c.config.Now()}
	said, err := c.exchange(ctx, command, random, accounts, payload, &answer)
	answer.Duration = time.Since(started)
	answer.Err = err
	return said, answer
}

func (c *Client) exchange(ctx context.Context, command Command, random uint32, accounts []string, payload []byte,
	answer *Answer) (reply, error) {
	signature, err := c.signer.current()
	if err != nil {
		return reply{}, err
	}
	answer.UserSigID = signature.id
	hide := redactor(c.config.SecretKey, signature.text)

	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	wire := &sendTrace{gate: sendGateOf(ctx), cancel: cancel}
	if until := wire.gate.Until; !until.IsZero() {
		defer time.AfterFunc(time.Until(until), wire.expire).Stop()
	}
	request, err := http.NewRequestWithContext(
		httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: wire.gotConn}),
		http.MethodPost, c.endpoints[command]+"?"+c.query(signature.text, random), newBody(payload))
	if err != nil {
		return reply{}, hide.error(err)
	}
	request.ContentLength = int64(len(payload))
	request.GetBody = func() (io.ReadCloser, error) { return newBody(payload), nil }
	request.Header.Set("Content-Type", "application/json")

	// The transport itself rather than an http.Client: it follows no redirect,
	// and its errors do not quote the URL.
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		if wire.wrote() {
			answer.Delivery = Lost
		} else if wire.wasRefused() {
			err = ErrSentNothing
		}
		return reply{}, hide.error(err)
	}
	defer response.Body.Close()

	answer.Delivery = Lost // until the answer proves to be the service's
	answer.HTTPStatus = response.StatusCode
	var whole bytes.Buffer
	whole.Grow(int(min(max(response.ContentLength, 0), usualAnswer)) + bytes.MinRead)
	_, err = whole.ReadFrom(io.LimitReader(response.Body, answerLimit+1))
	body := whole.Bytes()
	switch {
	case response.StatusCode != http.StatusOK:
		return reply{}, fmt.Errorf("HTTP status %d: %q", response.StatusCode, shorten(hide.text(string(body)), 200))
	case err != nil:
		return reply{}, hide.error(fmt.Errorf("the answer broke off: %w", err))
	case len(body) > answerLimit:
		return reply{}, fmt.Errorf("the answer is longer than %d bytes", answerLimit)
	}
	said, err := decode(body, accounts)
	if err != nil {
		return reply{}, fmt.Errorf("%s: %q", hide.text(err.Error()), shorten(hide.text(string(body)), 200))
	}

	answer.Delivery = Answered
	answer.Code = *said.ErrorCode
	answer.Info = shorten(hide.text(said.ErrorInfo), 500)
	for _, e := range said.ErrorList {
		answer.AccountErrors = append(answer.AccountErrors,
			AccountError{Account: e.Account, Code: e.ErrorCode, Info: shorten(hide.text(e.ErrorInfo), 500)})
	}
	return said, nil
}

func (c *Client) query(userSig string, random uint32) string {
	return url.Values{
		"sdkappid":    {strconv.FormatUint(uint64(c.config.SDKAppID), 10)},
		"identifier":  {c.config.Identifier},
		"usersig":     {userSig},
		"random":      {strconv.FormatUint(uint64(random), 10)},
		"contenttype": {"json"},
	}.Encode()
}
