package workbook

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDatesAndNumbersAreShown(t *testing.T) {
	for stored, test := range map[string]struct {
		format int
		code   string
		shown  string
		kind   Kind
	}{
		"45351":               {14, "", "2024-02-29", Other},
		"45351.5":             {22, "", "2024-02-29 12:00:00", Other},
		"0.75":                {20, "", "18:00:00", Other},
		"1":                   {165, "yyyy/m/d", "1900-01-01", Other},
		"61":                  {165, `[$-804]yyyy"年"m"月"d"日"`, "1900-03-01", Other},
		"45351.25":            {165, "yyyy-mm-dd hh:mm", "2024-02-29 06:00:00", Other},
		"123":                 {165, "000000", "000123", Other},
		"1234567":             {165, "000000", "1234567", Plain},
		"8613800138000":       {165, "#,##0", "8613800138000", Plain},
		"42":                  {165, `0" days"`, "42", Other},
		"0.1":                 {0, "", "0.1", Other},
		"0.30000000000000004": {0, "", "0.3", Other},
		"-0":                  {0, "", "0", Plain},
		"1E+2":                {0, "", "100", Plain},
		"1E+15":               {0, "", "1E+15", Rounded},
		"999999999999999":     {0, "", "999999999999999", Plain},
		"-1":                  {14, "", "-1", Other},
	} {
		shown, kind := numberCell(stored, formatOfNumber(test.format, test.code), false)
		require.Equal(t, test.shown, shown, stored)
		require.Equal(t, test.kind, kind, stored)
	}
	shown, _ := numberCell("43889", numberFormat{date: true}, true)
	require.Equal(t, "2024-02-29", shown)
}
