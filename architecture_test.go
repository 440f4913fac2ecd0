// Package tagsweep_test keeps the architecture: who may import whom, and what
// every package and file must be like.
package tagsweep_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mayImport lists, for every package of ours, which others its program files
// may import. The longest entry that is the package, or a folder it is in, holds;
// packages of one entry may import each other. An import is allowed by an entry
// in the same way.
var mayImport = map[string][]string{
	"cmd/sbom": {},
	"cmd/console": {"web", "web/templates", "internal/accounts", "internal/audit", "internal/auth", "internal/engine",
		"internal/evidence", "internal/fault",
		"internal/heavy", "internal/jobs", "internal/snapshot", "internal/store", "internal/tim", "internal/tim/timtest"},
	"web": {"web/templates", "internal/evidence", "internal/accounts", "internal/heavy", "internal/store",
		"internal/jobs", "internal/snapshot", "internal/auth", "internal/audit", "internal/fault"},
	"web/templates": {"internal/jobs", "internal/snapshot", "internal/audit", "internal/auth",
		"internal/accounts", "internal/fault"},
	"internal/store":  {"internal/fault", "migrations"},
	"internal/engine": {"internal/store", "internal/jobs", "internal/snapshot", "internal/audit", "internal/tim", "internal/fault"},
	"internal/engine/enginetest": {"internal/engine", "internal/jobs", "internal/jobs/jobstest", "internal/audit",
		"internal/tim", "internal/tim/timtest"},
	"internal/store/storetest": {"internal/store"},
	"internal/jobs": {"internal/tim", "internal/snapshot", "internal/accounts", "internal/audit", "internal/auth", "internal/heavy",
		"internal/store", "internal/fault"},
	"internal/jobs/jobstest": {"internal/accounts", "internal/evidence", "internal/jobs", "internal/auth", "internal/snapshot",
		"internal/audit", "internal/store", "internal/store/storetest"},
	"internal/tim/timtest":       {"internal/tim", "internal/jobs"},
	"internal/tim":               {"internal/fault"},
	"internal/snapshot":          {"internal/store", "internal/fault"},
	"internal/accounts":          {"internal/accounts/archive", "internal/accounts/text", "internal/accounts/workbook", "internal/fault"},
	"internal/accounts/archive":  {"internal/fault"},
	"internal/accounts/text":     {"internal/fault"},
	"internal/accounts/workbook": {"internal/accounts/archive", "internal/fault"},
	"internal/accounts/filetest": {},
	"internal/audit":             {"internal/store", "internal/fault"},
	"internal/evidence": {"internal/jobs", "internal/auth", "internal/accounts", "internal/audit", "internal/store",
		"internal/fault"},
	"internal/auth":  {"internal/audit", "internal/store", "internal/fault"},
	"internal/fault": {},
	"internal/heavy": {"internal/fault"},
	"migrations":     {},
}

// forTests are the packages that only tests use, and the modules only they need.
var (
	forTests = []string{"internal/store/storetest", "internal/jobs/jobstest", "internal/engine/enginetest",
		"internal/tim/timtest", "internal/accounts/filetest"}
	testModules = []string{"github.com/stretchr/testify", "pgregory.net/rapid", "github.com/xuri/excelize/v2",
		"github.com/chromedp/chromedp", "github.com/chromedp/cdproto"}
)

const maxLines = 400

// pkg is a package as `go list -json` tells it.
type pkg struct {
	ImportPath, Dir                    string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports []string
	name                               string // relative to the module, "." for its root
}

func packages(t *testing.T) (list []pkg) {
	t.Helper()
	const fields = "ImportPath,Dir,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports"
	command := exec.Command("go", "list", "-json="+fields, "./...")
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	require.NoError(t, err, problems.String())
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pkg
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		p.name = "."
		if name, ours := inModule(p.ImportPath); ours {
			p.name = name
		}
		list = append(list, p)
	}
	require.NotEmpty(t, list)
	return list
}

func inModule(importPath string) (name string, ours bool) {
	return strings.CutPrefix(importPath, "tagsweep/")
}

func within(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }

// entryOf returns the entry of mayImport that holds for a package.
func entryOf(name string) string {
	for ; name != "." && name != ""; name = path.Dir(name) {
		if _, known := mayImport[name]; known {
			return name
		}
	}
	return ""
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		entry := entryOf(p.name)
		if entry == "" {
			t.Errorf("%s has no entry in mayImport: decide what it may import", p.name)
			continue
		}
		for _, imported := range p.Imports {
			if name, ours := inModule(imported); ours {
				if of := entryOf(name); of != entry && !slices.Contains(mayImport[entry], of) {
					t.Errorf("%s imports %s, which it may not", p.name, name)
				}
			}
		}
	}
}

func TestNothingBelowTheWebImportsIt(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			name, _ := inModule(imported)
			if within(name, "web") && (within(p.name, "internal") || within(p.name, "migrations")) {
				t.Errorf("%s imports %s", p.name, name)
			}
		}
	}
}

func TestProgramCarriesNoTestModules(t *testing.T) {
	for _, p := range packages(t) {
		if slices.Contains(forTests, p.name) {
			continue
		}
		for _, imported := range p.Imports {
			for _, module := range testModules {
				if within(imported, module) {
					t.Errorf("%s imports %s outside its tests", p.name, imported)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		said := 0
		for _, file := range p.GoFiles {
			parsed := parse(t, filepath.Join(p.Dir, file), parser.PackageClauseOnly|parser.ParseComments)
			if parsed.Doc != nil && !ast.IsGenerated(parsed) {
				said++
			}
		}
		if len(p.GoFiles) > 0 && said == 0 {
			t.Errorf("%s has no package comment", p.name)
		}
		if said > 1 {
			t.Errorf("%s has %d package comments", p.name, said)
		}
	}
}

func TestPackageNamesAreNotVague(t *testing.T) {
	for _, p := range packages(t) {
		for _, vague := range []string{"utils", "util", "helpers", "helper", "models", "services", "managers", "common", "misc"} {
			if path.Base(p.name) == vague {
				t.Errorf("%s: %q says nothing about what is in it", p.name, vague)
			}
		}
	}
}

func TestFilesStayShortEnoughToRead(t *testing.T) {
	for _, p := range packages(t) {
		for _, file := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			require.NoError(t, err)
			if lines := bytes.Count(text, []byte("\n")); lines > maxLines &&
				!ast.IsGenerated(parse(t, filepath.Join(p.Dir, file), parser.PackageClauseOnly|parser.ParseComments)) {
				t.Errorf("%s has %d lines, more than %d", path.Join(p.name, file), lines, maxLines)
			}
		}
	}
}

// A name is typed after -run.
func TestNamesOfTestsAreShort(t *testing.T) {
	for _, p := range packages(t) {
		for _, file := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			for _, d := range parse(t, filepath.Join(p.Dir, file), parser.SkipObjectResolution).Decls {
				if f, is := d.(*ast.FuncDecl); is && f.Recv == nil && len(f.Name.Name) > longestName && testName.MatchString(f.Name.Name) {
					t.Errorf("%s: %s is longer than %d letters", path.Join(p.name, file), f.Name.Name, longestName)
				}
			}
		}
	}
}

const longestName = 40

var testName = regexp.MustCompile(`^(Test|Fuzz|Benchmark)`)

func parse(t *testing.T, file string, mode parser.Mode) *ast.File {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, mode)
	require.NoError(t, err)
	return parsed
}
