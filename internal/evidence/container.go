package evidence

import (
	"archive/zip"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
)

// parts opens the pack and finds its members by the directory at its end, like every
// program. It reports missing and unexpected members.
func (c *checker) parts() (ok bool) {
	opened, err := zip.NewReader(c.pack, c.size)
	if err != nil {
		c.wrong("the pack", "it is not a valid ZIP file; it may be incomplete or changed")
		return false
	}
	c.members = map[string]*zip.File{}
	parts := []string{pageName, fileFolder, jobName, rowsName, sheetName, callsName, logName, checkpointName, keyName}
	for _, f := range opened.File {
		name := f.Name
		if strings.HasPrefix(name, fileFolder) && name != fileFolder {
			name = fileFolder
		}
		switch {
		case !slices.Contains(parts, name) || f.Name == fileFolder:
			c.wrong(shown(f.Name), "this file does not belong in a pack")
		case c.members[name] != nil:
			c.wrong(shown(f.Name), "this file is in the pack twice")
		default:
			c.members[name] = f
		}
	}
	for _, name := range parts {
		if c.members[name] == nil {
			c.wrong(name, "the file is missing")
		}
	}
	return true
}

var errLong = errors.New("evidence: longer than it may be")

// limited reads at most a number of bytes, which the caller may set again.
type limited struct {
	from io.Reader
	left int64
}

func (m *limited) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errLong
	}
	n, err := m.from.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	return n, err
}

// Limits of a pack, so that a small file cannot fill memory or run for ever.
const (
	maxRatio   = 500     // times as large as it is packed, and …
	extraBytes = 1 << 20 // … this much may a list be
	maxText    = 4 << 20 // bytes of the page and of job.json
	maxNote    = 10_000  // bytes of checkpoint and key
	maxRecord  = 1 << 20 // bytes of a row, a call or an entry
)

// whole reads a short member.
func (c *checker) whole(name string, most int64) (content []byte, ok bool) {
	f := c.members[name]
	if f == nil {
		return nil, false
	}
	if f.UncompressedSize64 > uint64(most) {
		c.wrong(name, "the file is too long")
		return nil, false
	}
	from, err := f.Open()
	if err == nil {
		content, err = io.ReadAll(&limited{from, most + 1})
	}
	if err != nil {
		c.wrong(name, "the file cannot be unpacked: its data was changed")
		return nil, false
	}
	return content, true
}

// stream reads a long member; most is how long it may be at most.
func (c *checker) stream(name string, most uint64, read func(io.Reader) error) (ok bool) {
	f := c.members[name]
	if f == nil {
		return false
	}
	if f.UncompressedSize64 > most {
		c.wrong(shown(f.Name), "the unpacked size of %d bytes is too large", f.UncompressedSize64)
		return false
	}
	from, err := f.Open()
	if err == nil {
		if err = read(from); err == nil {
			return true
		}
	}
	c.wrong(shown(f.Name), "the file cannot be unpacked: its data was changed")
	return false
}

func listBytes(f *zip.File) uint64 {
	if f == nil || f.CompressedSize64 > math.MaxUint64/maxRatio/2 {
		return 0
	}
	return f.CompressedSize64*maxRatio + extraBytes
}

// shown makes any name from a pack safe to show.
func shown(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	clean := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7F {
			return '\uFFFD'
		}
		return c
	}, name)
	if runes := []rune(clean); len(runes) > 2*maxName {
		clean = string(runes[:2*maxName]) + "…"
	}
	if clean == "" {
		clean = "(a file without a name)"
	}
	return clean
}
