package snapshot

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

// packed is the JSON of a batch: for each account from place First on, the numbers of
// its Names; null if its tags were not read.
type packed struct {
	First int64    `json:"first"`
	Names []string `json:"names"`
	Tags  [][]int  `json:"tags"`
}

// pack writes accounts, whose places must ascend within a batch, and each tag once.
func pack(accounts []Account) ([]byte, error) {
	f := packed{Names: []string{}, Tags: make([][]int, 0, len(accounts))}
	numbers := map[string]int{}
	for i, account := range accounts {
		if i == 0 {
			f.First = account.Seq
		}
		place := account.Seq - f.First
		if account.Seq < 0 || place < int64(len(f.Tags)) || place >= MaxAccounts {
			return nil, fmt.Errorf("snapshot: account %d in a batch from account %d on", account.Seq, f.First)
		}
		tags := make([]int, 0, len(account.Tags)) // none are [], not null
		for _, tag := range account.Tags {
			number, known := numbers[tag]
			if !known {
				if !utf8.ValidString(tag) {
					return nil, fmt.Errorf("snapshot: account %d has a tag that is not UTF-8", account.Seq)
				}
				number = len(f.Names)
				numbers[tag] = number
				f.Names = append(f.Names, tag)
			}
			if slices.Contains(tags, number) {
				continue
			}
			if tags = append(tags, number); len(tags) > MaxTags {
				return nil, FaultTooMany.With(account.Seq, len(unique(account.Tags)), MaxTags)
			}
		}
		f.Tags = append(append(f.Tags, make([][]int, int(place)-len(f.Tags))...), tags)
	}
	text, err := json.Marshal(f)
	if err == nil && len(text) > maxPacked {
		err = FaultTooLarge.With(maxPacked >> 20)
	}
	return text, err
}

// unpack reads what pack wrote.
func unpack(text []byte) ([]Account, error) {
	var f packed
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	accounts := make([]Account, 0, len(f.Tags))
	for place, tags := range f.Tags {
		if tags == nil {
			continue
		}
		account := Account{Seq: f.First + int64(place)}
		for _, number := range tags {
			if number < 0 || number >= len(f.Names) {
				return nil, fmt.Errorf("snapshot: account %d has a tag %d of %d", account.Seq, number, len(f.Names))
			}
			account.Tags = append(account.Tags, f.Names[number])
		}
		accounts = append(accounts, account)
	}
	return accounts, nil
}

// The checksum is left out: decryption proves more.
var compressor = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
})

var decompressor = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxPacked))
})
