package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// An upload is kept as chunks of this many bytes, compressed one by one, so
// that neither writing nor reading it needs more memory than one.
const chunkBytes = 1 << 20

// digestOf reads a file and goes back to its beginning.
func digestOf(file io.ReadSeeker) (digest string, size int64, err error) {
	hash := sha256.New()
	if size, err = io.Copy(hash, file); err != nil {
		return "", 0, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return hex.EncodeToString(hash.Sum(nil)), size, err
}

// keepChunks stores a file under its SHA-256, once, a chunk a transaction.
func (s *Store) keepChunks(ctx context.Context, digest string, file io.Reader) error {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	defer encoder.Close()
	chunk := make([]byte, chunkBytes)
	for number := 0; ; number++ {
		n, err := io.ReadFull(file, chunk)
		if n > 0 {
			_, err := s.write.ExecContext(ctx, `INSERT INTO upload_chunks (sha256, number, data) VALUES ($1, $2, $3) ON CONFLICT (sha256, number) DO NOTHING`,
				digest, number, encoder.EncodeAll(chunk[:n], nil))
			if err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// upload reads a kept file back, byte for byte as it was uploaded.
func (s *Store) upload(ctx context.Context, digest string) (io.ReadCloser, error) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(16*chunkBytes))
	if err != nil {
		return nil, err
	}
	return &uploadReader{ctx: ctx, store: s, digest: digest, decoder: decoder}, nil
}

type uploadReader struct {
	ctx     context.Context
	store   *Store
	digest  string
	decoder *zstd.Decoder
	next    int64
	rest    []byte
	buffer  []byte
}

func (r *uploadReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		var data []byte
		err := r.store.read.QueryRowContext(r.ctx, `SELECT data FROM upload_chunks WHERE sha256 = $1 AND number = $2`, r.digest, r.next).Scan(&data)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
		if r.buffer, err = r.decoder.DecodeAll(data, r.buffer[:0]); err != nil {
			return 0, fmt.Errorf("store: chunk %d of upload %s: %w", r.next, r.digest, err)
		}
		r.rest = r.buffer
		r.next++
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *uploadReader) Close() error {
	r.decoder.Close()
	return nil
}
