// Package filetest writes files as people upload them, for tests.
package filetest

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"strings"

	"github.com/stretchr/testify/require"
)

// Section is a text as it is uploaded.
func Section(text string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(text), 0, int64(len(text)))
}

// Gzip packs a text.
func Gzip(t require.TestingT, text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.String()
}

// ZIP packs files; names and texts take turns.
func ZIP(t require.TestingT, files ...string) string {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		require.NoError(t, err)
		if files[i+1] != "" {
			_, err = f.Write([]byte(files[i+1]))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return out.String()
}
