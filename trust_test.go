package tagsweep_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// actors are those of whom docs/trust.md says what they can do.
var actors = []string{"visitor", "operator", "auditor", "admin", "database", "key file", "clock", "backup", "service", "machine"}

// shown is a test that a row of docs/trust.md names: `evidence.TestUsersByTheLog/an admin is inserted`.
var shown = regexp.MustCompile("^`((?:cmd/)?[a-z]+)\\.(Test[A-Za-z0-9]+)(?:/([^`]+))?`")

// Each row of docs/trust.md names tests that exist and run, and each actor has rows.
func TestTrustIsShownByTests(t *testing.T) {
	page, err := os.ReadFile("docs/trust.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(page), "| who | tries | what happens | found by | shown by |\n|---|---|---|---|---|\n")
	require.True(t, found)
	rows := map[string]int{}
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		require.Len(t, cells, 5, line)
		who, tests := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[4])
		require.Contains(t, actors, who)
		require.NotEmpty(t, tests, line)
		rows[who]++
		for tests != "" {
			named := shown.FindStringSubmatch(tests)
			require.NotNil(t, named, tests)
			requireRuns(t, named[1], named[2], named[3])
			tests = strings.TrimSpace(strings.TrimPrefix(tests, named[0]))
		}
	}
	for _, who := range actors {
		require.NotZero(t, rows[who], who)
	}
}

// requireRuns requires that a package has a test, with a case of that name, and that it is not skipped.
func requireRuns(t *testing.T, pkg, name, named string) {
	t.Helper()
	folder := path.Join("internal", pkg)
	if pkg == "web" || strings.HasPrefix(pkg, "cmd/") {
		folder = pkg
	}
	files, err := fs.Glob(os.DirFS(folder), "*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), path.Join(folder, file), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		at := slices.IndexFunc(parsed.Decls, func(d ast.Decl) bool { f, is := d.(*ast.FuncDecl); return is && f.Name.Name == name })
		if at < 0 {
			continue
		}
		content, err := os.ReadFile(path.Join(folder, file))
		require.NoError(t, err)
		require.NotContains(t, string(content), "//go:build", "%s runs only sometimes", file)
		cases := 0
		ast.Inspect(parsed.Decls[at], func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				called, is := n.Fun.(*ast.SelectorExpr)
				require.False(t, is && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, called.Sel.Name), "%s.%s is skipped", pkg, name)
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil && text == named {
					cases++
				}
			}
			return true
		})
		require.True(t, named == "" || cases > 0, "%s.%s has no case %q", pkg, name, named)
		return
	}
	require.Fail(t, "docs/trust.md names a test that does not exist", "%s.%s", pkg, name)
}
