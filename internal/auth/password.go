package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn"
	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"tagsweep/internal/fault"
)

// Bounds of a password: the least length in characters, the greatest in bytes.
const (
	MinPassword = 10
	MaxPassword = 256
)

// Faults of a new password.
var (
	FaultPasswordShort = fault.Declare(fault.Invalid, "password.short",
		"The password was not set: it has fewer than %d characters. Use a longer one, such as a few unrelated "+
			"words.")
	FaultPasswordLong = fault.Declare(fault.Invalid, "password.long",
		"The password was not set: it is longer than %d bytes. Use a shorter one.")
	FaultPasswordOwnName = fault.Declare(fault.Invalid, "password.own_name",
		"The password was not set: it is little more than the user name. Use one without it, such as a few "+
			"unrelated words.")
	FaultPasswordCommon = fault.Declare(fault.Invalid, "password.common",
		"The password was not set: it is easy to guess, because it is made of common passwords, names, dates or "+
			"repeated characters. Use another one, such as a few unrelated words.")
)

// cost is what a hash takes to compute; its names are those of RFC 9106.
type cost struct {
	memory      uint32 // KiB
	passes      uint32
	parallelism uint8
}

// chosen is a minimum of OWASP's Password Storage Cheat Sheet: 19 MiB, 2 passes.
var chosen = cost{memory: 19 << 10, passes: 2, parallelism: 1}

// costliest bounds what a stored hash can make this program spend.
var costliest = cost{memory: 64 << 10, passes: 10, parallelism: 4}

const (
	saltBytes = 16
	keyBytes  = 32
)

// computing holds a place for each hash computed at once: each takes its
// memory, and sign-in is open to everybody.
var computing = make(chan struct{}, 2)

func derive(password string, salt []byte, c cost, length uint32) []byte {
	computing <- struct{}{}
	defer func() { <-computing }()
	return argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.parallelism, length)
}

// HashPassword returns the argon2id hash of a new password for a user as a PHC
// string, or a fault when it is too short, too long or easy to guess.
func HashPassword(name, password string) (string, error) {
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return "", FaultPasswordShort.With(MinPassword)
	case len(password) > MaxPassword:
		return "", FaultPasswordLong.With(MaxPassword)
	case madeOfName(name, usual(password)):
		return "", FaultPasswordOwnName.With()
	case isCommon(name, usual(password)):
		return "", FaultPasswordCommon.With()
	}
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	return format(chosen, salt, derive(password, salt, chosen, keyBytes)), nil
}

// usual is a password in the usual forms of its characters: full-width letters, as some
// keyboards type them, are as easy to guess.
func usual(password string) string { return norm.NFKC.String(password) }

// madeOfName reports whether too little is left of a password without the user's name.
func madeOfName(name, password string) bool {
	name, password = foldName(name), strings.ToLower(password)
	if len(name) < 3 || !strings.Contains(password, name) {
		return false
	}
	return utf8.RuneCountInString(strings.ReplaceAll(password, name, "")) < MinPassword-2
}

// expectedWords are those that somebody would try first here, beside the lists of zxcvbn.
var expectedWords = []string{"tagsweep", "tencent", "woaini", "wanan", "5201314", "1314520"}

// isCommon reports whether a program that knows lists of leaked passwords, names and
// keyboard patterns needs fewer than 10^8 guesses. The beginning of a long one is
// enough: estimating takes time that grows with the square of the length.
func isCommon(name, password string) bool {
	const estimated, moderate = 64, 3
	if runes := []rune(password); len(runes) > estimated {
		password = string(runes[:estimated])
	}
	return zxcvbn.PasswordStrength(password, append([]string{foldName(name)}, expectedWords...)).Score < moderate
}

// CheckPassword reports whether the password is the one that was hashed. It is
// false for a hash that is malformed or would cost too much.
func CheckPassword(hash, password string) bool {
	c, salt, key, ok := parse(hash)
	if !ok || len(password) > MaxPassword {
		return false
	}
	return subtle.ConstantTimeCompare(derive(password, salt, c, uint32(len(key))), key) == 1
}

// CheckNobody spends the time CheckPassword takes, so that an unknown user
// cannot be told from a wrong password.
func CheckNobody(password string) {
	if len(password) <= MaxPassword {
		derive(password, make([]byte, saltBytes), chosen, keyBytes)
	}
}

// format writes the PHC string format, such as $argon2id$v=19$m=19456,t=2,p=1$salt$key.
func format(c cost, salt, key []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, c.memory, c.passes, c.parallelism, b64(salt), b64(key))
}

// parse reads what format writes, and nothing else, within bounds.
func parse(hash string) (c cost, salt, key []byte, ok bool) {
	parts := strings.Split(hash, "$")
	if len(hash) > 300 || len(parts) != 6 {
		return cost{}, nil, nil, false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.passes, &c.parallelism); err != nil {
		return cost{}, nil, nil, false
	}
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	key, keyErr := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	switch {
	case saltErr != nil, keyErr != nil,
		len(salt) < 8 || len(salt) > 64, len(key) < 16 || len(key) > 64,
		c.parallelism < 1 || c.parallelism > costliest.parallelism,
		c.memory < 8*uint32(c.parallelism) || c.memory > costliest.memory,
		c.passes < 1 || c.passes > costliest.passes,
		format(c, salt, key) != hash:
		return cost{}, nil, nil, false
	}
	return c, salt, key, true
}
