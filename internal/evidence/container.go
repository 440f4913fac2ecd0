package evidence

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
)

// parts opens the pack and finds its members; what is missing or does not
// belong there is wrong.
func (c *checker) parts() (ok bool) {
	opened, err := zip.NewReader(c.pack, c.size)
	if err != nil {
		c.wrong("the pack", "it cannot be read as a ZIP file; it may have been cut off or changed on its way")
		return false
	}
	c.members = map[string]*zip.File{}
	order := []string{pageName, fileFolder, jobName, rowsName, callsName, logName, checkpointName, keyName}
	inOrder := true
	for i, f := range opened.File {
		name := f.Name
		if strings.HasPrefix(name, fileFolder) && name != fileFolder {
			name = fileFolder
		}
		switch {
		case !slices.Contains(order, name) || f.Name == fileFolder:
			c.wrong(shown(f.Name), "a pack has no such part")
		case c.members[name] != nil:
			c.wrong(shown(f.Name), "the pack has this part twice")
		default:
			c.members[name] = f
			inOrder = inOrder && i < len(order) && order[i] == name
		}
	}
	for _, name := range order {
		if c.members[name] == nil {
			c.wrong(name, "it is missing")
			inOrder = true // that is told already
		}
	}
	if !inOrder {
		c.wrong("the pack", "its parts stand in another order than the console writes them in")
	}
	c.archive = opened
	return true
}

// methodOf is how a member is packed: what is short is not.
func methodOf(name string) uint16 {
	if strings.HasPrefix(name, fileFolder) || name == rowsName || name == callsName {
		return zip.Deflate
	}
	return zip.Store
}

// layout compares the ZIP file itself, byte for byte, with the one that the
// console writes of these members: names, dates and lengths stand in it twice,
// and programs differ in which they believe.
func (c *checker) layout() {
	same := &comparing{with: c.pack}
	z := zip.NewWriter(same)
	place, err := "the pack", error(nil)
	for _, f := range c.archive.File {
		place = shown(f.Name)
		if err = rewrite(z, f); err != nil {
			break
		}
	}
	if err == nil {
		place = "the pack"
		err = z.Close()
	}
	switch {
	case errors.Is(err, errDiffers):
		c.wrong(place, "byte %d of the ZIP file is not as the console writes it", same.at)
	case err != nil:
		c.wrong(place, "it cannot be read from the ZIP file")
	case same.at != c.size:
		c.wrong("the pack", "something stands behind the end of the ZIP file")
	}
}

// rewrite writes a member as Pack.Write does, without unpacking it.
func rewrite(z *zip.Writer, f *zip.File) error {
	const version, versionOf64, described, utf8 = 20, 45, 0x8, 0x800
	header := dated(zip.FileHeader{Name: f.Name, Method: methodOf(f.Name), Flags: f.Flags&utf8 | described, CreatorVersion: version, ReaderVersion: version,
		CRC32: f.CRC32, CompressedSize64: f.CompressedSize64, UncompressedSize64: f.UncompressedSize64})
	to, err := z.CreateRaw(header)
	if err != nil {
		return err
	}
	if max(f.CompressedSize64, f.UncompressedSize64) >= math.MaxUint32 { // which is known only when the member has been written
		header.ReaderVersion = versionOf64
	}
	from, err := f.OpenRaw()
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	return z.Flush()
}

var errDiffers = errors.New("evidence: not the same bytes")

// comparing takes what is written only as long as it is the same as in a file.
type comparing struct {
	with io.ReaderAt
	at   int64 // up to here it is the same
	read []byte
}

func (w *comparing) Write(p []byte) (int, error) {
	if len(w.read) < len(p) {
		w.read = make([]byte, len(p))
	}
	n, _ := w.with.ReadAt(w.read[:len(p)], w.at)
	if bytes.Equal(w.read[:n], p) {
		w.at += int64(n)
		return n, nil
	}
	for i := range min(n, len(p)) {
		if w.read[i] != p[i] {
			n = i
			break
		}
	}
	w.at += int64(n)
	return 0, errDiffers
}

var errLong = errors.New("evidence: longer than it may be")

// metered reads so many bytes and no more; whoever reads in pieces sets it anew
// for each.
type metered struct {
	from io.Reader
	left int64
}

func (m *metered) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errLong
	}
	n, err := m.from.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	return n, err
}

// Limits of a pack, so that a small file cannot fill memory or run for ever.
const (
	mostPacked = 500     // times as large as it is packed, and …
	freeBytes  = 1 << 20 // … this much may a list be
	mostText   = 4 << 20 // bytes of the page and of job.json
	mostNote   = 10_000  // bytes of checkpoint and key
	mostRecord = 1 << 20 // bytes of a row, a call or an entry
)

// whole reads a short member.
func (c *checker) whole(name string, most int64) (content []byte, ok bool) {
	f := c.members[name]
	if f == nil {
		return nil, false
	}
	if f.UncompressedSize64 > uint64(most) {
		c.wrong(name, "it is longer than it can be")
		return nil, false
	}
	from, err := f.Open()
	if err == nil {
		content, err = io.ReadAll(&metered{from, most + 1})
	}
	if err != nil {
		c.wrong(name, "it cannot be unpacked: its bytes are not those that were packed")
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
		c.wrong(shown(f.Name), "it would unpack to %d bytes, more than it can have", f.UncompressedSize64)
		return false
	}
	from, err := f.Open()
	if err == nil {
		if err = read(from); err == nil {
			return true
		}
	}
	c.wrong(shown(f.Name), "it cannot be unpacked: its bytes are not those that were packed")
	return false
}

func listBytes(f *zip.File) uint64 {
	if f == nil || f.CompressedSize64 > math.MaxUint64/mostPacked/2 {
		return 0
	}
	return f.CompressedSize64*mostPacked + freeBytes
}

// shown is a name from a pack that may be anything.
func shown(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	clean := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7F {
			return '\uFFFD'
		}
		return c
	}, name)
	if runes := []rune(clean); len(runes) > 2*longestName {
		clean = string(runes[:2*longestName]) + "…"
	}
	if clean == "" {
		clean = "(a part without a name)"
	}
	return clean
}
