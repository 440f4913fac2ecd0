// Command console is Tagsweep: an admin web console that removes all tags from
// lists of accounts in Tencent Cloud Chat, and can prove what happened to each.
// Each subcommand has a file of its own; components.go connects the packages.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // people choose their time zone, and the machine may know none

	"github.com/alecthomas/kong"

	"tagsweep/internal/fault"
)

var version = "development" // set when building

type commands struct {
	Serve    serveCommand    `cmd:"" help:"Run the console."`
	Demo     demoCommand     `cmd:"" help:"Run the console against the built-in simulator, with a user for each role and a job under way."`
	Simulate simulateCommand `cmd:"" help:"Run the simulator of Tencent's service alone."`
	User     userCommands    `cmd:"" help:"Add and list users, set passwords."`
	Verify   verifyCommand   `cmd:"" help:"Check that the rows of every job add up, and that no log entry and no ended job was changed."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// streams are the input and output of the commands, and the program log.
type streams struct {
	in       io.Reader
	out, err io.Writer
	log      *slog.Logger
}

type versionCommand struct{}

func (versionCommand) Run(s *streams) error {
	_, err := fmt.Fprintln(s.out, "tagsweep", version)
	return err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], &streams{os.Stdin, os.Stdout, os.Stderr, slog.New(slog.NewTextHandler(os.Stderr, nil))}))
}

// Exit statuses of commands.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // the command line is wrong
	exitHeld   = 3 // verify: nothing is wrong, but sending is held since a restore
	exitOwnKey = 4 // verify: a pack is consistent, but was only checked with the key that it brought along
)

// statuses are of faults that have one of their own.
var statuses = map[string]int{faultHeld.Code: exitHeld, faultPackOwnKey.Code: exitOwnKey}

// run runs a command line and returns the exit status.
func run(ctx context.Context, args []string, s *streams) int {
	parser, err := kong.New(&commands{},
		kong.Name("console"),
		kong.Description(
			"Tagsweep removes all tags from lists of accounts in Tencent Cloud Chat, and can prove what happened "+
				"to each.\n\nEvery setting is a flag or an environment variable; they mean the same."),
		kong.UsageOnError(),
		kong.Writers(s.out, s.err),
		kong.Vars{"sampleKey": sampleKey},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
	if err != nil {
		return printError(s, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		printError(s, err)
		return exitUsage
	}
	if err := command.Run(); err != nil {
		return printError(s, err)
	}
	return exitDone
}

// printError prints the sentence of each fault, logs its cause, and returns the exit status.
func printError(s *streams, err error) (status int) {
	status = exitFailed
	for _, each := range split(err) {
		fmt.Fprintln(s.err, "console:", each)
		f, known := errors.AsType[*fault.Error](each)
		if known && f.Cause != nil {
			s.log.Error("cause", "fault", f.Code, "err", f.Cause)
		}
		if known && statuses[f.Code] != 0 {
			status = statuses[f.Code]
		}
	}
	return status
}

// split returns the parts of a joined error.
func split(err error) []error {
	joined, is := err.(interface{ Unwrap() []error })
	if !is {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, split(e)...)
	}
	return all
}
