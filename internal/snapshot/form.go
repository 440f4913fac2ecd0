package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// The form of a batch, numbers as uvarints unless it says otherwise:
//
//	number of accounts
//	for each: its place, less the place before it and 1
//	for each: number of tags
//	number of distinct tags, their lengths, their bytes; ascending
//	for every tag of every account: its number among the distinct, as bytes:
//	  all the lowest, then all the second, then all the third, as many as needed
//
// Like beside like is what compresses well.

var errForm = errors.New("snapshot: not the form of a batch")

// encode writes accounts, whose places must ascend, and their tags once each.
func encode(accounts []Account) ([]byte, error) {
	if len(accounts) > MaxAccounts {
		return nil, fmt.Errorf("snapshot: %d accounts in a batch", len(accounts))
	}
	var gaps, counts []byte
	var tags []string
	before := int64(-1)
	for _, account := range accounts {
		once := unique(account.Tags)
		if account.Seq <= before {
			return nil, fmt.Errorf("snapshot: account %d follows account %d", account.Seq, before)
		}
		if len(once) > MaxTags {
			return nil, FaultTooMany.With(account.Seq, len(once), MaxTags)
		}
		gaps = binary.AppendUvarint(gaps, uint64(account.Seq-before-1))
		before = account.Seq
		counts = binary.AppendUvarint(counts, uint64(len(once)))
		tags = append(tags, once...)
	}
	numbers := map[string]int{}
	for _, tag := range tags {
		numbers[tag] = 0
	}
	names := slices.Sorted(maps.Keys(numbers))

	form := binary.AppendUvarint(nil, uint64(len(accounts)))
	form = append(append(form, gaps...), counts...)
	form = binary.AppendUvarint(form, uint64(len(names)))
	for i, name := range names {
		numbers[name] = i
		form = binary.AppendUvarint(form, uint64(len(name)))
	}
	for _, name := range names {
		form = append(form, name...)
	}
	for plane := range width(len(names)) {
		for _, tag := range tags {
			form = append(form, byte(numbers[tag]>>(8*plane)))
		}
	}
	if len(form) > maxForm {
		return nil, FaultTooLarge.With(maxForm >> 20)
	}
	return form, nil
}

// width is how many bytes number so many names.
func width(names int) int {
	switch {
	case names <= 1<<8:
		return 1
	case names <= 1<<16:
		return 2
	}
	return 3 // MaxAccounts × MaxTags are fewer than 1<<24
}

// decode reads what encode wrote, and nothing else: a batch has one form. It
// allocates no more than a form of the length could hold.
func decode(form []byte) ([]Account, error) {
	r := reader{rest: form}
	accounts := make([]Account, r.number(MaxAccounts))
	before := int64(-1)
	for i := range accounts {
		gap := r.uvarint()
		if gap > math.MaxInt64 || before > math.MaxInt64-1-int64(gap) {
			return nil, errForm
		}
		before += 1 + int64(gap)
		accounts[i].Seq = before
	}
	counts, assignments := make([]int, len(accounts)), 0
	for i := range counts {
		counts[i] = r.number(MaxTags)
		assignments += counts[i]
	}
	lengths := make([]int, r.number(min(assignments, len(r.rest))))
	for i := range lengths {
		lengths[i] = r.number(len(r.rest))
	}
	names := make([]string, len(lengths))
	for i, length := range lengths {
		names[i] = string(r.bytes(length))
		if i > 0 && names[i] <= names[i-1] {
			return nil, errForm
		}
	}
	planes := r.bytes(assignments * width(len(names)))
	if r.failed || len(r.rest) > 0 {
		return nil, errForm
	}

	last := make([]int, len(names)) // who had it last, counted from 1
	at := 0
	for i, count := range counts {
		if count > 0 {
			accounts[i].Tags = make([]string, count)
		}
		for j := range count {
			number := 0
			for plane := range width(len(names)) {
				number |= int(planes[plane*assignments+at]) << (8 * plane)
			}
			if number >= len(names) || last[number] == i+1 {
				return nil, errForm
			}
			last[number] = i + 1
			accounts[i].Tags[j] = names[number]
			at++
		}
	}
	if slices.Contains(last, 0) {
		return nil, errForm
	}
	return accounts, nil
}

// reader yields zeros once it has failed.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) uvarint() uint64 {
	number, length := binary.Uvarint(r.rest)
	if length <= 0 || length > 1 && r.rest[length-1] == 0 {
		r.rest, r.failed = nil, true
		return 0
	}
	r.rest = r.rest[length:]
	return number
}

func (r *reader) number(most int) int {
	number := r.uvarint()
	if number > uint64(most) {
		r.rest, r.failed = nil, true
		return 0
	}
	return int(number)
}

func (r *reader) bytes(length int) []byte {
	if length > len(r.rest) {
		r.rest, r.failed = nil, true
		return nil
	}
	taken := r.rest[:length]
	r.rest = r.rest[length:]
	return taken
}

// The checksum is left out: decryption proves more.
var compressor = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
})

var decompressor = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxForm))
})
