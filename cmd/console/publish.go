package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/syslog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/store"
)

var faultCheckpointFile = fault.Declare(fault.Unavailable, "setting.checkpoint_file", "The checkpoint file %s cannot be read or written. Nothing was started; check CONSOLE_CHECKPOINT_FILE and that its folder exists and may be written.")

// destination is where checkpoints go, so that whoever holds the database does
// not hold the only copy.
type destination struct {
	name string
	send func(ctx context.Context, note string) error
}

// destinations reads the settings; name them as the audit page shows them.
func (c *serveCommand) destinations() (all []destination, err error) {
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
		all = append(all, destination{"file " + path, func(_ context.Context, note string) error { return appendTo(path, "\n"+note) }})
	}
	if c.CheckpointHook != "" {
		u, wrong := url.Parse(c.CheckpointHook)
		if wrong != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			err = errors.Join(err, faultSetting.With("CONSOLE_CHECKPOINT_WEBHOOK", "wrong", "Give an address that starts with https://."))
		} else { // the rest of the address may be secret
			all = append(all, destination{"webhook " + u.Host, func(ctx context.Context, note string) error { return toWebhook(ctx, c.CheckpointHook, note) }})
		}
	}
	if c.CheckpointLog != "" {
		u, wrong := url.Parse(c.CheckpointLog)
		if wrong != nil || u.Host == "" || u.Scheme != "udp" && u.Scheme != "tcp" {
			err = errors.Join(err, faultSetting.With("CONSOLE_CHECKPOINT_SYSLOG", orUnset(c.CheckpointLog), "Give a server such as udp://127.0.0.1:514 or tcp://logs.example:601."))
		} else {
			all = append(all, destination{"syslog " + u.Host, func(_ context.Context, note string) error { return toSyslog(u.Scheme, u.Host, note) }})
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

func toWebhook(ctx context.Context, address, note string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(note))
	if err != nil {
		return errors.New("the address is wrong")
	}
	request.Header.Set("Content-Type", "text/plain; charset=utf-8")
	answer, err := http.DefaultClient.Do(request)
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

// toSyslog sends a note as one message: its lines are joined as in a JSON text.
func toSyslog(network, address, note string) error {
	server, err := syslog.Dial(network, address, syslog.LOG_NOTICE|syslog.LOG_AUTHPRIV, "tagsweep")
	if err != nil {
		return err
	}
	return errors.Join(server.Notice("checkpoint "+strconv.Quote(note)), server.Close())
}

// publish sends what a destination has not been sent, and returns whether it works.
func publish(ctx context.Context, st *store.Store, d destination) error {
	for {
		due, err := st.Unpublished(ctx, d.name, 100)
		if err != nil || len(due) == 0 {
			return err
		}
		sent := int64(0)
		for _, c := range due {
			if err = d.send(ctx, c.Note); err != nil {
				break
			}
			sent = c.Size
		}
		if sent > 0 {
			if err := st.Published(ctx, d.name, sent); err != nil {
				return err
			}
		}
		if err != nil {
			return errors.Join(err, st.NotPublished(ctx, d.name, err.Error()))
		}
	}
}
