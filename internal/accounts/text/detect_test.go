package text

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/accounts/filetest"
)

func TestEncodingIsDetectedFarIntoFile(t *testing.T) {
	plain := "account,name\n" + strings.Repeat("a1,Ann\n", 3*MaxRecord)
	names, err := codings[GB18030].NewEncoder().String(strings.Repeat("b1,张三\n", 3*MaxRecord))
	require.NoError(t, err)
	sample, err := TakeSample(filetest.Section(plain + names))
	require.NoError(t, err)
	stream, err := ReadSample(strings.NewReader(plain + names))
	require.NoError(t, err)
	for _, s := range []Sample{sample, stream} {
		found, err := s.Encoding()
		require.NoError(t, err)
		require.Equal(t, GB18030, found)
		require.NoError(t, s.Allows(GB18030))
		require.True(t, FaultEncodingChosen.Is(Sample{Head: []byte(names[:100])}.Allows(UTF8)))
	}
}
