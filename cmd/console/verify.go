package main

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"tagsweep/internal/audit"
	"tagsweep/internal/fault"
)

var (
	faultVerify = fault.Declare(fault.Conflict, "verify.failed",
		"Verification failed. Problems found: %d, listed above. Nothing was changed. Make a copy of the database, and "+
			"tell the person responsible for it.")
	faultHeld = fault.Declare(fault.Conflict, "verify.held",
		"Nothing else is wrong, but this database was restored from an older copy: sending is held until an admin "+
			"resumes it. See the page Sending.")
	faultCheckpoints = fault.Declare(fault.Invalid, "verify.checkpoints",
		"The file %s cannot be read as checkpoints. Nothing was verified. Use a checkpoint file written by the "+
			"console.")
)

type verifyCommand struct {
	Pack string `arg:"" optional:"" type:"path" help:"An evidence pack (ZIP) to check instead of the database. No database is opened."`
	database
	KeyFile        string `env:"CONSOLE_KEY_FILE" default:"data/console.key" help:"The key file of the console. Its public key is used without --key."`
	WitnessFile    string `env:"CONSOLE_WITNESS_FILE" help:"The witness file of the console. The log must continue what it remembers. Default: the key file with .witness appended."`
	CheckpointFile string `env:"CONSOLE_CHECKPOINT_FILE" default:"data/console.checkpoints" help:"The file of the console that checkpoints are appended to. The log is compared with it. Empty for none."`
	Key            string `help:"The public key of the log, as shown on the page Integrity proof. Keep a copy of it on another machine."`
	Checkpoints    string `help:"Another file of published checkpoints to compare the log with." type:"path"`
}

func (c *verifyCommand) Run(ctx context.Context, s *streams) error {
	if c.Pack != "" {
		return c.verifyPack(s)
	}
	return withComponents(ctx, c.Database, func(r *components) error {
		proofs := audit.Proofs{Key: c.Key}
		if c.Key != "" && c.CheckpointFile != "" {
			proofs.Checkpoints = audit.CheckpointsIn(c.CheckpointFile)
		}
		if _, err := os.Stat(c.KeyFile); err == nil && c.Key == "" {
			keys, err := readKeys(c.KeyFile)
			if err != nil {
				return err
			}
			r.audit.UseKey(keys.entries)
			witness, err := audit.ReadWitness(cmp.Or(c.WitnessFile, c.KeyFile+".witness"), keys.log)
			if err != nil {
				return err
			}
			if err := r.audit.SignWith(ctx, witness, withoutEmpty(c.CheckpointFile)...); err != nil {
				return err
			}
		}
		if c.Checkpoints != "" {
			some := false
			for _, err := range audit.CheckpointsIn(c.Checkpoints) {
				if err != nil {
					return faultCheckpoints.Because(err, c.Checkpoints)
				}
				some = true
				break
			}
			if !some {
				return faultCheckpoints.With(c.Checkpoints)
			}
			proofs.Checkpoints = audit.CheckpointsIn(c.Checkpoints)
		}
		found, err := r.evidence.Verify(ctx, proofs)
		if err != nil {
			return err
		}
		if err := tellVerified(s, found); err != nil {
			return err
		}
		stopped, err := r.jobs.KillSwitch(ctx)
		if err == nil && stopped.Restored() {
			err = faultHeld.With()
		}
		return err
	})
}

func tellVerified(s *streams, v audit.Verified) error {
	for _, place := range v.Wrong {
		fmt.Fprintln(s.out, place)
	}
	if v.More > 0 {
		fmt.Fprintf(s.out, "… and %d more.\n", v.More)
	}
	for _, note := range v.Notes {
		fmt.Fprintln(s.out, "Note:", note)
	}
	if v.Unsigned {
		fmt.Fprintln(s.out,
			"Note: checkpoint signatures were not checked, because there is no key file and no --key.")
	}
	if len(v.Wrong) > 0 {
		return faultVerify.With(len(v.Wrong) + v.More)
	}
	fmt.Fprintf(s.out,
		"Verification passed. Jobs recounted: %d. Jobs checked against their seal: %d. Log entries: %d. "+
			"Checkpoints: %d in the database, %d published.\n",
		v.Jobs, v.Seals, v.Entries, v.Checkpoints, v.Published)
	return nil
}
