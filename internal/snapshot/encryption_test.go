package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"tagsweep/internal/fault"
)

func TestWhatIsOpenedIsWhatWasSealed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		accounts := anyAccounts(MaxAccounts, 30).Draw(t, "accounts")
		key, job, number := NewKey(), rapid.String().Draw(t, "job"), rapid.Int64().Draw(t, "batch")
		sealed, err := Encrypt(key, Before, job, number, accounts)
		require.NoError(t, err)
		opened, err := Decrypt(key, Before, job, number, sealed)
		require.NoError(t, err)
		require.Equal(t, kept(accounts), opened)
	})
}

func TestLargestBatchIsKept(t *testing.T) {
	var accounts []Account
	for i := range int64(MaxAccounts) {
		var tags []string
		for j := range int64(MaxTags) { // all of them distinct
			tags = append(tags, fmt.Sprintf("tag %d", (i*MaxTags+j)*7919%(MaxAccounts*MaxTags)))
		}
		accounts = append(accounts, Account{i, tags})
	}
	key := NewKey()
	sealed, err := Encrypt(key, Before, "job", 1, accounts)
	require.NoError(t, err)
	opened, err := Decrypt(key, Before, "job", 1, sealed)
	require.NoError(t, err)
	require.Equal(t, accounts, opened)
}

func TestWhatCannotBeKeptIsRefused(t *testing.T) {
	_, err := Encrypt(NewKey(), Before, "job", 1, []Account{{1, nil}, {2, names(MaxTags + 1)}})
	require.True(t, FaultTooMany.Is(err))
	require.Contains(t, err.Error(), "account number 2 of the job has 1001 tags")
	_, err = Encrypt(NewKey(), Before, "job", 1, []Account{{1, slices.Repeat(names(MaxTags), 2)}})
	require.NoError(t, err, "repetitions do not count")
	_, err = Encrypt(NewKey(), Before, "job", 1, []Account{{1, []string{strings.Repeat("x", maxPacked)}}})
	require.True(t, FaultTooLarge.Is(err))

	for name, accounts := range map[string][]Account{
		"too far apart":  {{1, nil}, {101, nil}},
		"not ascending":  {{2, nil}, {1, nil}},
		"the same twice": {{1, nil}, {1, nil}},
		"negative place": {{-1, nil}},
		"not UTF-8":      {{1, []string{"\xff"}}},
	} {
		_, err := Encrypt(NewKey(), Before, "job", 1, accounts)
		require.Error(t, err, name)
		require.Zero(t, fault.KindOf(err), name)
	}
	_, err = Encrypt(Key{}, Before, "job", 1, nil)
	require.ErrorIs(t, err, errNoKey)
}

func TestSealIsBoundToKeyJobAndBatch(t *testing.T) {
	key, accounts := NewKey(), []Account{{1, []string{"vip"}}}
	sealed, err := Encrypt(key, Before, "job", 1, accounts)
	require.NoError(t, err)
	for name, open := range map[string]func() ([]Account, error){
		"another key":      func() ([]Account, error) { return Decrypt(NewKey(), Before, "job", 1, sealed) },
		"another job":      func() ([]Account, error) { return Decrypt(key, Before, "jab", 1, sealed) },
		"a longer job":     func() ([]Account, error) { return Decrypt(key, Before, "job1", 1, sealed) },
		"another batch":    func() ([]Account, error) { return Decrypt(key, Before, "job", 2, sealed) },
		"nothing":          func() ([]Account, error) { return Decrypt(key, Before, "job", 1, nil) },
		"the key's bytes":  func() ([]Account, error) { return openWrapped(key) },
		"more at its end":  func() ([]Account, error) { return Decrypt(key, Before, "job", 1, append(slices.Clone(sealed), 0)) },
		"less at its end":  func() ([]Account, error) { return Decrypt(key, Before, "job", 1, sealed[:len(sealed)-1]) },
		"the version only": func() ([]Account, error) { return Decrypt(key, Before, "job", 1, sealed[:1]) },
	} {
		_, err := open()
		require.True(t, FaultChanged.Is(err), name)
	}
}

// openWrapped opens what was encrypted under the same key for another purpose.
func openWrapped(key Key) ([]Account, error) {
	wrapped, err := encrypt(key, keyData("job"), make([]byte, 32))
	if err != nil {
		return nil, err
	}
	return Decrypt(key, Before, "job", 1, wrapped)
}

func TestEveryChangedBitIsNoticed(t *testing.T) {
	key, master := NewKey(), [32]byte{1}
	sealed, err := Encrypt(key, Before, "job", 1, []Account{{1, []string{"vip", "gold"}}})
	require.NoError(t, err)
	wrapped, err := Wrap(master, "job", key)
	require.NoError(t, err)
	for bit := range 8 * len(sealed) {
		changed := slices.Clone(sealed)
		changed[bit/8] ^= 1 << (bit % 8)
		_, err := Decrypt(key, Before, "job", 1, changed)
		require.True(t, FaultChanged.Is(err), bit)
		require.NotEqual(t, Digest(sealed), Digest(changed))
	}
	for bit := range 8 * len(wrapped) {
		changed := slices.Clone(wrapped)
		changed[bit/8] ^= 1 << (bit % 8)
		_, err := Unwrap(master, "job", changed)
		require.True(t, FaultKeyChanged.Is(err), bit)
	}
}

func TestWhyAKeyCannotBeHadIsTold(t *testing.T) {
	key, master := NewKey(), [32]byte{1}
	wrapped, err := Wrap(master, "job", key)
	require.NoError(t, err)
	unwrapped, err := Unwrap(master, "job", wrapped)
	require.NoError(t, err)
	require.Equal(t, key, unwrapped)

	_, err = Unwrap([32]byte{2}, "job", wrapped)
	require.True(t, FaultOtherKey.Is(err))
	_, err = Unwrap(master, "another", wrapped)
	require.True(t, FaultKeyChanged.Is(err))
	for length := 1; length < len(wrapped); length++ {
		_, err = Unwrap(master, "job", wrapped[:length])
		require.True(t, FaultKeyChanged.Is(err), length)
	}
	none, err := Unwrap(master, "job", nil)
	require.True(t, FaultErased.Is(err))
	_, err = Decrypt(none, Before, "job", 1, []byte{version})
	require.True(t, FaultErased.Is(err))
	_, err = Wrap(master, "job", Key{})
	require.ErrorIs(t, err, errNoKey)
}

func TestSealDiffersEachTime(t *testing.T) {
	key := NewKey()
	one, err := Encrypt(key, Before, "job", 1, nil)
	require.NoError(t, err)
	two, err := Encrypt(key, Before, "job", 1, nil)
	require.NoError(t, err)
	require.NotEqual(t, Digest(one), Digest(two))
	require.Len(t, Digest(one), 64)
	require.NotEqual(t, NewKey(), NewKey())
}

func TestKeyNeverShows(t *testing.T) {
	key := Key{[32]byte{77, 77, 77}}
	encoded, err := json.Marshal(map[string]any{"key": key})
	require.NoError(t, err)
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v %s %d %x %q", key, key, key, key, key, key, key),
		string(encoded), fmt.Sprint(&key, []Key{key})} {
		require.NotContains(t, shown, "77")
		require.NotContains(t, shown, "4d")
	}
}

// FuzzOpen lets the bytes stand for what is stored, for what was encrypted, and
// for what was compressed: the last two pass for the console's own.
func FuzzOpen(f *testing.F) {
	key := NewKey()
	zip, err := compressor()
	require.NoError(f, err)
	form, err := pack(batch(rand.New(rand.NewPCG(1, 2)), names(20), 10, 0, 5))
	require.NoError(f, err)
	bomb := zip.EncodeAll(make([]byte, 4*maxPacked), nil)
	sealed, err := Encrypt(key, Before, "job", 1, []Account{{7, []string{"vip", "会员"}}})
	require.NoError(f, err)
	for _, seed := range [][]byte{nil, {1}, form, zip.EncodeAll(form, nil), bomb, sealed} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		stored := [][]byte{data}
		for _, packed := range [][]byte{data, zip.EncodeAll(data, nil)} {
			sealed, err := encrypt(key, batchData(Before, "job", 1), packed)
			require.NoError(t, err)
			stored = append(stored, sealed)
		}
		for _, sealed := range stored {
			requireBounded(t, func() {
				accounts, err := Decrypt(key, Before, "job", 1, sealed)
				if err != nil {
					require.True(t, FaultChanged.Is(err))
					return
				}
				again, err := pack(accounts)
				require.NoError(t, err)
				require.LessOrEqual(t, len(again), maxPacked)
				twice, err := unpack(again)
				require.NoError(t, err)
				require.Equal(t, accounts, twice)
				require.Equal(t, accounts, kept(accounts))
			})
		}
	})
}

func TestBombIsNotUnpacked(t *testing.T) {
	key := NewKey()
	zip, err := compressor()
	require.NoError(t, err)
	packed := zip.EncodeAll(make([]byte, 4*maxPacked), nil)
	sealed, err := encrypt(key, batchData(Before, "job", 1), packed)
	require.NoError(t, err)
	requireBounded(t, func() {
		_, err := Decrypt(key, Before, "job", 1, sealed)
		require.True(t, FaultChanged.Is(err))
		require.ErrorContains(t, errors.Unwrap(err), "exceeds")
	})
}
