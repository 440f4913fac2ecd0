// Command sbom lists what the console ships: the Go modules that are built into it,
// Go's own library, and the front-end files. It writes NOTICE, with the licence of each,
// and a bill of materials in the format of CycloneDX. Run it in the root of the
// repository: make sbom.
package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/google/licensecheck"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// run writes NOTICE and the bill of a version: sbom VERSION FILE.
func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: sbom VERSION FILE")
	}
	parts, err := shipped(".")
	if err != nil {
		return err
	}
	if err := os.WriteFile("NOTICE", notice(parts), 0o644); err != nil {
		return err
	}
	file, err := os.Create(args[1])
	if err != nil {
		return err
	}
	if err := writeBill(file, args[0], parts); err != nil {
		return err
	}
	return file.Close()
}

// part is something that others made and the console ships.
type part struct {
	name, version string
	url           string // its package URL
	licences      []string
	text          string // of its licence files
}

// shipped finds everything that is built into the console.
func shipped(root string) (parts []part, err error) {
	modules, err := output(root, "list", "-deps", "-f",
		"{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}", "./cmd/console")
	if err != nil {
		return nil, err
	}
	lines := slices.Compact(slices.Sorted(strings.Lines(modules)))
	for _, line := range lines {
		words := strings.Fields(line)
		if len(words) != 3 {
			return nil, fmt.Errorf("go list says %q", line)
		}
		parts = append(parts, part{name: words[0], version: words[1], url: "pkg:golang/" + words[0] + "@" + words[1]})
		if err = parts[len(parts)-1].readLicences(words[2]); err != nil {
			return nil, err
		}
	}
	library := part{name: "Go standard library", version: strings.TrimPrefix(runtime.Version(), "go"),
		url: "pkg:golang/std@" + runtime.Version()[2:]}
	goRoot, err := output(root, "env", "GOROOT")
	if err == nil {
		err = library.readLicences(strings.TrimSpace(goRoot))
	}
	if err != nil {
		return nil, err
	}
	folders, err := filepath.Glob(filepath.Join(root, "web/static/vendor/*-*"))
	if err != nil {
		return nil, err
	}
	parts = append(parts, library)
	for _, folder := range folders {
		base := filepath.Base(folder)
		at := strings.LastIndex(base, "-")
		front := part{name: base[:at], version: base[at+1:], url: "pkg:npm/" + base[:at] + "@" + base[at+1:]}
		if err := front.readLicences(folder); err != nil {
			return nil, err
		}
		parts = append(parts, front)
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.name, b.name) })
	return parts, nil
}

func output(root string, args ...string) (string, error) {
	command := exec.Command("go", args...)
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", args[0], err)
	}
	return string(out), nil
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice)`)

// readLicences reads the licence files in a folder. Nothing may ship without one.
func (p *part) readLicences(folder string) error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, file := range files {
		if file.IsDir() || !licenceFile.MatchString(file.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil {
			return err
		}
		for _, match := range licensecheck.Scan(text).Match {
			if !slices.Contains(p.licences, match.ID) {
				p.licences = append(p.licences, match.ID)
			}
		}
		p.text += strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")) + "\n\n"
	}
	if len(p.licences) == 0 {
		return fmt.Errorf("%s %s has no licence that is known: look at it before it ships", p.name, p.version)
	}
	return nil
}

// notice is the text of NOTICE.
func notice(parts []part) []byte {
	var out strings.Builder
	out.WriteString("Tagsweep\n\nThis product contains the following software. It is listed with its licences.\n")
	for _, p := range parts {
		fmt.Fprintf(&out, "\n%s\n%s %s (%s)\n%[1]s\n\n%[5]s", strings.Repeat("-", 80), p.name, p.version,
			strings.Join(p.licences, ", "), p.text)
	}
	return []byte(strings.TrimSpace(out.String()) + "\n")
}

// writeBill writes the bill of materials.
func writeBill(to io.Writer, version string, parts []part) error {
	bill := cyclonedx.NewBOM()
	bill.Metadata = &cyclonedx.Metadata{Component: &cyclonedx.Component{Type: cyclonedx.ComponentTypeApplication,
		Name: "tagsweep", Version: version, Licenses: licences([]string{"Apache-2.0"})}}
	var components []cyclonedx.Component
	for _, p := range parts {
		components = append(components, cyclonedx.Component{BOMRef: p.url, Type: cyclonedx.ComponentTypeLibrary,
			Name: p.name, Version: p.version, PackageURL: p.url, Licenses: licences(p.licences)})
	}
	bill.Components = &components
	return cyclonedx.NewBOMEncoder(to, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bill)
}

func licences(ids []string) *cyclonedx.Licenses {
	var all cyclonedx.Licenses
	for _, id := range ids {
		all = append(all, cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: id}})
	}
	return &all
}
