package bench

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"maragu.dev/goqite"
)

func prepareGoqite(l load) error {
	ctx := context.Background()
	db, err := openSQLite(l.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	schema, err := goqiteSchema()
	if err != nil {
		return err
	}
	if _, err := db.Exec(schema + ";" + outcomes); err != nil {
		return err
	}
	queue := goqite.New(goqite.NewOpts{DB: db, Name: "batches"})
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for b := range batches(l.Accounts) {
		body, err := json.Marshal(b)
		if err != nil {
			return err
		}
		if err := queue.SendTx(ctx, tx, goqite.Message{Body: body}); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// goqiteSchema is the file its readme tells people to use.
func goqiteSchema() (string, error) {
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "maragu.dev/goqite").Output()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(folder)), "schema_sqlite.sql"))
	return string(text), err
}

// drainGoqite receives a batch, makes the call, and in one transaction writes
// the outcome and deletes the message.
func drainGoqite(l load) error {
	ctx := context.Background()
	db, err := openSQLite(l.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	client, err := newClient(l, inFlight)
	if err != nil {
		return err
	}
	queue := goqite.New(goqite.NewOpts{DB: db, Name: "batches", Timeout: time.Minute})
	var workers errgroup.Group
	for range inFlight {
		workers.Go(func() error {
			for {
				m, err := queue.Receive(ctx)
				if err != nil || m == nil {
					return err
				}
				var b batch
				if err := json.Unmarshal(m.Body, &b); err != nil {
					return err
				}
				code, refused, err := remove(ctx, client, b)
				if err != nil {
					return err
				}
				tx, err := db.Begin()
				if err != nil {
					return err
				}
				_, err = tx.ExecContext(ctx, writeOutcome, b.Number, code, refused)
				if err == nil {
					err = queue.DeleteTx(ctx, tx, m.ID)
				}
				if err != nil {
					tx.Rollback()
					return err
				}
				if err := tx.Commit(); err != nil {
					return err
				}
			}
		})
	}
	return workers.Wait()
}

// drainNothing makes the calls and forgets their answers: as fast as client and
// simulator are on this machine.
func drainNothing(l load) error {
	client, err := newClient(l, inFlight)
	if err != nil {
		return err
	}
	work := make(chan batch, inFlight)
	var workers errgroup.Group
	for range inFlight {
		workers.Go(func() error {
			for b := range work {
				if _, _, err := remove(context.Background(), client, b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for b := range batches(l.Accounts) {
		work <- b
	}
	close(work)
	return workers.Wait()
}
