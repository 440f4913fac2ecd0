package store

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"tagsweep/internal/fault"
)

// Faults of a database that does not work for now.
var (
	FaultDiskFull = fault.Declare(fault.Unavailable, "database.full",
		"Sending is paused: the database disk is full, and nothing can be saved. No data is lost. Free some space, "+
			"and the console continues automatically.")
	FaultLocked = fault.Declare(fault.Unavailable, "database.locked",
		"Sending is paused: another program has locked the database, and nothing can be saved. No data is lost. "+
			"Stop that program, and the console continues automatically.")
	FaultGone = fault.Declare(fault.Unavailable, "database.gone",
		"Sending is paused: the database cannot be reached, and nothing can be saved. No data is lost. The console "+
			"continues automatically when the database is available.")
	FaultBroken = fault.Declare(fault.Unavailable, "database.broken",
		"Sending is paused: the database disk reports an error, and nothing can be saved. Earlier data is safe. "+
			"Check the disk, and the console continues automatically.")
)

// AsTrouble turns an error of a driver into the fault of a database that does
// not work for now. All other errors, a cancelled context among them, stay as
// they are.
func AsTrouble(err error) error {
	_, known := errors.AsType[*fault.Error](err)
	if trouble := troubleOf(err); trouble != nil && !known && !errors.Is(err, context.Canceled) {
		return trouble.Because(err)
	}
	return err
}

func troubleOf(err error) *fault.Sentence {
	if lite, is := errors.AsType[*sqlite.Error](err); is {
		return cmp.Or(sqliteTroubles[lite.Code()], sqliteTroubles[lite.Code()&0xff])
	}
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting {
		return FaultGone // whatever the server says of it
	}
	if server, is := errors.AsType[*pgconn.PgError](err); is {
		return postgresTrouble(server.Code)
	}
	_, network := errors.AsType[net.Error](err)
	switch {
	case err == context.DeadlineExceeded: // as it is: the time was spent waiting for the one connection, or for its lock
		return FaultLocked
	case network || pgconn.Timeout(err), errors.Is(err, driver.ErrBadConn),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return FaultGone
	}
	return nil
}

// sqliteTroubles are those of SQLite's result codes (sqlite.org/rescode.html). The
// extended codes are those of which the lowest byte alone would say something else.
var sqliteTroubles = map[int]*fault.Sentence{
	sqlite3.SQLITE_READONLY_DBMOVED: FaultGone,
	sqlite3.SQLITE_IOERR_SHMSIZE:    FaultDiskFull, // the log's index does not fit any more
	sqlite3.SQLITE_FULL:             FaultDiskFull,
	sqlite3.SQLITE_BUSY:             FaultLocked,
	sqlite3.SQLITE_LOCKED:           FaultLocked,
	sqlite3.SQLITE_CANTOPEN:         FaultGone,
	sqlite3.SQLITE_IOERR:            FaultBroken,
	sqlite3.SQLITE_READONLY:         FaultBroken,
}

// postgresTrouble knows PostgreSQL's SQLSTATE codes (its manual, appendix A).
func postgresTrouble(code string) *fault.Sentence {
	switch {
	case code == "53100":
		return FaultDiskFull
	case code == "55P03": // lock_not_available
		return FaultLocked
	case code == "58030": // io_error
		return FaultBroken
	case strings.HasPrefix(code, "08"), // connection
		strings.HasPrefix(code, "53"),  // no connections or memory left
		strings.HasPrefix(code, "57P"), // shutting down, or starting
		code == "25006",                // a standby, which takes no writes
		code == "25P03":                // this console stood still in the middle of a transaction
		return FaultGone
	}
	return nil
}
