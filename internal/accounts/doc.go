// Package accounts reads the files of accounts that people upload, and writes
// the files they download. Removing tags is destructive, so one rule stands
// above all: an account that does not stand in the file is never accepted. A
// row that cannot be read with certainty is set aside with a reason, never
// guessed, and every row is either an account or set aside.
//
// # What is read
//
// Text in UTF-8, with or without a byte order mark, separated by comma, tab,
// semicolon or pipe, or one account per line. Anything else (a workbook, an
// archive, a picture, a web page, JSON, UTF-16, text of which the first line or
// more than one line in ten is not UTF-8) is refused with a sentence that names
// what it seems to be. The separator, the header and the account column are
// detected from the first 64 KiB: a header by a known word for "account" in one
// of its cells, or by its look (a first cell no account can be, above cells
// that can; words above a column of numbers); the account column by that word,
// else it is the first one. A first line such as "sep=;", which Excel
// understands, names the separator and is not a row.
//
// # Rows and lines
//
//   - CRLF, LF and CR each end a line, mixed as they may be.
//   - A line of nothing but spaces and tabs is blank: no row. Rows are numbered
//     from 1 without the header and blank lines; lines as an editor shows them.
//   - A row has as many cells as the header, or without a header as most rows of
//     the first 64 KiB. Empty cells beyond that are fine, and so are cells
//     missing under trailing header cells without a name. Otherwise the row is
//     ragged: a line break or a separator inside a cell that was not quoted
//     would make half a cell look like an account.
//   - A row of more than 64 KiB is set aside; reading goes on at the next line.
//   - A row with a NUL or with bytes that are not UTF-8 is set aside, since a
//     foreign encoding can hide separators; a file with more than one NUL in a
//     hundred bytes is no text.
//
// # Quotes
//
// Cells are quoted as RFC 4180 says: a quoted cell may hold separators, line
// ends and doubled quotes. Spaces (and tabs, where they do not separate) around
// a quoted cell are not part of it. A quote inside an unquoted cell, or text
// after a closing quote, sets the row aside. When a quoted cell reaches into
// further lines:
//
//   - It is read as one row if it closes properly, unless one of its lines looks
//     like a row of its own; then the quote may have swallowed rows, and each of
//     its lines is set aside as a row.
//   - If no quote closes it within 64 KiB, or the next quote is itself an opening
//     one, the line it began on is set aside and reading goes on at the line
//     after it, so that one forgotten quote does not cost the rows below.
//   - If it closes with text after the quote, every line up to there is set aside.
//
// # Accounts
//
// Tencent's rules for a UserID, with case and every byte kept: not empty, at
// most 32 bytes (64 where registration ids are accounts too), bytes 0x20 to
// 0x7E only. Three more, because the account in the file must be what is sent:
//
//   - A space before or after an unquoted value sets the row aside: nobody sees
//     it, and neither sending nor dropping it can be known to be right. Between
//     quotes it was meant, and is kept.
//   - A comma, semicolon or pipe in an unquoted value sets the row aside: it may
//     be several accounts in one cell. Between quotes it was meant.
//   - What a spreadsheet left in place of a value (1.23E+12, #N/A, ="0012") sets
//     the row aside: the account is lost.
//
// # The apostrophe of exports
//
// A spreadsheet runs a cell that begins with = + - @, tab or CR as a formula,
// so [Writer] puts an apostrophe before it. Reader takes one apostrophe away
// when = + - @, tab or CR follows, in every cell, so that an export can be
// mended and uploaded again. Further apostrophes before such a sign count as
// its text: Writer adds one to '=x too, and Reader gives '=x back. An
// apostrophe before anything else is part of the value.
package accounts
