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
		sealed  = "014152ba8e372a18d7b3b8ef47e58527b2db09b35663a31e40ae105279244b086d160fe5dc0ac445f582580bedf34d4145b04c4948a096be1ad64e7358d39fa72ef6dfa771e5bc0b6d409484adf722010d378f0839da5d7a9fa92f1798b27a5a67d2c57ed4c681f834022c2d7352c3c48e95ea3414281eb0b0810d6828cd0a242291edb629164b"
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
	accounts, err := Decrypt(key, Before, job, 3, bytes(sealed))
	require.NoError(t, err)
	require.Equal(t, []Account{{201, []string{"vip", "会员"}}, {202, nil}, {205, []string{"gold", "vip", "<a>"}}}, accounts)
	require.Equal(t, "f4e25bfa42373a6e634398351315339b578afc1bdac8881cec3ec6752cdd1e92", Digest(bytes(sealed)))
}
