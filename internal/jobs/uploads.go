package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"tagsweep/internal/audit"
	"tagsweep/internal/heavy"
	"tagsweep/internal/store"
)

// An upload is kept as chunks of this many bytes, compressed one by one, so
// that neither writing nor reading it needs more memory than one.
const chunkBytes = 1 << 20

// storeUpload stores a file under its SHA-256, once, a chunk a transaction, and
// then runs use in the transaction that makes sure that all of it is there.
func (s *Jobs) storeUpload(ctx context.Context, file *io.SectionReader, use func(tx *store.Tx, digest string) error) error {
	digest, err := digestOf(file)
	if err != nil {
		return err
	}
	for {
		if err := s.storeChunks(ctx, digest, file); err != nil {
			return err
		}
		err := s.db.Tx(ctx, func(tx *store.Tx) error {
			// The file is locked, so that nobody removes it while a job starts to reference it.
			err := store.One(ctx, tx, errUploadRemoved, `UPDATE uploads SET bytes = bytes WHERE sha256 = $1`, digest)
			if err != nil {
				return err
			}
			chunks, err := store.Value[int64](ctx, tx, `SELECT COUNT(*) FROM upload_chunks WHERE sha256 = $1`, digest)
			if err != nil {
				return err
			}
			if chunks != chunksOf(file.Size()) {
				return errUploadRemoved
			}
			return use(tx, digest)
		})
		if !errors.Is(err, errUploadRemoved) {
			return err
		}
	}
}

// digestOf is the SHA-256 of a file in hex.
func digestOf(file *io.SectionReader) (string, error) {
	hash := sha256.New()
	_, err := io.Copy(hash, io.NewSectionReader(file, 0, file.Size()))
	return hex.EncodeToString(hash.Sum(nil)), err
}

var errUploadRemoved = errors.New("jobs: another upload of the same file was given up meanwhile")

func chunksOf(bytes int64) int64 { return (bytes + chunkBytes - 1) / chunkBytes }

func (s *Jobs) storeChunks(ctx context.Context, digest string, file *io.SectionReader) error {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	defer encoder.Close()
	err = s.db.Exec(ctx, `INSERT INTO uploads (sha256, bytes, created_at) VALUES ($1, $2, $3) ON CONFLICT (sha256) DO NOTHING`,
		digest, file.Size(), store.Millis(s.db.Now()))
	chunk, packed := make([]byte, chunkBytes), []byte(nil)
	for number := int64(0); err == nil && number < chunksOf(file.Size()); number++ {
		part := chunk[:min(chunkBytes, file.Size()-number*chunkBytes)]
		if _, err = file.ReadAt(part, number*chunkBytes); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		packed = encoder.EncodeAll(part, packed[:0])
		err = s.db.Exec(ctx, `INSERT INTO upload_chunks (sha256, number, data) VALUES ($1, $2, $3)
			ON CONFLICT (sha256, number) DO NOTHING`,
			digest, number, packed)
	}
	return err
}

// DiscardUploads removes the files that arrived before a time and that no job
// holds on to: the console ended before it could answer. It returns how many.
func (s *Jobs) DiscardUploads(ctx context.Context, before time.Time) (int, error) {
	const unused = `created_at < $1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE file_sha256 = uploads.sha256)`
	digests, err := store.Column[string](ctx, s.db.Reader(),
		`SELECT sha256 FROM uploads WHERE `+unused, store.Millis(before))
	for _, digest := range digests {
		if err != nil {
			break
		}
		err = s.db.Tx(ctx, func(tx *store.Tx) error {
			// A job may have taken it meanwhile: then there is nothing to do.
			still, err := tx.Changed(ctx, `UPDATE uploads SET bytes = bytes WHERE sha256 = $2 AND `+unused, store.Millis(before), digest)
			if err != nil || still == 0 {
				return err
			}
			if err = tx.Exec(ctx, `DELETE FROM upload_chunks WHERE sha256 = $1`, digest); err == nil {
				err = tx.Exec(ctx, `DELETE FROM uploads WHERE sha256 = $1`, digest)
			}
			return err
		})
	}
	return len(digests), err
}

// unpacker is shared by all files: it keeps what it unpacked last.
var unpacker = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderMaxMemory(16*chunkBytes))
})

// File opens the file of a job, byte for byte as it was uploaded. It may be read by
// one goroutine at a time.
func (s *Jobs) File(ctx context.Context, j Job) (*io.SectionReader, error) {
	decoder, err := unpacker()
	if err != nil {
		return nil, err
	}
	file := &storedFile{ctx: ctx, db: s.db, digest: j.FileSHA256, decoder: decoder, number: -1}
	return io.NewSectionReader(file, 0, j.FileBytes), nil
}

// storedFile holds one chunk at a time, unpacked.
type storedFile struct {
	ctx     context.Context
	db      *store.DB
	digest  string
	decoder *zstd.Decoder
	number  int64 // of the chunk held
	chunk   []byte
}

// ReadAt implements io.ReaderAt.
func (f *storedFile) ReadAt(p []byte, at int64) (n int, err error) {
	if err := heavy.Of(f.ctx).Turn(f.ctx); err != nil {
		return 0, err
	}
	for n < len(p) {
		if err := f.hold(at / chunkBytes); err != nil {
			return n, err
		}
		from := at % chunkBytes
		if from >= int64(len(f.chunk)) {
			return n, io.ErrUnexpectedEOF // never the end of the file: what is missing must not look like one
		}
		some := copy(p[n:], f.chunk[from:])
		n, at = n+some, at+int64(some)
	}
	return n, nil
}

func (f *storedFile) hold(number int64) error {
	if number == f.number {
		return nil
	}
	f.number = -1
	data, err := store.Value[[]byte](f.ctx, f.db.Reader(),
		`SELECT data FROM upload_chunks WHERE sha256 = $1 AND number = $2`, f.digest, number)
	if err == nil {
		f.chunk, err = f.decoder.DecodeAll(data, f.chunk[:0])
	}
	if err != nil {
		return fmt.Errorf("jobs: chunk %d of upload %s: %w", number, f.digest, err)
	}
	f.number = number
	return nil
}

// verifyUploads hashes every file that a job holds on to.
func (s *Jobs) verifyUploads(ctx context.Context, tx *store.Tx, v *audit.Verified) error {
	holders := paged(func(last Job) ([]Job, error) {
		return store.Collect(ctx, tx, func(row store.Scanner) (j Job, err error) { return j, row.Scan(&j.FileSHA256, &j.FileBytes, &j.ID) }, `
			SELECT file_sha256, MAX(file_bytes), MIN(id) FROM jobs WHERE file_sha256 > $1 GROUP BY file_sha256
			ORDER BY file_sha256 LIMIT 100`, last.FileSHA256)
	})
	for j, err := range holders {
		if err != nil {
			return err
		}
		file, err := s.File(ctx, j)
		if err != nil {
			return err
		}
		digest, err := digestOf(file)
		if ctx.Err() != nil {
			return err
		}
		if err != nil || digest != j.FileSHA256 {
			v.Add("job %s: the stored file is not the uploaded file", j.ID)
		}
	}
	return nil
}
