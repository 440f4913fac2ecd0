package text

import "tagsweep/internal/fault"

// Faults of a text as a whole. The names of encodings are arguments.
var (
	FaultNotText = fault.Declare(fault.Invalid, "file.not_text",
		"The file was not taken: it is not text, and what it is could not be told. "+
			"Open it in the program it comes from, save it as “CSV UTF-8”, and upload that file.")
	FaultEncoding = fault.Declare(fault.Invalid, "file.encoding",
		"The file was not taken: its text seems to be in %s, which is not read. "+
			"Save it as “CSV UTF-8” (in an editor: encoding UTF-8), and upload that file.")
	FaultEncodingUnknown = fault.Declare(fault.Invalid, "file.encoding_unknown",
		"The file was not taken: in which encoding its text is written could not be told; it may mix several. "+
			"Save it as “CSV UTF-8” (in an editor: encoding UTF-8), and upload that file.")
	FaultEncodingChosen = fault.Declare(fault.Invalid, "file.encoding_chosen",
		"The file cannot be read as %s: much of it is no text then. Choose another encoding, or let it be detected.")
)
