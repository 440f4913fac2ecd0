package archive

import "tagsweep/internal/fault"

// Faults of an archive. Numbers of files, and sizes, are arguments.
var (
	FaultSeveralFiles = fault.Declare(fault.Invalid, "file.several",
		"The archive was not taken: it holds %d files, and one at a time is read. "+
			"Unpack it and upload the files one by one.")
	FaultManyFiles = fault.Declare(fault.Invalid, "file.many",
		"The archive was not taken: its table of contents is far too long for one file. "+
			"Unpack it and upload the file alone.")
	FaultNoFile = fault.Declare(fault.Invalid, "file.archive_empty",
		"The archive was not taken: there is no file in it. Check that it is the right one, and upload the file itself.")
	FaultEncrypted = fault.Declare(fault.Invalid, "file.encrypted",
		"The file was not taken: it is protected by a password. Save it without one, and upload that file.")
	FaultDamaged = fault.Declare(fault.Invalid, "file.damaged",
		"The file was not taken: it is damaged or cut off, or packed in an unusual way, and could not be unpacked to its end. "+
			"Make it anew, or upload the file in it unpacked.")
	FaultUnpacked = fault.Declare(fault.Invalid, "file.unpacked",
		"The file was not taken: unpacked it holds more than %s. Split it into smaller files, and upload them one by one.")
)
