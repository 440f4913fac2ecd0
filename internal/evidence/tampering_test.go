package evidence_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/jobs/jobstest"
)

// part is a member of a pack, unpacked.
type part struct {
	name    string
	method  uint16
	content []byte
}

func unpack(t testing.TB, pack []byte) (parts []part) {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(pack), int64(len(pack)))
	require.NoError(t, err)
	for _, f := range archive.File {
		from, err := f.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(from)
		require.NoError(t, err)
		parts = append(parts, part{f.Name, f.Method, content})
	}
	return parts
}

func repack(t testing.TB, parts []part) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range parts {
		//lint:ignore SA1019 it is what packs have
		to, err := z.CreateHeader(&zip.FileHeader{Name: p.name, Method: p.method, ModifiedDate: 33})
		require.NoError(t, err)
		_, err = to.Write(p.content)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

func member(t testing.TB, pack []byte, name string) []byte {
	t.Helper()
	for _, p := range unpack(t, pack) {
		if strings.HasPrefix(p.name, name) {
			return p.content
		}
	}
	t.Fatal(name)
	return nil
}

// unpacks reports whether a pack holds the same parts as another.
func unpacks(changed, pack []byte) bool {
	archive, err := zip.NewReader(bytes.NewReader(changed), int64(len(changed)))
	if err != nil {
		return false
	}
	whole, err := zip.NewReader(bytes.NewReader(pack), int64(len(pack)))
	if err != nil || len(archive.File) != len(whole.File) {
		return false
	}
	content := func(f *zip.File) []byte {
		from, err := f.Open()
		if err != nil {
			return nil
		}
		all, err := io.ReadAll(from)
		if err != nil {
			return nil
		}
		return append([]byte(f.Name+"\x00"), all...)
	}
	held := map[string]bool{}
	for _, f := range whole.File {
		held[string(content(f))] = true
	}
	for _, f := range archive.File {
		if !held[string(content(f))] {
			return false
		}
	}
	return true
}

// Whatever byte is changed, wherever in the file, is found, unless what is unpacked
// stays the same: a date, for one.
func TestTamperedPackByteIsFound(t *testing.T) {
	s := jobstest.SQLite(t)
	pack, key := packOf(t, s, sealedJob(t, s))
	require.Empty(t, check(pack, key).Wrong)
	step := max(1, len(pack)/2_000)
	for at := 0; at < len(pack); at++ {
		if at%step != 0 && at < len(pack)-1_200 { // of the directory at the end, every byte
			continue
		}
		changed := bytes.Clone(pack)
		changed[at] ^= 0xFF
		found := check(changed, key)
		if len(found.Wrong) == 0 {
			require.True(t, unpacks(changed, pack), "byte %d", at)
			continue
		}
		require.NotEmpty(t, strings.TrimSpace(strings.SplitN(found.Wrong[0], ": ", 2)[0]))
	}
	for cut := 1; cut < len(pack); cut += max(1, len(pack)/150) {
		require.NotEmpty(t, check(pack[:cut], key).Wrong, "cut at %d", cut)
	}
}

// Somebody packs it again, with all lengths and sums as they must be.
func TestTamperedPackPartIsNamed(t *testing.T) {
	s := jobstest.SQLite(t)
	pack, key := packOf(t, s, sealedJob(t, s))
	whole := unpack(t, pack)
	require.Empty(t, check(repack(t, whole), key).Wrong, "packed anew as the console does")
	for _, method := range []uint16{zip.Deflate, zip.Store} {
		others := slices.Clone(whole)
		for i := range others {
			others[i].method = method
		}
		require.Empty(t, check(repack(t, others), key).Wrong, "packed anew as other programs do: %d", method)
	}
	refused := func(name, place string, parts []part) {
		t.Helper()
		found := check(repack(t, parts), key)
		require.NotEmpty(t, found.Wrong, name)
		require.True(t, slices.ContainsFunc(found.Wrong, func(w string) bool { return strings.HasPrefix(w, place) }),
			"%s: %s in %v", name, place, found.Wrong)
	}
	for i, p := range whole {
		place := p.name
		if strings.HasPrefix(place, "file/") {
			place = "file/"
		}
		refused("deleted", place, slices.Delete(slices.Clone(whole), i, i+1))
		refused("twice", place, append(slices.Clone(whole), p))
		with := func(change func(p *part)) []part {
			parts := slices.Clone(whole)
			parts[i].content = bytes.Clone(p.content)
			change(&parts[i])
			return parts
		}
		refused("renamed", "other", with(func(p *part) { p.name = "other" }))
		refused("truncated", place, with(func(p *part) { p.content = p.content[:len(p.content)/2] }))
		refused("empty", place, with(func(p *part) { p.content = nil }))
		refused("longer", place, with(func(p *part) { p.content = append(p.content, "x\n"...) }))
		for at := 0; at < len(p.content); at += max(1, len(p.content)/60) {
			refused("a bit", "", with(func(p *part) { p.content[at] ^= 0x20 }))
		}
	}
	refused("another part", "more.txt", append(slices.Clone(whole), part{"more.txt", zip.Store, []byte("x")}))
	refused("a long part", "rows.csv", edited(whole, "rows.csv", func([]byte) []byte { return bytes.Repeat([]byte("1,"), 30<<20) }))
}

func edited(parts []part, name string, edit func([]byte) []byte) []part {
	parts = slices.Clone(parts)
	for i := range parts {
		if parts[i].name == name {
			parts[i].content = edit(bytes.Clone(parts[i].content))
		}
	}
	return parts
}

func TestTamperedPackEntriesAreNamed(t *testing.T) {
	s := jobstest.SQLite(t)
	pack, key := packOf(t, s, sealedJob(t, s))
	whole := unpack(t, pack)
	type entry struct {
		Line     string   `json:"line"`
		Personal string   `json:"personal"`
		Proof    []string `json:"proof"`
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(member(t, pack, "log.jsonl")), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	refused := func(name string, place string, lines []string) {
		t.Helper()
		changed := repack(t, edited(whole, "log.jsonl", func([]byte) []byte { return []byte(strings.Join(lines, "")) }))
		found := check(changed, key)
		require.NotEmpty(t, found.Wrong, name)
		require.Contains(t, found.Wrong[0], place, name)
		require.Error(t, byHand(changed, key), name)
	}
	for i := range lines {
		refused("an entry removed", "log.jsonl", slices.Delete(slices.Clone(lines), i, i+1))
		refused("an entry twice", "the entry is in the wrong place, or there twice", slices.Insert(slices.Clone(lines), i, lines[i]))
		edit := func(change func(e *entry)) []string {
			var e entry
			require.NoError(t, json.Unmarshal([]byte(lines[i]), &e))
			change(&e)
			var b bytes.Buffer
			encoder := json.NewEncoder(&b)
			encoder.SetEscapeHTML(false)
			require.NoError(t, encoder.Encode(e))
			all := slices.Clone(lines)
			all[i] = b.String()
			return all
		}
		var other entry
		require.NoError(t, json.Unmarshal([]byte(lines[(i+1)%len(lines)]), &other))
		refused("another proof", "the proof does not show", edit(func(e *entry) { e.Proof = other.Proof }))
		refused("a short proof", "the proof does not show", edit(func(e *entry) { e.Proof = e.Proof[1:] }))
		refused("another line", "the proof does not show", edit(func(e *entry) { e.Line = strings.Replace(e.Line, `"role":"`, `"role":"x`, 1) }))
		refused("another person", "the personal data was changed",
			edit(func(e *entry) { e.Personal = strings.Replace(e.Personal, `"salt":"`, `"salt":"0`, 1) }))
		refused("nobody", "the personal data is missing", edit(func(e *entry) { e.Personal = "" }))
		refused("somebody else's person", "the personal data was changed", edit(func(e *entry) { e.Personal = other.Personal }))
	}
	slices.Reverse(lines)
	refused("another order", "the entry is in the wrong place", lines)
}

// No pack with other parts than the one that was made verifies with its log's key,
// and none makes the check fail or take for ever.
func FuzzCheck(f *testing.F) {
	s := jobstest.Open(f, filepath.Join(f.TempDir(), "x.db"))
	pack, key := packOf(f, s, sealedJob(f, s))
	whole := unpack(f, pack)
	f.Add(pack, uint8(255))
	for i, p := range whole {
		f.Add(p.content, uint8(i))
	}
	f.Fuzz(func(t *testing.T, content []byte, which uint8) {
		changed, same := content, unpacks(content, pack)
		if int(which) < len(whole) {
			parts := slices.Clone(whole)
			parts[which].content = content
			changed, same = repack(t, parts), bytes.Equal(content, whole[which].content)
		}
		if found := check(changed, key); len(found.Wrong) == 0 && !same {
			t.Errorf("it verifies: %+v", found)
		}
		check(changed, "")
	})
}
