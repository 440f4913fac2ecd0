package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
)

// Sample draws n different numbers of 1 … total by chance that anybody can draw
// again: the i-th try, from 0, is the first 8 bytes of SHA-256 of "seed:i" as a
// big-endian number, modulo total, plus 1; numbers already drawn are skipped.
// It returns them in the order they were drawn, all of them when n is larger.
func Sample(seed string, n, total int64) []int64 {
	drawn, seen := []int64{}, map[int64]bool{}
	for i := int64(0); int64(len(drawn)) < min(n, total); i++ {
		sum := sha256.Sum256([]byte(seed + ":" + strconv.FormatInt(i, 10)))
		number := int64(binary.BigEndian.Uint64(sum[:8])%uint64(total)) + 1
		if !seen[number] {
			seen[number] = true
			drawn = append(drawn, number)
		}
	}
	return drawn
}
