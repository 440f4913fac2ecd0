package auth

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/fault"
)

func TestPasswordIsAcceptedOnlyAsItWasSet(t *testing.T) {
	const password = "correct horse 电池 staple"
	hash, err := HashPassword("olga", password)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$"), hash)
	require.NotContains(t, hash, "horse")
	require.True(t, CheckPassword(hash, password))
	for _, wrong := range []string{"", "Correct horse 电池 staple", password + " ", password[:10], hash} {
		require.False(t, CheckPassword(hash, wrong))
	}
	again, err := HashPassword("olga", password)
	require.NoError(t, err)
	require.NotEqual(t, hash, again)
}

func TestHashOfAnotherProgramIsUnderstood(t *testing.T) {
	// From the argon2 reference implementation's test: 64 MiB, 2 passes, "password", "somesalt".
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	require.True(t, CheckPassword(hash, "password"))
	require.False(t, CheckPassword(hash, "Password"))
}

func TestPasswordLengthIsBounded(t *testing.T) {
	for password, want := range map[string]bool{
		"":                                   false,
		"123456789":                          false,
		"九个字的密码不够长":                          false, // nine characters, though 27 bytes
		"十个字的密码就够长了":                         true,
		strings.Repeat("Qz7-kP!w", 32):       true, // 256 bytes
		strings.Repeat("Qz7-kP!w", 32) + "x": false,
	} {
		_, err := HashPassword("olga", password)
		require.Equal(t, want, err == nil, "%q: %v", password, err)
	}
	_, err := HashPassword("olga", "short")
	require.True(t, FaultPasswordShort.Is(err))
	_, err = HashPassword("olga", strings.Repeat("x", 257))
	require.True(t, FaultPasswordLong.Is(err))
}

func TestPasswordThatIsEasyToGuessIsRefused(t *testing.T) {
	for password, want := range map[string]string{
		"password123":  "password.common",
		"P@ssw0rd2026": "password.common",
		"Passw0rd123!": "password.common",
		"1234567890":   "password.common",
		"ｐａｓｓｗｏｒｄ１２３":  "password.common",
		"𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝𝟏𝟐𝟑": "password.common",
		"qwertyuiop[]":              "password.common",
		"aaaaaaaaaaaaaaaa":          "password.common",
		"iloveyou2020":              "password.common",
		"letmein12345":              "password.common",
		"Summer2026!":               "password.common",
		"woaini1314520":             "password.common",
		"tagsweep2026":              "password.common",
		"olga.ivanova1":             "password.own_name",
		"Olga.Ivanova-2026":         "password.own_name",
		"olga.ivanovaOLGA.IVANOVA":  "password.own_name",
		"avonavi.aglo":              "password.common", // the name backwards
		"olga.ivanova likes rivers": "",
		"purple rivers under snow":  "",
		"下雨天带上两把旧雨伞":                "",
		"gX2-vb9_Lq0w":              "",
	} {
		_, err := HashPassword("Olga.Ivanova", password)
		code := ""
		if f, is := errors.AsType[*fault.Error](err); is {
			code = f.Code
		}
		require.Equal(t, want, code, "%q", password)
	}
}

func TestPasswordOfAnyBytesIsJudged(t *testing.T) {
	for _, password := range []string{"\xff\xfe\x00\x80\xc0 \xf0\x28\x8c\x28", strings.Repeat("\x80", 256), strings.Repeat("😀", 64),
		strings.Repeat("1990-01-01", 25), strings.Repeat("qwerty", 42)} {
		_, err := HashPassword("olga", password)
		require.True(t, err == nil || FaultPasswordCommon.Is(err), "%q: %v", password, err)
	}
}

func TestPasswordHashTooCostlyIsRefused(t *testing.T) {
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, hash := range []string{
		"", "x", "$", "$$$$$", "password",
		"$argon2i$v=19$m=65536,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=16$m=65536,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=65537,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=11,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=0,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=2,p=0$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=2,p=5$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=2,p=257$" + salt + "$" + key,
		"$argon2id$v=19$m=7,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=-1,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=065536,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=2,p=1,x=1$" + salt + "$" + key,
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "=$" + key,
		"$argon2id$v=19$m=65536,t=2,p=1$$" + key,
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$",
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + strings.Repeat("A", 400),
		"$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + key + "$",
	} {
		_, _, _, ok := parse(hash)
		require.False(t, ok, hash)
		require.False(t, CheckPassword(hash, "password"), hash)
	}
}

func TestAtMostTwoHashesAreComputedAtOnce(t *testing.T) {
	require.Equal(t, 2, cap(computing))
	for range cap(computing) {
		computing <- struct{}{} // every place is taken
	}
	var waiting sync.WaitGroup
	started := make(chan struct{}, 3)
	done := make(chan struct{}, 3)
	for range 3 {
		waiting.Go(func() {
			started <- struct{}{}
			CheckNobody("somebody's password")
			done <- struct{}{}
		})
	}
	for range 3 {
		<-started
	}
	require.Empty(t, done)
	for range cap(computing) {
		<-computing
	}
	waiting.Wait()
	require.Len(t, done, 3)
	require.Empty(t, computing)
}

func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$")
	f.Fuzz(func(t *testing.T, hash string) {
		c, salt, key, ok := parse(hash)
		if !ok {
			return
		}
		require.LessOrEqual(t, c.memory, costliest.memory)
		require.LessOrEqual(t, c.passes, costliest.passes)
		require.LessOrEqual(t, c.parallelism, costliest.parallelism)
		require.Equal(t, hash, format(c, salt, key))
	})
}
