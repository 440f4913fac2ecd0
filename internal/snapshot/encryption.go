package snapshot

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

const (
	version = 1 // the first byte of encrypted data and of a wrapped key

	idBytes  = 8 // of a wrapped key: which master it was wrapped under
	sumBytes = 4 // of a wrapped key: tells damage from another master
)

var (
	errNoKey   = errors.New("snapshot: the key is missing")
	errVersion = errors.New("snapshot: written in a version this program does not know")
	errSum     = errors.New("snapshot: the checksum does not fit")
)

// Key encrypts the snapshots of one job. The zero Key is none.
type Key struct{ bytes [32]byte }

// NewKey makes a random key.
func NewKey() (key Key) {
	rand.Read(key.bytes[:]) // never fails
	return key
}

// Format hides the key.
func (Key) Format(f fmt.State, _ rune) { io.WriteString(f, "[hidden]") }

// Purpose says what the tags of an encrypted batch are.
type Purpose byte

const (
	Before Purpose = 'b' // those that accounts had before a job changed them
	Wanted Purpose = 'w' // those a job is to add or remove
)

// Encrypt returns the snapshot of a batch: AES-256-GCM over zstd, bound to its key,
// purpose, job and batch. Accounts ascend by their places; repeated tags of an account
// are stored once. Each result is different. Faults: FaultTooMany, FaultTooLarge.
func Encrypt(key Key, purpose Purpose, job string, batch int64, accounts []Account) ([]byte, error) {
	form, err := pack(accounts)
	if err != nil {
		return nil, err
	}
	zip, err := compressor()
	if err != nil {
		return nil, err
	}
	return encrypt(key, batchData(purpose, job, batch), zip.EncodeAll(form, nil))
}

// Decrypt returns the accounts of a snapshot, nil Tags for one that had none. An
// error is FaultErased when key is the zero Key, else FaultChanged.
func Decrypt(key Key, purpose Purpose, job string, batch int64, sealed []byte) ([]Account, error) {
	if key == (Key{}) {
		return nil, FaultErased.With(job)
	}
	changed := func(err error) ([]Account, error) { return nil, FaultChanged.Because(err, batch, job) }
	packed, err := decrypt(key, batchData(purpose, job, batch), sealed)
	if err != nil {
		return changed(err)
	}
	zip, err := decompressor()
	if err != nil {
		return nil, err
	}
	form, err := zip.DecodeAll(packed, nil)
	if err != nil {
		return changed(err)
	}
	accounts, err := unpack(form)
	if err != nil {
		return changed(err)
	}
	return accounts, nil
}

// Digest returns the SHA-256 of an encrypted snapshot in hex. It may outlive the key:
// without the key, it reveals nothing about the tags.
func Digest(sealed []byte) string {
	sum := sha256.Sum256(sealed)
	return hex.EncodeToString(sum[:])
}

// Wrap encrypts a job's key with the console's master key. Deleting every copy of the
// result erases the job's snapshots.
func Wrap(master [32]byte, job string, key Key) ([]byte, error) {
	if key == (Key{}) {
		return nil, errNoKey
	}
	sealed, err := encrypt(Key{master}, keyData(job), key.bytes[:])
	if err != nil {
		return nil, err
	}
	wrapped := append(masterID(master), sealed...)
	sum := sha256.Sum256(wrapped)
	return append(wrapped, sum[:sumBytes]...), nil
}

// Unwrap returns the key that was wrapped. An error is FaultErased when wrapped
// is empty, FaultOtherKey when it was wrapped under another master, and
// FaultKeyChanged when it is damaged or another job's.
func Unwrap(master [32]byte, job string, wrapped []byte) (key Key, err error) {
	if len(wrapped) == 0 {
		return Key{}, FaultErased.With(job)
	}
	changed := func(err error) (Key, error) { return Key{}, FaultKeyChanged.Because(err, job) }
	if len(wrapped) < idBytes+sumBytes {
		return changed(io.ErrUnexpectedEOF)
	}
	body, end := wrapped[:len(wrapped)-sumBytes], wrapped[len(wrapped)-sumBytes:]
	if sum := sha256.Sum256(body); string(sum[:sumBytes]) != string(end) {
		return changed(errSum)
	}
	if string(body[:idBytes]) != string(masterID(master)) {
		return Key{}, FaultOtherKey.With(job)
	}
	plain, err := decrypt(Key{master}, keyData(job), body[idBytes:])
	if err != nil {
		return changed(err)
	}
	if copy(key.bytes[:], plain) != len(key.bytes) || len(plain) != len(key.bytes) {
		return changed(io.ErrUnexpectedEOF)
	}
	return key, nil
}

// masterID identifies a master key without revealing it.
func masterID(master [32]byte) []byte {
	mac := hmac.New(sha256.New, master[:])
	mac.Write([]byte("tagsweep snapshot master"))
	return mac.Sum(nil)[:idBytes]
}

// batchData and keyData are authenticated with the encrypted data. The job comes last,
// so that two different inputs never give the same bytes.
func batchData(purpose Purpose, job string, batch int64) []byte {
	return append(binary.BigEndian.AppendUint64(append([]byte("tagsweep batch "), byte(purpose)), uint64(batch)), job...)
}

func keyData(job string) []byte { return append([]byte("tagsweep snapshot key\x00"), job...) }

// encrypt returns the version, a random nonce and the encrypted text. Random
// nonces are safe for 2^32 texts of a key; a batch may be encrypted more than once.
func encrypt(key Key, data, plain []byte) ([]byte, error) {
	if key == (Key{}) {
		return nil, errNoKey
	}
	sealer, err := gcm(key)
	if err != nil {
		return nil, err
	}
	return sealer.Seal([]byte{version}, nil, plain, data), nil
}

func decrypt(key Key, data, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	if sealed[0] != version {
		return nil, errVersion
	}
	sealer, err := gcm(key)
	if err != nil {
		return nil, err
	}
	return sealer.Open(nil, nil, sealed[1:], data)
}

func gcm(key Key) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key.bytes[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
