package archive

import "tagsweep/internal/fault"

// Faults of an archive. Numbers of files, and sizes, are arguments.
var (
	FaultSeveralFiles = fault.Declare(fault.Invalid, "file.several",
		"Upload failed: the archive contains %d files, and only one is allowed. Unpack it and upload the files "+
			"one by one.")
	FaultManyFiles = fault.Declare(fault.Invalid, "file.many",
		"Upload failed: the archive contains too many files. Unpack it and upload only the file you need.")
	FaultNoFile = fault.Declare(fault.Invalid, "file.archive_empty",
		"Upload failed: the archive contains no file. Check the archive, or upload the file itself.")
	FaultEncrypted = fault.Declare(fault.Invalid, "file.encrypted",
		"Upload failed: the file is protected by a password. Save it without a password, and upload it again.")
	FaultDamaged = fault.Declare(fault.Invalid, "file.damaged",
		"Upload failed: the file is damaged, incomplete or compressed in an unsupported way. Create it again, "+
			"or upload the unpacked file.")
	FaultInflated = fault.Declare(fault.Invalid, "file.inflated",
		"Upload failed: the content unpacks to more than %d times its size, which is unusual for a list. Save it as "+
			"“CSV UTF-8”, and upload that file without packing it.")
	FaultUnpacked = fault.Declare(fault.Invalid, "file.unpacked",
		"Upload failed: the unpacked file is larger than %s. Split it into smaller files, and upload them one "+
			"by one.")
)
