// Package migrations holds the SQL files that make the database: its tables, for
// both engines, and, in a file for each, how it refuses changes to the log.
package migrations

import (
	"embed"
	"io/fs"
	"slices"
	"strings"
)

//go:embed *.sql
var files embed.FS

// For returns the files for an engine, "sqlite" or "postgres".
func For(engine string) fs.FS {
	other := ".postgres.sql"
	if engine == "postgres" {
		other = ".sqlite.sql"
	}
	return without{files, other}
}

type without struct {
	embed.FS
	suffix string
}

func (w without) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := w.FS.ReadDir(name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return strings.HasSuffix(e.Name(), w.suffix)
	}), err
}
