package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/stretchr/testify/require"
)

func TestNoticeNamesAllThatShips(t *testing.T) {
	parts, err := shipped("../..")
	require.NoError(t, err)
	have, err := os.ReadFile("../../NOTICE")
	require.NoError(t, err)
	// The version of Go is that of whoever builds.
	library := regexp.MustCompile(`Go standard library \S+`)
	without := func(text []byte) string { return library.ReplaceAllString(string(text), "Go standard library") }
	require.Equal(t, without(notice(parts)), without(have), "NOTICE is out of date: run make sbom, look at it and commit it")

	var bill bytes.Buffer
	require.NoError(t, writeBill(&bill, "v1", parts))
	var read cyclonedx.BOM
	require.NoError(t, cyclonedx.NewBOMDecoder(&bill, cyclonedx.BOMFileFormatJSON).Decode(&read))
	names := map[string]string{}
	for _, c := range *read.Components {
		require.NotEmpty(t, *c.Licenses, c.Name)
		names[c.Name] = c.PackageURL
	}
	require.Len(t, names, len(parts))
	require.Regexp(t, `^pkg:golang/modernc.org/sqlite@v`, names["modernc.org/sqlite"])
	require.Equal(t, "pkg:npm/htmx.org@4.0.1", names["htmx.org"])
	require.NotEmpty(t, names["Go standard library"])
	for name := range names {
		require.False(t, strings.Contains(name, "testify"), "what tests need does not ship")
	}
}

func TestPartWithoutALicenceDoesNotShip(t *testing.T) {
	p := part{name: "x", version: "1"}
	require.ErrorContains(t, p.readLicences(t.TempDir()), "no licence")
}
