package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"

	"github.com/labstack/echo/v4"
)

//go:embed static
var staticFiles embed.FS

// assetSet puts a hash of the content into the address of every file, so that browsers
// can cache it forever.
type assetSet map[string]string

var assets = func() assetSet {
	set := assetSet{}
	err := fs.WalkDir(staticFiles, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := staticFiles.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		set[name] = hex.EncodeToString(sum[:8])
		return nil
	})
	if err != nil {
		panic(err)
	}
	return set
}()

// path is the address of a file.
func (a assetSet) path(name string) string { return "/static/" + name + "?v=" + a["static/"+name] }

func (s *Server) static(v *request) error {
	name := path.Join("static", path.Clean("/"+v.Param("*")))
	hash, known := assets[name]
	if !known {
		return faultNoPage.With()
	}
	content, err := staticFiles.ReadFile(name)
	if err != nil {
		return err
	}
	kind := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // not left to the machine's own table
	case ".css":
		kind = "text/css; charset=utf-8"
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".svg":
		kind = "image/svg+xml"
	case ".md", "":
		kind = "text/plain; charset=utf-8"
	}
	h := v.Response().Header()
	h.Set("ETag", `"`+hash+`"`)
	h.Set("Cache-Control", "public, max-age=3600")
	if v.QueryParam("v") == hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if v.Request().Header.Get("If-None-Match") == `"`+hash+`"` {
		return v.NoContent(http.StatusNotModified)
	}
	if v.Request().Method == http.MethodHead {
		h.Set(echo.HeaderContentType, kind)
		return v.NoContent(http.StatusOK)
	}
	return v.Blob(http.StatusOK, kind, content)
}
