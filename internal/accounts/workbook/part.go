package workbook

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"

	"tagsweep/internal/accounts/archive"
)

const (
	tokenBytes = 1 << 20 // of one piece of XML; a cell holds 32,767 characters
	depth      = 100     // of elements in elements
	attributes = 100     // of an element
	nameBytes  = 255     // of a sheet or a part

	maxRelations = 10_000
)

var relationKinds = []string{"officeDocument", "extended-properties", "extendedProperties", "worksheet",
	"sharedStrings", "styles"}

var (
	errToken    = errors.New("a piece of XML is too long")
	errDepth    = errors.New("XML is nested too deep")
	errEntities = errors.New("XML declares a document type")
	errName     = errors.New("a name is too long, or a sheet is there twice")
	errEncoding = errors.New("XML is written in an unknown encoding")
)

// part is one XML file of a workbook, read as a stream. The decoder keeps a
// whole token, and every open element, in memory, so both are bounded.
type part struct {
	io.Closer
	in      io.Reader
	decoder *xml.Decoder
	budget  *archive.Budget
	token   int // bytes of the one being read
	depth   int
}

// openPart opens a part of the workbook; progress may be nil.
func (w *Workbook) openPart(name string, b *archive.Budget, progress *archive.Progress) (*part, error) {
	r, err := w.zip.Open(name, b)
	if err != nil {
		return nil, err
	}
	p := &part{Closer: r, in: r, budget: b}
	if progress != nil {
		p.in = progress.Of(r, w.zip.UnpackedSize(name))
	}
	begin := bufio.NewReader(p.in)
	p.in = begin
	switch head, _ := begin.Peek(2); string(head) {
	case "\xff\xfe", "<\x00":
		p.in = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Reader(begin)
	case "\xfe\xff", "\x00<":
		p.in = unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder().Reader(begin)
	}
	p.decoder = xml.NewDecoder(p)
	p.decoder.CharsetReader = charset
	return p, nil
}

// charset decodes a part that says how it is written. What says that it is UTF-16,
// and can be read, is not, or is decoded by now.
func charset(name string, r io.Reader) (io.Reader, error) {
	name = strings.ToLower(name)
	if strings.HasPrefix(name, "utf") || name == "us-ascii" || name == "ascii" {
		return r, nil
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		e, err = ianaindex.IANA.Encoding(name)
	}
	if err == nil && e == nil {
		err = errEncoding
	}
	if err != nil {
		return nil, err
	}
	return e.NewDecoder().Reader(r), nil
}

// eachOf calls f with every element of a part that is read before the rows.
func (w *Workbook) eachOf(name string, f func(*part, xml.StartElement) error) error {
	p, err := w.openPart(name, w.opening, nil)
	if err != nil {
		return err
	}
	defer p.Close()
	for {
		token, err := p.next()
		if err == io.EOF {
			return nil
		}
		if start, ok := token.(xml.StartElement); ok && err == nil {
			err = f(p, start)
		}
		if err != nil {
			return w.zip.Explain(err)
		}
	}
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
		switch start := token.(type) {
		case xml.StartElement:
			if p.depth++; p.depth > depth {
				return nil, errDepth
			}
			if len(start.Attr) > attributes { // those that declare names are kept
				return nil, errToken
			}
			return start, nil
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

// text is the text up to the end of the element that has just begun: of <t>
// elements when rich, but not what says how others are pronounced. What is raised,
// lowered or struck out is no part of a name, such as the sign of a footnote, so
// it stands between signs that no account has.
func (p *part) text(rich bool) (string, error) {
	var text strings.Builder
	inText, silent, raised, open := !rich, 0, false, false
	for level := 1; level > 0; {
		token, err := p.next()
		if err != nil {
			return "", noEnd(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			level++
			switch value := attribute(token, "val"); token.Name.Local {
			case "t":
				inText = true
			case "rPh":
				silent = level
			case "vertAlign":
				raised = raised || value != "baseline"
			case "strike":
				raised = raised || value == "" || isTrue(value)
			}
		case xml.EndElement:
			if level == silent {
				silent = 0
			}
			level--
			inText = inText && !(rich && token.Name.Local == "t")
			if token.Name.Local == "r" {
				if open {
					text.WriteString("⁾")
				}
				raised, open = false, false
			}
		case xml.CharData:
			if !inText || silent != 0 {
				continue
			}
			if raised && !open && len(bytes.TrimSpace(token)) > 0 {
				open = true
				text.WriteString("⁽")
			}
			text.Write(token)
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

// relations reads what a part points to, by id, as far as it matters. Targets
// are names of parts; those outside of the workbook are left out.
func (w *Workbook) relations(of string) (map[string]relation, error) {
	folder, name := path.Split(of)
	all := map[string]relation{}
	seen := 0
	return all, w.eachOf(folder+"_rels/"+name+".rels", func(_ *part, e xml.StartElement) error {
		if e.Name.Local != "Relationship" {
			return nil
		}
		if seen++; seen > maxRelations {
			return Large()
		}
		kind := path.Base(attribute(e, "Type"))
		if attribute(e, "TargetMode") == "External" || !slices.Contains(relationKinds, kind) {
			return nil
		}
		id, target := attribute(e, "Id"), attribute(e, "Target")
		if len(id) > nameBytes || len(target) > nameBytes {
			return errName
		}
		if target = strings.ReplaceAll(target, `\`, "/"); !strings.HasPrefix(target, "/") {
			target = folder + target
		}
		all[id] = relation{kind, strings.TrimPrefix(path.Clean("/"+target), "/")}
		return nil
	})
}
