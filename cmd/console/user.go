package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
	"tagsweep/internal/fault"
)

var faultNoPassword = fault.Declare(fault.Invalid, "user.no_password",
	"No password was given. Nothing was changed. Type a password, or send it as one line to standard input.")

type userCommands struct {
	Add      userAdd      `cmd:"" help:"Add a user. Asks for the password, or reads it as one line from standard input."`
	Password userPassword `cmd:"" help:"Set a user's password and end their sessions."`
	List     userList     `cmd:"" help:"List users."`
}

type userAdd struct {
	database
	logKey
	Name string `arg:"" help:"Letters, digits and . - _ @"`
	Role string `required:"" enum:"operator,admin,auditor" help:"operator, admin or auditor."`
}

func (c *userAdd) Run(ctx context.Context, s *streams) error {
	return withComponents(ctx, c.Database, func(r *components) error {
		if err := c.use(ctx, r.audit); err != nil {
			return err
		}
		hash, err := askPassword(s, c.Name)
		if err != nil {
			return err
		}
		if _, err := r.users.Create(ctx, commandLine(), c.Name, auth.Role(c.Role), hash); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "Added %s as %s.\n", c.Name, c.Role)
		return nil
	})
}

type userPassword struct {
	database
	logKey
	Name string `arg:""`
}

func (c *userPassword) Run(ctx context.Context, s *streams) error {
	return withComponents(ctx, c.Database, func(r *components) error {
		if err := c.use(ctx, r.audit); err != nil {
			return err
		}
		u, err := r.users.ByName(ctx, c.Name)
		if err != nil {
			return err
		}
		hash, err := askPassword(s, c.Name)
		if err != nil {
			return err
		}
		if err := r.users.SetPassword(ctx, commandLine(), u.ID, hash); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "Set the password of %s and ended their sessions.\n", c.Name)
		return nil
	})
}

type userList struct {
	database
}

func (c *userList) Run(ctx context.Context, s *streams) error {
	return withComponents(ctx, c.Database, func(r *components) error {
		users, err := r.users.List(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tROLE\tSTATE\tLAST SIGN-IN")
		for _, u := range users {
			state, last := "active", "never"
			if !u.DisabledAt.IsZero() {
				state = "disabled"
			}
			if !u.LastSignIn.IsZero() {
				last = u.LastSignIn.Format("2006-01-02 15:04 UTC")
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", u.Name, u.Role, state, last)
		}
		return table.Flush()
	})
}

// logKey is the setting of every command that writes to the log.
type logKey struct {
	KeyFile string `env:"CONSOLE_KEY_FILE" default:"data/console.key" help:"The key file of the console, created with a new database. The log is written with it."`
}

// use lets a command write to the log. A new key is only for a new log: the console could
// not tell entries of another key from forged ones.
func (k logKey) use(ctx context.Context, log *audit.Log) error {
	size, err := log.Size(ctx)
	if err != nil {
		return err
	}
	if _, err := os.Stat(k.KeyFile); size > 0 && errors.Is(err, os.ErrNotExist) {
		return faultLogKeyFile.With(k.KeyFile)
	}
	keys, err := readKeys(k.KeyFile)
	if err != nil {
		return err
	}
	log.UseKey(keys.entries)
	if fits, err := log.KeyFits(ctx); err != nil || !fits {
		return cmp.Or(err, error(faultLogKeyFile.With(k.KeyFile)))
	}
	return nil
}

// commandLine is the actor of changes by the command line.
func commandLine() audit.Actor {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return audit.Actor{ID: audit.CommandLine, Name: name, Role: audit.CommandLine, SignedIn: audit.ByCommandLine}
}

func withComponents(ctx context.Context, database string, body func(*components) error) error {
	r, err := openComponents(ctx, database)
	if err != nil {
		return err
	}
	return errors.Join(body(r), r.db.Close())
}

func askPassword(s *streams, name string) (hash string, err error) {
	var password string
	if file, isFile := s.in.(*os.File); isFile && term.IsTerminal(int(file.Fd())) {
		fmt.Fprint(s.err, "Password: ")
		typed, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(s.err)
		if err != nil {
			return "", err
		}
		password = string(typed)
	} else if password, err = bufio.NewReader(s.in).ReadString('\n'); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if password = strings.TrimRight(password, "\r\n"); password == "" {
		return "", faultNoPassword.With()
	}
	return auth.HashPassword(name, password)
}
