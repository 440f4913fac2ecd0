package text

import (
	"bytes"
	"io"
)

// Further places of a file are looked at to detect its encoding.
const (
	furtherPlaces = 24
	furtherBytes  = 4 << 10
)

// ReadHead reads as much of a file as detection sees.
func ReadHead(r io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(r, MaxRecord)) }

// TakeSample takes the beginning of a file, and pieces at some further places.
func TakeSample(file *io.SectionReader) (s Sample, err error) {
	if s.Head, err = ReadHead(io.NewSectionReader(file, 0, file.Size())); err != nil || len(s.Head) < MaxRecord {
		return s, err
	}
	s.Head = wholeLines(s.Head, false)
	for i := range int64(furtherPlaces) {
		piece := make([]byte, furtherBytes)
		n, err := file.ReadAt(piece, MaxRecord+(file.Size()-MaxRecord)*i/furtherPlaces)
		if err != nil && err != io.EOF {
			return s, err
		}
		s.more = append(s.more, wholeLines(piece[:n], true))
	}
	return s, nil
}

// ReadSample reads a stream to its end, which finds damage in what is packed
// before any row is read, and takes pieces where there is text beyond ASCII.
func ReadSample(r io.Reader) (s Sample, err error) {
	if s.Head, err = ReadHead(r); err != nil || len(s.Head) < MaxRecord {
		return s, err
	}
	s.Head = wholeLines(s.Head, false)
	piece := make([]byte, MaxRecord)
	for {
		n, err := io.ReadFull(r, piece) // its own errors are no longer those of io
		if !isASCII(piece[:n]) && len(s.more) < furtherPlaces {
			at := bytes.IndexFunc(piece[:n], func(c rune) bool { return c >= 0x80 })
			at = max(0, min(at-furtherBytes/2, n-furtherBytes))
			s.more = append(s.more, bytes.Clone(wholeLines(piece[at:min(n, at+furtherBytes)], true)))
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return s, nil
		} else if err != nil {
			return s, err
		}
	}
}

// wholeLines cuts off a line that is not there to its end and, of what does not
// begin the file, one that is not there from its beginning.
func wholeLines(piece []byte, inside bool) []byte {
	if inside {
		i := bytes.IndexAny(piece, "\r\n")
		piece = piece[i+1:]
	}
	if i := bytes.LastIndexAny(piece, "\r\n"); i >= 0 {
		return piece[:i+1]
	} else if inside {
		return nil
	}
	// Cut where no character can be, so that none is halved.
	return piece[:1+bytes.LastIndexFunc(piece, func(c rune) bool { return c < '0' })]
}
