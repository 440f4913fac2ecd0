package tim

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"
)

const sampleKey = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e" // of the README of Tencent's library

type unpacked struct {
	Version    string `json:"TLS.ver"`
	Identifier string `json:"TLS.identifier"`
	SDKAppID   int    `json:"TLS.sdkappid"`
	Expire     int    `json:"TLS.expire"`
	Time       int    `json:"TLS.time"`
	Sig        string `json:"TLS.sig"`
}

func unpack(t *testing.T, userSig string) (u unpacked) {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(strings.NewReplacer("*", "+", "-", "/", "_", "=").Replace(userSig))
	require.NoError(t, err)
	stream, err := zlib.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(stream).Decode(&u))
	return u
}

func TestUserSigMatchesTencentsVectors(t *testing.T) {
	for _, vector := range []struct {
		identifier string
		life       time.Duration
		sig        string
	}{
		{"administrator", 86400 * time.Second, "yLAe+w7WUeUuqbV9h/TX78u21oTGi+i9Zp1u3PpnY60="},
		{"xiaojun", 15552000 * time.Second, "LvA7d/Iw7gSsnskvVzBDPOCCDbuNCw4GHwTC0bip+B4="},
	} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(time.Unix(1700000000, 0))) // the bubble's clock jumps there
			userSig, err := sign(1400000000, sampleKey, vector.identifier, vector.life)
			require.NoError(t, err)
			require.Equal(t, unpacked{
				Version: "2.0", Identifier: vector.identifier, SDKAppID: 1400000000,
				Expire: int(vector.life / time.Second), Time: 1700000000, Sig: vector.sig,
			}, unpack(t, userSig))
		})
	}
}

func testSigner(now func() time.Time) *signer {
	return newSigner(Config{SDKAppID: 1400000000, SecretKey: sampleKey, Identifier: "administrator", Now: now})
}

func TestUserSigIsKeptForNineTenthsOfItsLife(t *testing.T) {
	now := time.Now()
	s := testSigner(func() time.Time { return now })
	first, err := s.current()
	require.NoError(t, err)
	now = now.Add(userSigLife*9/10 - time.Second)
	again, err := s.current()
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.NoError(t, tencentyun.VerifyUserSig(1400000000, sampleKey, "administrator", again.text, now))

	now = now.Add(time.Second)
	second, err := s.current()
	require.NoError(t, err)
	require.NotEqual(t, first.id, second.id)
}

func TestUserSigOfTheFutureIsNotKept(t *testing.T) {
	now := time.Now()
	s := testSigner(func() time.Time { return now })
	first, _ := s.current()
	now = now.Add(-time.Hour) // the clock was set back
	second, _ := s.current()
	require.NotEqual(t, first.id, second.id)
}

func TestForgettingAnOldUserSigDoesNothing(t *testing.T) {
	s := testSigner(time.Now)
	first, _ := s.current()
	var callers sync.WaitGroup
	for range 50 { // all of whose calls were refused with the first signature
		callers.Go(func() {
			s.forget(first.id)
			_, err := s.current()
			require.NoError(t, err)
		})
	}
	callers.Wait()
	last, _ := s.current()
	require.Equal(t, "2", last.id)
}
