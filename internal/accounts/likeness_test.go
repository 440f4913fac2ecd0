package accounts

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/filetest"
)

// askedOf are the questions about a file and the accounts that are read without an answer.
func askedOf(t *testing.T, file string) (asked []string, read []string) {
	t.Helper()
	r, err := Open(filetest.Section(file), Options{})
	require.NoError(t, err)
	defer r.Close()
	for {
		row, err := r.Next()
		if err != nil {
			break
		}
		if row.Reason == "" {
			read = append(read, row.Account)
		}
	}
	for _, q := range r.Unsure() {
		asked = append(asked, q.Name)
	}
	return asked, read
}

func shuffled(format string, from, n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf(format, from+i*7919%n))
	}
	return lines
}

func TestAccountsOfAnotherLengthAreInDoubt(t *testing.T) {
	for name, test := range map[string]struct {
		lines []string
		odd   string
	}{
		"cut number":              {shuffled("%d", 1002003010, 30), "10020"},
		"two numbers in one":      {shuffled("%d", 1002003010, 30), "10020030101002003011"},
		"cut number, prefix":      {shuffled("user%d", 10001, 30), "user10"},
		"two accounts, prefix":    {shuffled("user%d", 10001, 30), "user10010user10011"},
		"number among prefixes":   {shuffled("im_%d", 1001, 30), "13800001000"},
		"another prefix":          {shuffled("im_%d", 1001, 30), "ord-900"},
		"money":                   {shuffled("%d", 10020030, 30), "12.50"},
		"short numbers, no order": {shuffled("%d", 10020030, 30), "6"},
	} {
		t.Run(name, func(t *testing.T) {
			for at := range 31 {
				lines := append(append(append([]string{"user_id"}, test.lines[:at]...), test.odd), test.lines[at:]...)
				asked, read := askedOf(t, strings.Join(lines, "\n")+"\n")
				require.Equal(t, []string{"unlike"}, asked, "at %d", at)
				require.NotContains(t, read, test.odd)
				require.Len(t, read, 30)
			}
		})
	}
}

// What is behind a common beginning need not be digits.
func TestAnotherBeginningIsInDoubt(t *testing.T) {
	lines := []string{"user_id"}
	for i := range 20 {
		lines = append(lines, fmt.Sprintf("wxid_%05x", (0x1a7f3+i*104_729)%0xFFFFF))
	}
	asked, read := askedOf(t, strings.Join(append(lines, "order_9a1"), "\n")+"\n")
	require.Equal(t, []string{"unlike"}, asked)
	require.NotContains(t, read, "order_9a1")
	require.Len(t, read, 20)
}

// Two lengths with none between them are two kinds of numbers.
func TestLengthsFarApartAreInDoubt(t *testing.T) {
	lines := append([]string{"user_id"}, shuffled("%d", 1001, 12)...)
	asked, _ := askedOf(t, strings.Join(append(lines, shuffled("%d", 13800138000, 8)...), "\n")+"\n")
	require.Equal(t, []string{"unlike"}, asked)
}

// Of numbers that a spreadsheet has cut to 15 digits, a few are enough to ask.
func TestFewCutNumbersAreAskedAbout(t *testing.T) {
	lines := []string{"user_id"}
	for i := range 20 {
		lines = append(lines, fmt.Sprintf("%d", 7300000000123456789+i*987654321))
	}
	asked, read := askedOf(t, strings.Join(lines, "\n")+"\n")
	require.Empty(t, asked)
	require.Len(t, read, 20)
	asked, read = askedOf(t, strings.Join(append(lines, "7300000000123450000", "7300000000987650000"), "\n")+"\n")
	require.Equal(t, []string{"rounded"}, asked)
	require.Len(t, read, 20)
}

func TestTwoKindsOfAccountsAreAskedAbout(t *testing.T) {
	ids, others := shuffled("im_%d", 1001, 12), shuffled("ord-%d", 900, 12)
	for _, every := range []int{1, 2, 3, 5} {
		lines := []string{"user_id"}
		for i, id := range ids {
			if lines = append(lines, id); i%every == 0 {
				lines = append(lines, others[i])
			}
		}
		asked, _ := askedOf(t, strings.Join(lines, "\n")+"\n")
		require.Equal(t, []string{"unlike"}, asked, "one in %d", every)
	}
}

func TestRunningNumbersAreAlike(t *testing.T) {
	for _, format := range []string{"%d", "user%d"} {
		lines := []string{"user_id"}
		for i := range 2_000 {
			lines = append(lines, fmt.Sprintf(format, 95+i))
		}
		asked, read := askedOf(t, strings.Join(lines, "\n")+"\n")
		require.Empty(t, asked)
		require.Len(t, read, 2_000)
	}
}

// Below a title may stand those whom nobody wants to touch.
func TestSectionOfAListIsInDoubt(t *testing.T) {
	for _, title := range []string{"不要清除", "Оставить:", "-----", "Keep:", "保留名单", "Agents", "Total"} {
		asked, read := askedOf(t, "im_1001\nim_1002\nim_1003\n"+title+"\nim_9001\nim_9002\n")
		require.Contains(t, asked, "columns_changed", title)
		require.Equal(t, []string{"im_1001", "im_1002", "im_1003"}, read, title)
	}
}

// Chinese exports write a tab before long numbers, so that a spreadsheet does not round them.
func TestTabBeforeANumberIsNoPartOfIt(t *testing.T) {
	asked, read := askedOf(t, "user_id,name\n\t100200300400500601,Ann\n\"\t100200300400500623\",Bob\n\t100200300400500645,Cid\n")
	require.Empty(t, asked)
	require.Equal(t, []string{"100200300400500601", "100200300400500623", "100200300400500645"}, read)
}

// Some words stand for nobody, also among accounts that are words.
func TestWordsForNobodyAreInDoubt(t *testing.T) {
	for _, word := range []string{"ditto", "pending", "deleted", "guest", "anonymous", "xxx"} {
		asked, read := askedOf(t, "user_id\n"+strings.Join(mixedNames, "\n")+"\n"+word+"\n")
		require.Equal(t, []string{"unlike"}, asked, word)
		require.Equal(t, mixedNames, read, word)
	}
}
