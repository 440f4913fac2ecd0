package tim

import (
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"tagsweep/internal/fault"
)

// regions are the main hosts of docs/tim-api.md section 5. The list keeps
// changing, so BaseURL takes any host as well.
var regions = map[string]string{
	"china":          "console.tim.qq.com",
	"singapore":      "adminapisgp.im.qcloud.com",
	"seoul":          "adminapikr.im.qcloud.com",
	"frankfurt":      "adminapiger.im.qcloud.com",
	"silicon-valley": "adminapiusa.im.qcloud.com",
	"jakarta":        "adminapiidn.im.qcloud.com",
	"tokyo":          "adminapijpn.im.qcloud.com",
	"mumbai":         "adminapiind.im.qcloud.com",
}

// FaultDomain says that a domain is none.
var FaultDomain = fault.Declare(fault.Invalid, "tim.domain",
	"%q is not a valid service address. Enter a region (%s), a host name, or a base URL that starts with https://. "+
		"Use http:// only for this machine, such as http://127.0.0.1:9000.")

// BaseURL turns a region name such as "singapore", a host name, or a base URL
// into a base URL without a slash at its end. Plain http is accepted for
// loopback hosts alone, because the signature travels in the URL.
func BaseURL(domain string) (string, error) {
	domain = strings.TrimSpace(domain)
	if host, known := regions[strings.ToLower(domain)]; known {
		return "https://" + host, nil
	}
	full := domain
	if !strings.Contains(domain, "://") {
		if !strings.ContainsAny(domain, ".:") {
			return "", notADomain(domain) // more likely a mistyped region than a host
		}
		full = "https://" + domain
	}
	u, err := url.Parse(full)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
		!(u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())) {
		return "", notADomain(domain)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// notADomain shows nothing before an @, which may be a password.
func notADomain(domain string) error {
	return FaultDomain.With(domain[strings.LastIndex(domain, "@")+1:],
		strings.Join(slices.Sorted(maps.Keys(regions)), ", "))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
