package snapshot

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is stored must open in every later version: change these bytes never,
// add to them.
func TestSnapshotOfEarlierVersionOpens(t *testing.T) {
	const (
		job     = "0r8k3v9q2m5t7x1c"
		wrapped = "27ffa67813e9977b01c550bedfe36287abe13321fcfd07c6bc6ea0a3513d0184566fe512069d79c1b7b813a2caaead6db8d0f601087557fcab36a2ef5c1b7ed14306e8e879deb1cc69"
		sealed  = "01a3293d56f46eb98b37a1b30762a5dca68efaa1e62fe96a4beeca43ee429452270f8e48a1239c4147ad97685d7f9e535d47d6e0af2be75d1c9d1ca0a928ec4158f97bb6fc1c"
	)
	var master [32]byte
	for i := range master {
		master[i] = byte(i)
	}
	bytes := func(text string) []byte {
		decoded, err := hex.DecodeString(text)
		require.NoError(t, err)
		return decoded
	}
	key, err := Unwrap(master, job, bytes(wrapped))
	require.NoError(t, err)
	accounts, err := Open(key, Before, job, 3, bytes(sealed))
	require.NoError(t, err)
	require.Equal(t, []Account{{201, []string{"vip", "会员"}}, {202, nil}, {205, []string{"gold", "vip", "\xff"}}}, accounts)
	require.Equal(t, "ec7198aa933a191bfc45c595e0d4b9e2a6f5d46749db20c1c825d7a35005a1c9", Digest(bytes(sealed)))
}
