// Package accounts reads the files of accounts that people upload, and writes
// the files they download. Removing tags is destructive, so one rule stands
// above all: an account that does not stand in the file is never accepted. A
// row that cannot be read with certainty is set aside with a reason, never
// guessed, and every row is either an account or set aside.
//
// # What is read
//
// Text separated by comma, tab, semicolon or pipe, or one account per line;
// Excel workbooks (XLSX); and a ZIP or gzip that holds one of them. Anything
// else (XLS, XLSB, a picture, a web page, JSON) is refused with a sentence that
// names what it seems to be.
//
// [Open] finds out how a file is written, [Reader.Understanding] tells it, and
// [Choices] correct it. With Options.Understood a file is read again exactly as
// it was, and nothing is detected. Detection reads the first 64 KiB; memory is
// bounded whatever the file.
//
// # Archives
//
//   - Folders and what systems leave in archives (__MACOSX, .DS_Store, Thumbs.db,
//     desktop.ini) do not count. More than one file, none, another archive, a
//     password, damage, or a size beyond Options.UnpackedBytes: each is a fault.
//   - Packed text is unpacked once to its end before the first row is read, so
//     that damage is found first; sizes that the archive states are not believed.
//   - A gzip of several members is one text. Bytes behind its end are damage.
//   - Of a ZIP, at most 4 MiB of contents are read.
//
// # Encodings
//
// UTF-8, UTF-16, GB18030 (GBK), Big5 and Windows-1252. A byte order mark
// decides; else NULs at every second byte beside letters or digits mean UTF-16;
// else text that is valid UTF-8 in at least nine lines of ten, the first among
// them, is that. Otherwise the encoding wins whose common characters make up
// most of the text beyond ASCII: the 3,755 of GB 2312, the 5,401 of Big5, or
// accented letters beside plain ones. When not even a quarter is common in up to
// 64 bytes beyond ASCII, they are too few to judge, and the first of GB18030,
// Big5 and Windows-1252 in which everything is text is taken; a "|" that can be
// half a character is one, unless all lines have as many. With more bytes, when
// more than one line in ten is no text, or when lines of UTF-8 stand beside
// others, the file is refused. Besides the first 64 KiB, pieces from the whole
// file are looked at. The judgement is our own: libraries for it weigh letter
// frequencies of running prose, and do not say when nothing fits.
//
// In all of these an ASCII character between separators is the same character,
// so that a wrong guess garbles names and not accounts. A row with bytes that
// are no text in the encoding is set aside. A person's choice is refused when it
// contradicts the byte order mark or when most lines are no text in it.
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
// # Rows and lines of text
//
//   - CRLF, LF and CR each end a line, mixed as they may be.
//   - A line of nothing but spaces and tabs is blank: no row. Rows are numbered
//     from 1 without the header and blank lines; lines as an editor shows them.
//   - A row has as many cells as the header, or without a header as most rows of
//     the first 64 KiB. Empty cells beyond that are fine, and so are cells
//     missing under trailing header cells without a name; text under those makes
//     the row ragged, since it may have been split too often. Otherwise the row is
//     ragged: a line break or a separator inside a cell that was not quoted
//     would make half a cell look like an account.
//   - A row of more than 64 KiB is set aside; reading goes on at the next line.
//   - A row with a NUL or with bytes that are no text is set aside, since a
//     foreign encoding can hide separators; a file with more than one NUL in a
//     hundred bytes that is not UTF-16 is no text.
//   - A byte order mark in the middle is part of the cell it stands in.
//
// # Quotes
//
// Quotes are double, unless most lines have cells between single ones and there
// is no double one; a person may also say that there are none. Cells are quoted
// as RFC 4180 says: a quoted cell may hold separators, line ends and doubled
// quotes. Spaces (and tabs, where they do not separate) around a quoted cell are
// not part of it. A quote inside an unquoted cell, or text after a closing
// quote, sets the row aside. When a quoted cell reaches into further lines:
//
//   - It is read as one row if it closes properly, unless one of its lines looks
//     like a row of its own; then the quote may have swallowed rows, and each of
//     its lines is set aside as a row. In a header, likewise.
//   - If no quote closes it within 64 KiB, or the next quote is itself an opening
//     one, the line it began on is set aside and reading goes on at the line
//     after it, so that one forgotten quote does not cost the rows below.
//   - If it closes with text after the quote, every line up to there is set aside.
//
// # Workbooks
//
// Nothing is evaluated: no formula, macro or link. The first visible sheet with
// rows is read, or the one that is chosen; charts are no sheets, and a hidden one
// is only read when chosen, unless all are. One cell that is no account, above
// wider rows and their header, is a title and no row. Hidden rows
// count, blank ones do not. Row.Line is the sheet's row. Of merged cells the
// first has the value. A cell that is not there is empty, so no row is ragged,
// except one that goes beyond 100 columns. In the account column:
//
//   - Text is taken as it is, also digits: "123456789012345678" is an account.
//   - A number is taken by the digits stored, however it is shown (8.61E+12). A
//     whole number of more than 15 digits is damaged: Excel has lost the rest.
//   - A fraction, a date, a truth value, and a number that is shown as something
//     else than is stored are set aside: with zeros in front, words, a percent
//     sign, signs between the digits, or not at all. Thousands separators,
//     decimals, exponents, colours and padding are nothing else. A format that is
//     not understood, or has over 255 bytes, shows something else.
//   - So is a formula, whatever its last value, and an error such as #N/A.
//
// Elsewhere a formula's last value is shown, and dates as 2006-01-02. Workbooks
// are read up to 64 MiB, and with as much text that cells share, which is held
// in memory; such a text counts as unpacked in every cell. All that is unpacked
// before the rows are read is at most 256 MiB. 1000 sheets with names of their
// own, of which 200 are listed, 5000 number formats, 100,000 styles, and 10,000
// relations of a part are the most. A part that is damaged or out of order is a fault: no row is lost
// in silence.
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
