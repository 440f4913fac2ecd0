package accounts

import "tagsweep/internal/fault"

// Faults of a file as a whole. Names of formats and encodings, and sizes, are
// arguments that are the same in every language.
var (
	FaultEmpty   = fault.Declare(fault.Invalid, "file.empty", "The file was not taken: it holds no rows. Check that it is the right file and that it was saved, and upload it again.")
	FaultBinary  = fault.Declare(fault.Invalid, "file.binary", "The file was not taken: it seems to be %s, not text or an Excel workbook with one row per account. Open it in the program it comes from, save it as “CSV UTF-8”, and upload that file.")
	FaultNotText = fault.Declare(fault.Invalid, "file.not_text", "The file was not taken: it is not text, and what it is could not be told. Open it in the program it comes from, save it as “CSV UTF-8”, and upload that file.")
	FaultColumns = fault.Declare(fault.Invalid, "file.columns", "The file was not taken: it has %d columns, and at most %d are read. Delete the columns that are not needed, and upload it again.")

	FaultEncoding        = fault.Declare(fault.Invalid, "file.encoding", "The file was not taken: its text seems to be in %s, which is not read. Save it as “CSV UTF-8” (in an editor: encoding UTF-8), and upload that file.")
	FaultEncodingUnknown = fault.Declare(fault.Invalid, "file.encoding_unknown", "The file was not taken: in which encoding its text is written could not be told; it may mix several. Save it as “CSV UTF-8” (in an editor: encoding UTF-8), and upload that file.")
	FaultEncodingChosen  = fault.Declare(fault.Invalid, "file.encoding_chosen", "The file cannot be read as %s: much of it is no text then. Choose another encoding, or let it be detected.")

	FaultSeveralFiles = fault.Declare(fault.Invalid, "file.several", "The archive was not taken: it holds %d files, and one at a time is read. Unpack it and upload the files one by one.")
	FaultManyFiles    = fault.Declare(fault.Invalid, "file.many", "The archive was not taken: its table of contents is far too long for one file. Unpack it and upload the file alone.")
	FaultNoFile       = fault.Declare(fault.Invalid, "file.archive_empty", "The archive was not taken: there is no file in it. Check that it is the right one, and upload the file itself.")
	FaultEncrypted    = fault.Declare(fault.Invalid, "file.encrypted", "The file was not taken: it is protected by a password. Save it without one, and upload that file.")
	FaultNested       = fault.Declare(fault.Invalid, "file.nested", "The archive was not taken: it holds another archive (%s). Unpack it and upload the file itself.")
	FaultDamaged      = fault.Declare(fault.Invalid, "file.damaged", "The file was not taken: it is damaged or cut off, or packed in an unusual way, and could not be unpacked to its end. Make it anew, or upload the file in it unpacked.")
	FaultUnpacked     = fault.Declare(fault.Invalid, "file.unpacked", "The file was not taken: unpacked it holds more than %s. Split it into smaller files, and upload them one by one.")

	FaultWorkbookLarge = fault.Declare(fault.Invalid, "file.workbook_large", "The workbook was not taken: workbooks are read up to %s, packed and of text in them. Save the sheet as “CSV UTF-8”, and upload that file.")
	FaultNoSheet       = fault.Declare(fault.Invalid, "file.sheet", "The workbook has no sheet named “%s”. Choose one of its sheets, or let it be detected.")
	FaultHidden        = fault.Declare(fault.Invalid, "file.hidden", "The workbook was not taken: no sheet that can be seen holds rows, and hidden ones are not read by themselves. Show the sheet in Excel, save the workbook, and upload it again.")
	FaultSheetEmpty    = fault.Declare(fault.Invalid, "file.sheet_empty", "The sheet “%s” holds no rows. Choose another sheet.")

	FaultColumn     = fault.Declare(fault.Invalid, "file.column", "There is no column %d: read this way, the file has %d. Choose another column, or another separator.")
	FaultNoTags     = fault.Declare(fault.Invalid, "file.no_tags", "The file was not taken: it has one column, and tags need one of their own. Put the tags of each account into the cell right of it, with semicolons between them, and upload it again.")
	FaultTagColumn  = fault.Declare(fault.Invalid, "file.tag_column", "The file was not taken: which of its %d columns holds the tags could not be told. Choose the column of the tags, or name it “tags” in the header and upload the file again.")
	FaultSameColumn = fault.Declare(fault.Invalid, "file.same_column", "Column %d cannot hold both the accounts and their tags. Choose another column for one of them.")
	FaultFirstLine  = fault.Declare(fault.Invalid, "file.first_line", "No table begins at line %d: nothing stands there or below. Choose a smaller number, or let it be detected.")
	FaultHeader     = fault.Declare(fault.Invalid, "file.header", "Line %d cannot be read as a header: a quote in it is not closed, or it is too long. Say that there is none, or choose another first line or quote.")
	FaultChoice     = fault.Declare(fault.Invalid, "file.choice", "“%s” is not one of the ways a file can be read. Choose one that is offered.")
)
