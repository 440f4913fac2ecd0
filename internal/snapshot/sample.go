package snapshot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"strconv"
)

// Share is a part of the whole, in millionths.
type Share int64

// All is the whole.
const All Share = 1_000_000

// Sample reports whether number n, such as an account's place in its job, is in
// the random sample of a seed. It depends on nothing else, so that anybody who
// knows the seed gets the same sample, in any order; a larger share holds every
// smaller one of its seed.
//
// Take the first 8 bytes of the HMAC-SHA-256 of n, written in decimal, under
// the seed as the key, as a big-endian number h. The sample holds n when
// h × 1,000,000 / 2^64, rounded down, is less than the share in millionths.
func Sample(seed string, n int64, share Share) bool {
	drawn, _ := bits.Mul64(Draw(seed, n), uint64(All))
	return int64(drawn) < int64(share)
}

// Draw is the number h that a seed gives a number n, see Sample.
func Draw(seed string, n int64) uint64 {
	mac := hmac.New(sha256.New, []byte(seed))
	mac.Write(strconv.AppendInt(nil, n, 10))
	return binary.BigEndian.Uint64(mac.Sum(nil))
}
