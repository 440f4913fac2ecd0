package accounts

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/archive"
	"tagsweep/internal/accounts/filetest"
	"tagsweep/internal/accounts/text"
)

// TestPasswordsAreNamedAlsoInArchives: wherever the name of the part stands, and
// however the file is packed.
func TestPasswordsAreNamedAlsoInArchives(t *testing.T) {
	old := "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 504)
	locked := func(file string) string { // as another program marks each file of it
		return strings.NewReplacer("PK\x03\x04\x14\x00\x08", "PK\x03\x04\x14\x00\x09",
			"PK\x01\x02\x14\x00\x14\x00\x08", "PK\x01\x02\x14\x00\x14\x00\x09").Replace(file)
	}
	book := filetest.Sheet(t, filetest.Texted("user_id"))
	require.NotEqual(t, book, locked(book))
	for name, file := range map[string]string{
		"at the beginning": old + string(encryptedPackage),
		"in the middle": old + strings.Repeat("x", 100_000) + string(encryptedPackage) + strings.Repeat("x",
			200_000),
		"at the end":    old + strings.Repeat("x", 300_001) + string(encryptedPackage),
		"across pieces": old + strings.Repeat("x", text.MaxRecord-512-15) + string(encryptedPackage) + "x",
		"by ZIP":        locked(book),
		"of a list":     locked(filetest.ZIP(t, "a.csv", "a1")),
	} {
		for how, packed := range map[string]string{"": file, "in a ZIP": filetest.ZIP(t, "a.xlsx", file),
			"in a folder": filetest.ZIP(t, "x/", "", `x\__MACOSX\._a.xlsx`, "x", "x/a.xlsx", file),
			"in a gzip":   filetest.Gzip(t, file)} {
			_, err := Open(filetest.Section(packed), Options{})
			require.True(t, archive.FaultEncrypted.Is(err), "%s %s: %v", name, how, err)
		}
	}
	for _, file := range []string{old, old + strings.Repeat("x", 200_000), old + string(encryptedPackage[2:])} {
		for _, packed := range []string{file, filetest.ZIP(t, "a.xls", file), filetest.Gzip(t, file)} {
			_, err := Open(filetest.Section(packed), Options{})
			require.True(t, FaultBinary.Is(err), "%v", err)
			require.Contains(t, err.Error(), "XLS")
		}
	}
}
