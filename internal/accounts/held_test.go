package accounts

import (
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestWhatIsHeldIsReadAtAnyPlace(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 2*heldPiece+99)
	for i := range text {
		text[i] = byte(random.Uint32())
	}
	h, size, err := hold(strings.NewReader(string(text)), 1<<30)
	require.NoError(t, err)
	require.EqualValues(t, len(text), size)
	require.NoError(t, iotest.TestReader(io.NewSectionReader(h, 0, size), text))

	_, size, err = hold(strings.NewReader(string(text)), heldPiece)
	require.NoError(t, err)
	require.EqualValues(t, heldPiece+1, size)
}
