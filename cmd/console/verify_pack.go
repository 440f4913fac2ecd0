package main

import (
	"fmt"
	"os"

	"tagsweep/internal/audit"
	"tagsweep/internal/evidence"
	"tagsweep/internal/fault"
)

var (
	faultPack = fault.Declare(fault.Invalid, "verify.pack",
		"The file %s cannot be read as an evidence pack. Nothing was verified. Use a ZIP file downloaded from a "+
			"job page.")
	faultPackFailed = fault.Declare(fault.Conflict, "verify.pack_failed",
		"The evidence pack is not valid. Problems found: %d, listed above. Keep the file, and download the pack from the "+
			"console again. If that one is not valid either, tell the person responsible for the log.")
	faultPackOwnKey = fault.Declare(fault.Conflict, "verify.pack_own_key",
		"This does not show who made the pack, because the key is from the pack itself. Compare the key with a copy "+
			"from another source, or give that copy with --key: %s")
	faultPackOptions = fault.Declare(fault.Invalid, "verify.pack_options",
		"Nothing was verified: --checkpoints cannot be used with an evidence pack, because the pack contains its "+
			"own checkpoint.")
)

// verifyPack checks an evidence pack; it opens no database.
func (c *verifyCommand) verifyPack(s *streams) error {
	if c.Checkpoints != "" {
		return faultPackOptions.With()
	}
	file, err := os.Open(c.Pack)
	if err != nil {
		return faultPack.Because(err, c.Pack)
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil || !about.Mode().IsRegular() {
		return faultPack.Because(err, c.Pack)
	}
	return tellChecked(s, evidence.Check(file, about.Size(), c.Key))
}

func tellChecked(s *streams, found evidence.Checked) error {
	for _, place := range found.Wrong {
		fmt.Fprintln(s.out, place)
	}
	if found.More > 0 {
		fmt.Fprintf(s.out, "… and %d more.\n", found.More)
	}
	if len(found.Erased) > 0 {
		fmt.Fprintf(s.out, "Note: personal data was erased from %d entries of the log: %s. By whom and why is recorded in entries: %s.\n",
			len(found.Erased), audit.List(found.Erased), audit.List(found.Erasures))
	}
	if found.Removed > 0 {
		fmt.Fprintf(s.out,
			"Note: log entries up to %d were removed at the end of the retention period. Entries of this job "+
				"among them are not in the pack.\n", found.Removed)
	}
	if len(found.Wrong) > 0 {
		return faultPackFailed.With(len(found.Wrong) + found.More)
	}
	j := found.Job
	fmt.Fprintf(
		s.out,
		"The evidence pack is valid: job %s (%s), file %s. The file, %d rows (%d accounts, %d excluded) and %d "+
			"calls match the seal in entry %d of the log. All %d entries of the pack are in the log of %d entries, "+
			"signed at %s.\n",
		j.ID,
		j.Kind,
		j.File.Name,
		found.Rows,
		j.Accounts,
		j.Rejected+j.Duplicate+j.Protected,
		found.Calls,
		j.Sealed,
		found.Entries,
		found.Checkpoint.Size,
		found.Checkpoint.At.Format("2006-01-02 15:04:05 UTC"),
	)
	if found.OwnKey {
		return faultPackOwnKey.With(found.Key)
	}
	return nil
}
