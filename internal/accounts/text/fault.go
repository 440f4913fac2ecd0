package text

import "tagsweep/internal/fault"

// Faults of a text as a whole. The names of encodings are arguments.
var (
	FaultNotText = fault.Declare(fault.Invalid, "file.not_text",
		"Upload failed: the type of this file is not known. Open it in its own program, save it as “CSV "+
			"UTF-8”, and upload that file.")
	FaultEncoding = fault.Declare(fault.Invalid, "file.encoding",
		"Upload failed: the text seems to be encoded in %s, which is not supported. Save the file as “CSV "+
			"UTF-8” (in an editor: encoding UTF-8), and upload it again.")
	FaultEncodingUnknown = fault.Declare(fault.Invalid, "file.encoding_unknown",
		"Upload failed: the encoding of the text is not known, or several are mixed. Save the file as “CSV "+
			"UTF-8” (in an editor: encoding UTF-8), and upload it again.")
	FaultEncodingChosen = fault.Declare(fault.Invalid, "file.encoding_chosen",
		"The file cannot be read as %s: most of it would be unreadable. Choose another encoding, or detect it "+
			"automatically.")
)
