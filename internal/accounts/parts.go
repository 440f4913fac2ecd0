package accounts

import (
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zip"
)

const (
	tokenBytes = 1 << 20 // of one piece of XML; a cell holds 32,767 characters
	depth      = 100     // of elements in elements
)

var (
	errToken    = errors.New("a piece of XML is too long")
	errDepth    = errors.New("XML is nested too deep")
	errEntities = errors.New("XML declares a document type")
	errNoPart   = errors.New("a part of the workbook is missing")
)

// part is one XML file of a workbook, read as a stream. The decoder keeps a
// whole token, and every open element, in memory, so both are bounded.
type part struct {
	io.Closer
	in      io.Reader
	decoder *xml.Decoder
	token   int // bytes of the one being read
	depth   int
}

// openPart opens a part of the workbook; progress may be nil.
func (f *file) openPart(directory *zip.Reader, name string, progress *int64) (*part, error) {
	entry := find(directory, name)
	if entry == nil {
		return nil, f.source.why(errNoPart)
	}
	if entry.Flags&1 != 0 {
		return nil, FaultEncrypted.With()
	}
	r, err := entry.Open()
	if err != nil {
		return nil, f.source.why(err)
	}
	in := &unpacked{ReadCloser: r, source: f.source, left: f.limit, limit: f.limit}
	p := &part{Closer: in, in: in}
	if progress != nil {
		p.in = counted{in, progress}
	}
	p.decoder = xml.NewDecoder(p)
	return p, nil
}

func (p *part) Read(b []byte) (int, error) {
	if p.token > tokenBytes {
		return 0, errToken
	}
	n, err := p.in.Read(b[:min(len(b), 64<<10)])
	p.token += n
	return n, err
}

// next returns the next start, end or text; io.EOF at the end.
func (p *part) next() (xml.Token, error) {
	for {
		p.token = 0
		token, err := p.decoder.Token()
		if err != nil {
			return nil, err
		}
		switch token.(type) {
		case xml.StartElement:
			if p.depth++; p.depth > depth {
				return nil, errDepth
			}
			return token, nil
		case xml.EndElement:
			p.depth--
			return token, nil
		case xml.CharData:
			return token, nil
		case xml.Directive:
			return nil, errEntities
		}
	}
}

// each calls f with every element of a part.
func (p *part) each(f func(xml.StartElement) error) error {
	for {
		token, err := p.next()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if start, ok := token.(xml.StartElement); ok {
			if err := f(start); err != nil {
				return err
			}
		}
	}
}

// text is the text up to the end of the element that has just begun: of <t>
// elements when rich, but not what says how others are pronounced.
func (p *part) text(rich bool) (string, error) {
	var text strings.Builder
	inText, silent := !rich, 0
	for level := 1; level > 0; {
		token, err := p.next()
		if err != nil {
			return "", noEnd(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			level++
			inText = inText || token.Name.Local == "t"
			if token.Name.Local == "rPh" {
				silent = level
			}
		case xml.EndElement:
			if level == silent {
				silent = 0
			}
			level--
			inText = inText && !(rich && token.Name.Local == "t")
		case xml.CharData:
			if inText && silent == 0 {
				text.Write(token)
			}
		}
		if text.Len() > tokenBytes {
			return "", errToken
		}
	}
	return text.String(), nil
}

// noEnd: a part that ends inside an element is damaged.
func noEnd(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// relation is where a part points to.
type relation struct{ kind, target string }

// relations reads what a part points to, by id. Targets are names of parts;
// those outside of the workbook are left out.
func (f *file) relations(directory *zip.Reader, of string) (map[string]relation, error) {
	folder, name := path.Split(of)
	p, err := f.openPart(directory, folder+"_rels/"+name+".rels", nil)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	all := map[string]relation{}
	err = p.each(func(e xml.StartElement) error {
		if e.Name.Local != "Relationship" || attribute(e, "TargetMode") == "External" {
			return nil
		}
		target := attribute(e, "Target")
		if !strings.HasPrefix(target, "/") {
			target = folder + target
		}
		all[attribute(e, "Id")] = relation{path.Base(attribute(e, "Type")), strings.TrimPrefix(path.Clean("/"+target), "/")}
		return nil
	})
	if err != nil {
		return nil, f.source.why(err)
	}
	return all, nil
}
