// Package accounts reads the files of accounts that people upload, and writes the
// files they download. Removing tags is destructive, so one rule stands above all:
// an account that nobody meant is never accepted. What reading decides is certain by
// a rule of one sentence, or it is a [Question]; every row is an account or set
// aside with a [Reason].
//
// Formats are decoded by the packages archive (gzip, ZIP), text and workbook (XLSX).
// [Open] decides on a sample, the first 64 KiB or 2,000 rows; with
// Options.Understood nothing is decided anew. Memory is bounded whatever the file.
//
// # How the file is written
//
// Each of these is asked about unless it is certain; the suggestion is how the draft
// is read.
//
//   - sheet: only one visible sheet has rows. Of several that are chosen, all have
//     the header of the first.
//   - separator: no line has one; it is a tab; by it alone the first line becomes a
//     header that says so; every row has quoted cells; or only one column is in use.
//   - first_line: nothing stands above the header.
//   - header: its word for the account stands above accounts and not below again, or it
//     has letters beyond ASCII there. None: the first cell is of the kind of those below.
//   - column: it is the only one; or its name is a word for the account, such as
//     user_id, every filled column has a name, and no other could hold the accounts: by
//     such a name, by cells like the accounts', or by distinct ids or words of its own.
//
// # Rows
//
// A row is set aside for certain when it cannot be split (quotes, more cells than
// columns, bytes that are no text) or its account cannot be one: Tencent's rules
// (at most 32 bytes, 0x20 to 0x7E), a word for no value, a range, a mask, a comment, or
// what spreadsheets make of numbers and dates. Spaces behind it are no part of it, nor
// are those before it in a workbook.
//
// A row is in doubt, set aside and asked about once for all such rows, when
//
//   - hidden: nobody sees it in the workbook, or a cell of it is struck out.
//   - spared: another column says that it is not meant: no below Remove?, yes below Keep,
//     or words such as keep and remove; or says nothing where it says so of others. So
//     are all rows where two columns say it, or one such as Status or of yes and no,
//     below a name that is no attribute's, may say it.
//   - unlike: three in ten accounts of the sample are digits, or have the same letters
//     before the digits, about as long as each other, or nine in ten mix both, and
//     this one does not; or it has unusual signs, or is a word such as Total.
//   - short_row: cells are missing that other rows fill.
//   - columns_changed: it is another header or a title, or stands below one: no digit
//     where nearly all rows have one, or a header's or a title's words. The file's own
//     header ends that. Or it stands in a comment of several lines.
//   - rounded: of the numbers with 16 digits and more, most end in 00, or nearly all are
//     what JavaScript keeps of such numbers.
//   - several_values: a sign or space in it may separate. Who chooses one account a
//     line says that it does not.
//
// A quoted cell over several lines is unclear when another of them has an account in
// its place: then all its lines are set aside.
//
// # Tags
//
// Where a file is to have tags, their column is marked or named so, or the only other
// one, right of the accounts. [SplitTags] and [JoinTags] say how a cell is written.
//
// # Coming back
//
// ExportHeader and Marked name the columns so that they are certain when an export
// is uploaded. A row set aside gets a sign before the account ("⚠ a1") where the cell
// alone could be one. [Writer] puts an apostrophe before what a spreadsheet would
// run as a formula, and Reader takes it away; ="00123" is read as 00123.
package accounts
