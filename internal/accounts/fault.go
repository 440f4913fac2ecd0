package accounts

import "tagsweep/internal/fault"

// Faults of a file as a whole. Names of formats and encodings are the argument,
// the same in every language.
var (
	FaultEmpty    = fault.Declare(fault.Invalid, "file.empty", "The file was not taken: it holds no rows. Check that it is the right file and that it was saved, and upload it again.")
	FaultBinary   = fault.Declare(fault.Invalid, "file.binary", "The file was not taken: it seems to be %s, not text with one row per account. Open it in the program it comes from, save it as “CSV UTF-8”, and upload that file.")
	FaultNotText  = fault.Declare(fault.Invalid, "file.not_text", "The file was not taken: it is not text, and what it is could not be told. Open it in the program it comes from, save it as “CSV UTF-8”, and upload that file.")
	FaultEncoding = fault.Declare(fault.Invalid, "file.encoding", "The file was not taken: its text seems to be in %s, and only UTF-8 is read without mistakes. Save it as “CSV UTF-8” (in an editor: encoding UTF-8), and upload that file.")
	FaultColumns  = fault.Declare(fault.Invalid, "file.columns", "The file was not taken: it has %d columns, and at most %d are read. Delete the columns that are not needed, and upload it again.")
)
