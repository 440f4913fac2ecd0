package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	gone = Declare(NotFound, "test.gone", "There is no thing %s. Nothing was changed; look for it in the list.")
	busy = Declare(Conflict, "test.busy", "The thing is busy. Nothing was changed; try again at 100% ease.")
)

func TestFaultSaysItsSentence(t *testing.T) {
	require.Equal(t, "There is no thing 7. Nothing was changed; look for it in the list.", gone.With("7").Error())
	require.Equal(t, "The thing is busy. Nothing was changed; try again at 100% ease.", busy.With().Error())
}

func TestCauseIsLoggedAndNotShown(t *testing.T) {
	err := gone.Because(io.ErrUnexpectedEOF, "7")
	require.NotContains(t, err.Error(), io.ErrUnexpectedEOF.Error())
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, errors.Unwrap(gone.With("7")))
}

func TestFaultIsKnownHoweverItIsWrapped(t *testing.T) {
	err := fmt.Errorf("reading: %w", busy.With())
	require.True(t, busy.Is(err))
	require.False(t, gone.Is(err))
	require.Equal(t, Conflict, KindOf(err))
	for _, other := range []error{nil, io.EOF} {
		require.False(t, busy.Is(other))
		require.Zero(t, KindOf(other))
	}
}

func TestCodeIsDeclaredOnce(t *testing.T) {
	require.PanicsWithValue(t, "fault: test.gone is declared twice", func() { Declare(Invalid, "test.gone", "") })
	require.Equal(t, NotFound, gone.Kind, "the first one stays")
}

func TestAllFaultsAreListedByCode(t *testing.T) {
	all := All()
	require.Contains(t, all, gone)
	require.Contains(t, all, busy)
	require.True(t, slices.IsSortedFunc(all, func(a, b *Sentence) int {
		if a.Code < b.Code {
			return -1
		}
		return 1
	}))
}

func TestFaultIsStoredWithoutItsCause(t *testing.T) {
	sentence := Declare(Invalid, "test.recalled", "%s holds %d rows")
	text, err := json.Marshal(sentence.Because(errors.New("a secret"), "a.csv", int64(12)))
	require.NoError(t, err)
	require.NotContains(t, string(text), "secret")
	recalled, err := Recall(text)
	require.NoError(t, err)
	require.Equal(t, sentence.With("a.csv", int64(12)), recalled)
	require.Equal(t, "a.csv holds 12 rows", recalled.Error())
	_, err = Recall([]byte(`{"code":"no.such"}`))
	require.Error(t, err)
}
