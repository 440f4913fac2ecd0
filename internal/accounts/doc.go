// Package accounts reads the files of accounts that people upload, and writes
// the files they download. Removing tags is destructive, so one rule stands
// above all: an account that does not stand in the file is never accepted. A
// row that cannot be read with certainty is set aside with a reason, never
// guessed, and every row is either an account or set aside.
//
// A file is decoded by the package of its format, which gives rows of cells:
// [tagsweep/internal/accounts/archive] unpacks gzip and ZIP,
// [tagsweep/internal/accounts/text] splits text, and
// [tagsweep/internal/accounts/workbook] reads Excel workbooks. This package decides
// where the table is, which column holds the accounts, and what an account is.
//
// # What is read
//
// Text separated by comma, tab, semicolon or pipe, or one account per line;
// Excel workbooks (XLSX); and a ZIP or gzip that holds one of them. Anything
// else (XLS, XLSB, a picture, a web page, JSON, an archive in an archive) is
// refused with a sentence that names what it seems to be.
//
// [Open] finds out how a file is written, [Reader.Understanding] tells it, and
// [Choices] correct it. With Options.Understood a file is read again exactly as
// it was, and nothing is detected. Detection reads the first 64 KiB; memory is
// bounded whatever the file. Packed text is unpacked once to its end before the
// first row is read, so that damage is found first.
//
// # Finding the table
//
//   - The separator is the one by which a header of several cells names the
//     account column, else by which most rows have as many cells and an account.
//     A first line such as "sep=;", which Excel understands, names it.
//   - Lines above a header that names the account column are not rows when none
//     of them could be one. One could be when a cell, or a part of it between
//     separators, has the look of an account (a word with a digit or underscore, a
//     number of five digits), when it has only numbers, when there are several
//     lines of one word, or when it has the header's cells and an account in place;
//     one sentence alone is none. When one could be a row, all of them are rows.
//     Titles beyond ASCII are likewise no rows above a header that is one by its look.
//   - A first row is the header when a cell is a known word for "account" in
//     English or Chinese, or ends with one (im_account_id; "IM账号"; test_account
//     only when the cells below have digits); when it has words beyond ASCII in
//     place of an account, above cells that are accounts; or when it is all words
//     above a column of numbers. No cell of it may stand in its column again;
//     for one with a known word that counts when a cell has a digit.
//   - In the middle, as in files that were joined, a row equal to the header but for
//     case and signs, or with a sure word for "account" in place of an account, is
//     set aside. So is a header with its columns in another order, and every row
//     below it until one comes whose account column is the same again.
//   - The account column is the one surely so named, or marked "[account]" as
//     [Understanding.ExportHeader] does; else one that ends so (not "备用账号" and
//     the like, which are somebody else's); else one named
//     "id", "user" or the like, unless its cells are running numbers, words or ids
//     of something else, and another column's are distinct and have letters and
//     digits. Without a name it is the first, unless its cells are no accounts,
//     repeat, or are dates, counts, running numbers or short codes, and another
//     column's are not; or they are words, mail or IP addresses, mobile numbers,
//     days or Unix times, and another's have letters and digits. When unsure, it is
//     the first.
//   - When there is no header and every cell of every row is the same kind of id,
//     accounts were typed side by side: every row is set aside, unless a person
//     chooses the column or the separator.
//   - At most 100 columns are read.
//
// # Rows of text
//
//   - Rows are numbered from 1 without the header and blank lines; lines as an
//     editor shows them.
//   - A row has as many cells as the header, or without a header as most rows of
//     the first 64 KiB. Empty cells beyond that are fine, and so are cells
//     missing under trailing header cells without a name; text under those makes
//     the row ragged, since it may have been split too often. Otherwise the row is
//     ragged: a line break or a separator inside a cell that was not quoted
//     would make half a cell look like an account.
//   - A row of more than 64 KiB is set aside, and so is one with a NUL or with bytes
//     that are no text, since a foreign encoding can hide separators.
//   - A byte order mark in the middle is part of the cell it stands in.
//   - Quotes are double, unless most lines have cells between single ones and there
//     is no double one; a person may also say that there are none. A row with a
//     stray or unclear quote is set aside; a header with one is a row.
//
// # Rows of workbooks
//
// The first visible sheet with rows is read, or the one that is chosen; a hidden
// one is only read when chosen, unless all are. 200 are listed. One cell that is
// no account, above wider rows and their header, is a title and no row. Row.Line is
// the sheet's row. A cell that is not there is empty, so no row is ragged, except
// one that goes beyond 100 columns. In the account column, a formula, an error, a
// rounded number, and whatever is shown as something else than is stored, set the
// row aside.
//
// # Accounts
//
// Tencent's rules for a UserID, with case and every byte kept: not empty, at
// most 32 bytes (64 where registration ids are accounts too), bytes 0x20 to
// 0x7E only. Five more, because the account in the file must be what is sent:
//
//   - A space before or after a value sets the row aside: nobody sees it, and
//     neither sending nor dropping it can be known to be right. Only between
//     quotes that nothing else calls for, it was meant, and is kept.
//   - A comma, semicolon or pipe in the value, quoted or not, sets the row aside:
//     it may be several accounts in one cell. Only when a person says that the
//     file is one account per line, the whole line is the account.
//   - So do several spaces in a row, or single ones between parts that all have a
//     digit; "Ann Lee" and "user 7" are accounts.
//   - A list number or bullet before a space, a label ("id: u1"), an apostrophe or
//     backtick before a letter or digit, a sentence of four words, and a total or
//     count of rows are not the account alone.
//   - NULL, None, NaN, N/A, \N and the like, in any case, and signs without a letter
//     or digit are no account.
//   - What a spreadsheet or program left in place of a value (1.23E+12, 1.23E12,
//     1001.0, #N/A, ="0012") sets the row aside: the account is lost.
//
// # Tags
//
// Where a file is to have tags, one column holds those of each row's account:
//
//   - It is the one whose header says so ("tags", "label", "标签", or a longer name
//     that ends so), or is marked "[tags]"; when several do in the same way, none.
//     Else it is the only other column in use, if it stands right of the accounts
//     and its header does not name something else, such as a name or a phone
//     number. Else the file is refused until a person chooses the column. A first
//     row of several cells without digits that names the tags is a header.
//   - The tags of a cell are parted by ; or | or a comma, also full-width (；｜，、),
//     all alike. In a text with commas between the cells, a cell with a comma has to
//     be quoted, as always; else the row has too many cells, and is set aside. A tag
//     that holds such a sign stands between double quotes within its cell, where a
//     doubled quote is one: "Paris, France";vip. A quote elsewhere in a tag is part
//     of it.
//   - Space around a tag is not part of it, an empty one is none, and repeated ones
//     count once. Case is kept, and every character allowed but those of control.
//   - A row is set aside for its tags when there is none, when one is NULL or the
//     like without quotes, has over 50 bytes or a character of control (a line break
//     in a cell), when a quote does not close, when there are over 100, or when the
//     cell is a formula, an error, a date or a rounded number.
//   - Below a header in the middle that has the tags elsewhere, rows are set aside.
//   - What JoinTags writes, SplitTags reads back.
//
// # Coming back
//
// A row that was set aside and comes back unmended is set aside again. A cell
// that alone could be an account is therefore given as ="a1" when it is the row
// around it that is wrong; see [Row].
//
// A spreadsheet runs a cell that begins with = + - @, tab or CR as a formula,
// so [Writer] puts an apostrophe before it. Reader takes one apostrophe away
// when = + - @, tab or CR follows, in every cell, so that an export can be
// mended and uploaded again. Further apostrophes before such a sign count as
// its text: Writer adds one to '=x too, and Reader gives '=x back. An
// apostrophe before anything else is part of the value.
package accounts
