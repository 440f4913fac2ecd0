package audit

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCatalogueHoldsExactlyEveryCode(t *testing.T) {
	document, err := os.ReadFile("../../docs/audit.md")
	require.NoError(t, err)
	var documented []Code
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+(?:\\.[a-z_]+)?)` \\|(.*)\\|.*\\|$").
		FindAllStringSubmatch(string(document), -1) {
		code := Code(row[1])
		if !slices.Contains(Codes, code) && !regexp.MustCompile(`\.`).MatchString(row[1]) {
			continue // a row of another table
		}
		documented = append(documented, code)
		require.Equal(t, code.Failure(), regexp.MustCompile(`\*failure\*`).MatchString(row[2]), code)
	}
	require.ElementsMatch(t, Codes, documented)
}

func TestCatalogueDocumentsPublicDetails(t *testing.T) {
	document, err := os.ReadFile("../../docs/audit.md")
	require.NoError(t, err)
	list := regexp.MustCompile("(?m)^A detail is in the line .*: ((?:`[a-z_0-9]+`[ .])+)$").FindStringSubmatch(string(document))
	require.NotNil(t, list)
	var documented, known []string
	for _, name := range regexp.MustCompile("`([a-z_0-9]+)`").FindAllStringSubmatch(list[1], -1) {
		documented = append(documented, name[1])
	}
	for name := range impersonal {
		known = append(known, name)
	}
	require.ElementsMatch(t, known, documented)
}
