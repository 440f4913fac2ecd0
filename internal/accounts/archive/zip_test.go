package archive

import (
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/fault"
)

func source(file string) *Source { return NewSource(filetest.Section(file)) }

func TestZIPWithHugeDirectoryIsRefused(t *testing.T) {
	var files []string
	for range 60_000 {
		files = append(files, strings.Repeat("n", 60), "")
	}
	_, err := OpenZIP(source(filetest.ZIP(t, files...)))
	require.True(t, FaultManyFiles.Is(err), "%v", err)
}

func TestLitterInZIPsDoesNotCount(t *testing.T) {
	for _, litter := range []string{
		"__MACOSX/._a.csv", "list/__MACOSX/._a.csv", "__macosx/x", `list\__MACOSX\._a.csv`, "._a.csv", "list/._a.csv",
		"./._a.csv",
		`b\Thumbs.db`, ".DS_Store", "list/.ds_store", "Desktop.ini", "ehthumbs.db", "~$a.xlsx", "list/.~lock.a.csv#",
		"@eaDir/a.csv",
		"$RECYCLE.BIN/a.csv", "list/", `list\`, "System Volume Information/x", ".Trashes/501/a.csv",
		"/__MACOSX/list/._a.csv",
	} {
		z, err := OpenZIP(source(filetest.ZIP(t, litter, "", "list/a.csv", "a1")))
		require.NoError(t, err)
		file, err := z.Single(1<<20, new(Progress))
		require.NoError(t, err, litter)
		require.Equal(t, "a.csv", file.Name)
		z, err = OpenZIP(source(filetest.ZIP(t, litter, "")))
		require.NoError(t, err)
		_, err = z.Single(1<<20, new(Progress))
		require.True(t, FaultNoFile.Is(err), "%s: %v", litter, err)
	}
	for _, name := range []string{"a.csv", "_a.csv", ".a.csv", "macosx/a.csv", "thumbs.db.csv", "~a.csv",
		"list/__MACOSX.csv", "a._b.csv", "desktop.csv"} {
		z, err := OpenZIP(source(filetest.ZIP(t, name, "a1", "b.csv", "a1")))
		require.NoError(t, err)
		_, err = z.Single(1<<20, new(Progress))
		require.True(t, FaultSeveralFiles.Is(err), "%s: %v", name, err)
	}
}

func TestNamesInZIPsAreFound(t *testing.T) {
	for _, name := range []string{"list/a.csv", `list\a.csv`, "./list/a.csv", "/list/a.csv", "LIST/A.CSV",
		`.\List\a.csv`, "x/../list/a.csv"} {
		z, err := OpenZIP(source(filetest.ZIP(t, name, "a1")))
		require.NoError(t, err)
		require.True(t, z.Has("LIST/A.csv"), name)
		require.True(t, z.HasFolder("List"), name)
		require.False(t, z.Has("a.csv") || z.HasFolder("lis"), name)
		file, err := z.Single(1<<20, new(Progress))
		require.NoError(t, err)
		require.Equal(t, "a.csv", strings.ToLower(file.Name))
	}
}

func TestBudgetIsOfWhatIsUnpacked(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, open := range map[string]func(limit int64) (*File, error){
		"gzip": func(limit int64) (*File, error) {
			return Gzip(source(filetest.Gzip(t, long[:1<<19])+filetest.Gzip(t, long[1<<19:])), limit, new(Progress))
		},
		"ZIP": func(limit int64) (*File, error) {
			z, err := OpenZIP(source(filetest.ZIP(t, "a", long)))
			require.NoError(t, err)
			return z.Single(limit, new(Progress))
		},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := open(1 << 20)
			require.NoError(t, err)
			for range 2 { // each opening has a budget of its own
				r, err := file.Open()
				require.NoError(t, err)
				text, err := io.ReadAll(r)
				require.NoError(t, err)
				require.Equal(t, long, string(text))
			}
			file, err = open(1<<20 - 1)
			require.NoError(t, err)
			r, err := file.Open()
			require.NoError(t, err)
			_, err = io.ReadAll(r)
			require.True(t, FaultUnpacked.Is(err), "%v", err)
			require.Contains(t, err.Error(), "1048575 bytes")
		})
	}
}

// Files that overlap would unpack to any size.
func TestFilesOfAZIPDoNotShareBytes(t *testing.T) {
	file := []byte(filetest.ZIP(t, "a.csv", strings.Repeat("a1\n", 1000), "b.csv", strings.Repeat("a1\n", 1000)))
	_, err := OpenZIP(source(string(file)))
	require.NoError(t, err)
	directory := strings.LastIndex(string(file), "PK\x01\x02")
	binary.LittleEndian.PutUint32(file[directory+20:], uint32(len(file))) // what the second one says it takes
	_, err = OpenZIP(source(string(file)))
	require.True(t, FaultDamaged.Is(err), "%v", err)
}

// FuzzArchive: whatever the bytes, an archive is unpacked or refused.
func FuzzArchive(f *testing.F) {
	f.Add([]byte(filetest.ZIP(f, "a/", "", "a/b.csv", "a1\n")))
	f.Add([]byte(filetest.Gzip(f, "a1\n")))
	f.Fuzz(func(t *testing.T, bytes []byte) {
		file, err := Gzip(source(string(bytes)), 1<<16, new(Progress))
		if err != nil {
			require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
			var z *ZIP
			if z, err = OpenZIP(source(string(bytes))); err == nil {
				file, err = z.Single(1<<16, new(Progress))
			}
		}
		for range 2 {
			if err != nil {
				require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
				return
			}
			var r io.ReadCloser
			if r, err = file.Open(); err == nil {
				_, err = io.Copy(io.Discard, r)
				r.Close() // it repeats what reading said
			}
		}
	})
}
