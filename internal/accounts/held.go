package accounts

import "io"

const heldPiece = 1 << 20

// held is what was unpacked, in pieces, so that nothing is copied as it grows.
type held [][]byte

// hold reads all, up to one byte more than the limit.
func hold(r io.Reader, limit int64) (h held, size int64, err error) {
	for r = io.LimitReader(r, limit+1); ; {
		piece := make([]byte, heldPiece)
		n, err := io.ReadFull(r, piece)
		if n > 0 {
			h, size = append(h, piece[:n]), size+int64(n)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return h, size, nil
		} else if err != nil {
			return nil, 0, err
		}
	}
}

func (h held) ReadAt(b []byte, at int64) (n int, err error) {
	for n < len(b) {
		i, from := int((at+int64(n))/heldPiece), int((at+int64(n))%heldPiece)
		if i >= len(h) || from >= len(h[i]) {
			return n, io.EOF
		}
		n += copy(b[n:], h[i][from:])
	}
	return n, nil
}
