package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
)

var faultCheckpointFile = fault.Declare(fault.Unavailable, "setting.checkpoint_file",
	"The checkpoint file %s cannot be read or written. Nothing was started. Check CONSOLE_CHECKPOINT_FILE, and "+
		"that its folder exists and is writable.")

// destination is a place outside the database that checkpoints are sent to.
type destination struct {
	name     string
	send     func(ctx context.Context, note string) error
	file     string // its path, when it is a file
	marked   int64  // the count of sends that was published last
	markedAt time.Time
	sent     int64 // up to which checkpoint it has them from this console. The database is asked only at the start: it can be changed
}

// destinations reads the settings. The audit page shows the names.
func (c *serveCommand) destinations() (all []*destination, err error) {
	if c.CheckpointFile != "" {
		path, problem := filepath.Abs(c.CheckpointFile)
		if problem == nil {
			problem = os.MkdirAll(filepath.Dir(path), 0o700)
		}
		if problem == nil {
			problem = appendTo(path, "")
		}
		if problem != nil {
			err = errors.Join(err, faultCheckpointFile.Because(problem, c.CheckpointFile))
		}
		all = append(all,
			&destination{name: "file " + path, file: path, send: func(_ context.Context, note string) error { return appendTo(path, "\n"+note) }})
	}
	if c.CheckpointHook != "" {
		u, wrong := url.Parse(c.CheckpointHook)
		if wrong != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			err = errors.Join(err, faultSetting.With("CONSOLE_CHECKPOINT_WEBHOOK", "wrong", "Give an address that starts with https://."))
		} else { // the rest of the address may be secret
			all = append(all, &destination{name: "webhook " + u.Host, send: func(ctx context.Context, note string) error {
				return toWebhook(ctx, c.CheckpointHook, note)
			}})
		}
	}
	if c.CheckpointLog != "" {
		u, wrong := url.Parse(c.CheckpointLog)
		if wrong != nil || u.Host == "" || u.Scheme != "udp" && u.Scheme != "tcp" {
			err = errors.Join(err, faultSetting.With("CONSOLE_CHECKPOINT_SYSLOG", orUnset(c.CheckpointLog),
				"Enter a server such as udp://127.0.0.1:514 or tcp://logs.example:601."))
		} else {
			all = append(all, &destination{name: "syslog " + u.Host, send: func(ctx context.Context, note string) error {
				return toSyslog(ctx, u.Scheme, u.Host, note)
			}})
		}
	}
	return all, err
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.WriteString(file, text)
	return errors.Join(err, file.Sync(), file.Close())
}

const sendTimeout = 10 * time.Second

// webhooks follows no redirect: whoever answers with one has not taken the note.
var webhooks = http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func toWebhook(ctx context.Context, address, note string) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(note))
	if err != nil {
		return errors.New("the address is wrong")
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	answer, err := webhooks.Do(request)
	if err != nil {
		if failed, is := errors.AsType[*url.Error](err); is { // without the address
			err = failed.Err
		}
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("it answered with status %d", answer.StatusCode)
	}
	return nil
}

// toSyslog sends a note as one message of RFC 5424: its lines are joined as in a JSON
// text. Over TCP the server must have read to the end or closed; over UDP nothing is
// confirmed, but a server that is not there is found.
func toSyslog(ctx context.Context, network, address, note string) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	host, err := os.Hostname()
	if err != nil {
		host = "-"
	}
	const authNotice = 10<<3 | 5 // facility authpriv, severity notice
	_, err = fmt.Fprintf(conn, "<%d>1 %s %s tagsweep %d - - checkpoint %s\n",
		authNotice, time.Now().UTC().Format(time.RFC3339Nano), host, os.Getpid(), strconv.Quote(note))
	wait := refusedWithin
	if stream, is := conn.(*net.TCPConn); is && err == nil {
		wait, err = sendTimeout, stream.CloseWrite()
	}
	if err == nil {
		err = conn.SetReadDeadline(time.Now().Add(wait))
	}
	if err == nil {
		_, err = io.Copy(io.Discard, conn)
	}
	if late, is := errors.AsType[net.Error](err); is && late.Timeout() && network == "udp" {
		return nil
	}
	return err
}

// refusedWithin is how long a machine may take to say that nobody listens on a UDP port.
const refusedWithin = 300 * time.Millisecond

// publish sends new checkpoints to a destination, each once while the console runs.
func publish(ctx context.Context, log *audit.Log, d *destination) error {
	for {
		after := d.sent
		due, err := log.CheckpointsAfter(ctx, after, 100)
		if err != nil || len(due) == 0 {
			return err
		}
		for _, c := range due {
			if err = d.send(ctx, c.Note); err != nil {
				break
			}
			d.sent = c.Size
		}
		if d.sent > after {
			if err := log.Published(ctx, d.name, d.sent); err != nil {
				return err
			}
		}
		if err != nil {
			return errors.Join(err, log.NotPublished(ctx, d.name, err.Error()))
		}
	}
}
