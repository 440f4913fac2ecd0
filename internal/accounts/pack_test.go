package accounts

import (
	"archive/zip"
	"bytes"
	"compress/gzip"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
)

func gzipOf(t require.TestingT, text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.String()
}

// zipOf packs files; names and texts take turns.
func zipOf(t require.TestingT, files ...string) string {
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

// workbookOf writes rows into a workbook as another program does.
func workbookOf(t require.TestingT, rows [][]any) []byte {
	f := excelize.NewFile()
	defer f.Close()
	w, err := f.NewStreamWriter("Sheet1")
	require.NoError(t, err)
	for i, row := range rows {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		require.NoError(t, err)
		require.NoError(t, w.SetRow(cell, row))
	}
	require.NoError(t, w.Flush())
	var out bytes.Buffer
	require.NoError(t, f.Write(&out))
	return out.Bytes()
}
