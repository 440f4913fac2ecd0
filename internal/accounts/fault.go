package accounts

import (
	"tagsweep/internal/accounts/archive"
	"tagsweep/internal/fault"
)

// FaultDamaged is of a file that cannot be unpacked to its end.
var FaultDamaged = archive.FaultDamaged

// Faults of a file as a whole, besides those of its format: of the archive, the
// text or the workbook. Names of formats are arguments that are the same in every
// language.
var (
	FaultEmpty = fault.Declare(fault.Invalid, "file.empty",
		"The file was not taken: it holds no rows. "+
			"Check that it is the right file and that it was saved, and upload it again.")
	FaultBinary = fault.Declare(fault.Invalid, "file.binary",
		"The file was not taken: it seems to be %s, not text or an Excel workbook with one row per account. "+
			"Open it in the program it comes from, save it as “CSV UTF-8”, and upload that file.")
	FaultColumns = fault.Declare(fault.Invalid, "file.columns",
		"The file was not taken: it has %d columns, and at most %d are read. "+
			"Delete the columns that are not needed, and upload it again.")

	FaultNested = fault.Declare(fault.Invalid, "file.nested",
		"The archive was not taken: it holds another archive (%s). Unpack it and upload the file itself.")

	FaultNoSheet = fault.Declare(fault.Invalid, "file.sheet",
		"The workbook has no sheet named “%s”. Choose one of its sheets, or let it be detected.")
	FaultHidden = fault.Declare(fault.Invalid, "file.hidden",
		"The workbook was not taken: no sheet that can be seen holds rows, and hidden ones are not read by themselves. "+
			"Show the sheet in Excel, save the workbook, and upload it again.")
	FaultSheetEmpty = fault.Declare(fault.Invalid, "file.sheet_empty",
		"The sheet “%s” holds no rows. Choose another sheet.")

	FaultColumn = fault.Declare(fault.Invalid, "file.column",
		"There is no column %d: read this way, the file has %d. Choose another column, or another separator.")
	FaultNoTags = fault.Declare(fault.Invalid, "file.no_tags",
		"The file was not taken: it has one column, and tags need one of their own. "+
			"Put the tags of each account into the cell right of it, with semicolons between them, and upload it again.")
	FaultTagColumn = fault.Declare(fault.Invalid, "file.tag_column",
		"The file was not taken: which of its %d columns holds the tags could not be told. "+
			"Choose the column of the tags, or name it “tags” in the header and upload the file again.")
	FaultSameColumn = fault.Declare(fault.Invalid, "file.same_column",
		"Column %d cannot hold both the accounts and their tags. Choose another column for one of them.")
	FaultFirstLine = fault.Declare(fault.Invalid, "file.first_line",
		"No table begins at line %d: nothing stands there or below. "+
			"Choose a smaller number, or let it be detected.")
	FaultHeader = fault.Declare(fault.Invalid, "file.header",
		"Line %d cannot be read as a header: a quote in it is not closed, or it is too long. "+
			"Say that there is none, or choose another first line or quote.")
	FaultChoice = fault.Declare(fault.Invalid, "file.choice",
		"“%s” is not one of the ways a file can be read. Choose one that is offered.")
)
