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
		"Upload failed: the file contains no rows. Check that it is the correct file and that it was saved, "+
			"then upload it again.")
	FaultBinary = fault.Declare(fault.Invalid, "file.binary",
		"Upload failed: the file seems to be %s, not text or an Excel workbook. Open it in its own program, "+
			"save it as “CSV UTF-8”, and upload that file.")
	FaultColumns = fault.Declare(fault.Invalid, "file.columns",
		"Upload failed: the file has %d columns, and the maximum is %d. Delete the columns that are not "+
			"needed, and upload it again.")

	FaultNested = fault.Declare(fault.Invalid, "file.nested",
		"Upload failed: the archive contains another archive (%s). Unpack it and upload the file itself.")

	FaultNoSheet = fault.Declare(fault.Invalid, "file.sheet",
		"The workbook has no sheet “%s”. Choose another sheet, or detect it automatically.")
	FaultHidden = fault.Declare(fault.Invalid, "file.hidden",
		"Upload failed: no visible sheet contains rows, and hidden sheets are not read automatically. Unhide "+
			"the sheet in Excel, save the workbook, and upload it again.")
	FaultSheetEmpty = fault.Declare(fault.Invalid, "file.sheet_empty",
		"The sheet “%s” contains no rows. Choose another sheet.")

	FaultSheetHeader = fault.Declare(fault.Invalid, "file.sheet_header",
		"The sheet “%s” does not have the same header as the first one that was chosen. Choose it alone, or save "+
			"it as a file of its own, and upload that file separately.")

	FaultColumn = fault.Declare(fault.Invalid, "file.column",
		"Column %d does not exist: with these settings, the file has %d columns. Choose another column or "+
			"separator.")
	FaultNoTags = fault.Declare(fault.Invalid, "file.no_tags",
		"Upload failed: the file has only one column, and the tag column is missing. Put the tags of each "+
			"account in the cell to its right, separated by semicolons, and upload the file again.")
	FaultTagColumn = fault.Declare(fault.Invalid, "file.tag_column",
		"Upload failed: it is not clear which of the %d columns contains the tags. Choose the tag column, or "+
			"name it “tags” in the header, and upload the file again.")
	FaultSameColumn = fault.Declare(fault.Invalid, "file.same_column",
		"Column %d cannot be both the account column and the tag column. Choose another column for one of them.")
	FaultFirstLine = fault.Declare(fault.Invalid, "file.first_line",
		"The table cannot start in line %d: there is nothing in this line or below. Enter a smaller number, or "+
			"detect it automatically.")
	FaultHeader = fault.Declare(fault.Invalid, "file.header",
		"Line %d cannot be a header: a quotation mark is not closed, or the line is too long. Set “Header” to "+
			"“no”, or choose another first line or quotation mark.")
	FaultChoice = fault.Declare(fault.Invalid, "file.choice",
		"“%s” is not a valid setting. Choose one of the options.")
)
