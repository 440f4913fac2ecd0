package web

import (
	"strings"

	"github.com/mileusna/useragent"

	"tagsweep/internal/store"
	"tagsweep/web/templates"
)

// browserOf names the browser and the system that a client says it is. Scripts say what
// they like.
func browserOf(agent string) templates.Browser {
	ua := useragent.Parse(agent)
	version, _, _ := strings.Cut(ua.Version, ".")
	return templates.Browser{Name: store.Clean(strings.TrimSpace(ua.Name+" "+version), 40), System: store.Clean(ua.OS, 40)}
}
