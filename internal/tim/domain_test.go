package tim

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDomainsBecomeBaseURLs(t *testing.T) {
	for domain, want := range map[string]string{
		"china":                        "https://console.tim.qq.com",
		" Singapore ":                  "https://adminapisgp.im.qcloud.com",
		"silicon-valley":               "https://adminapiusa.im.qcloud.com",
		"adminapi.my-imcloud.com":      "https://adminapi.my-imcloud.com",
		"gateway.example:8443":         "https://gateway.example:8443",
		"https://gateway/":             "https://gateway",
		"https://gateway.example/tim/": "https://gateway.example/tim",
		"http://127.0.0.1:9000":        "http://127.0.0.1:9000",
		"http://[::1]:9000":            "http://[::1]:9000",
		"http://localhost:9000/":       "http://localhost:9000",
	} {
		got, err := BaseURL(domain)
		require.NoError(t, err, domain)
		require.Equal(t, want, got, domain)
	}
}

func TestSignaturesNeverTravelInTheClear(t *testing.T) {
	for _, domain := range []string{
		"http://console.tim.qq.com", "http://10.0.0.1:80", "http://127.0.0.1.example.com", "http://localhost.example.com",
	} {
		_, err := BaseURL(domain)
		require.True(t, FaultDomain.Is(err), domain)
	}
}

func TestWhatIsNoDomainIsRefused(t *testing.T) {
	for _, domain := range []string{
		"", "chinna", "ftp://example.com", "https://", "https://example.com?x=1", "https://example.com/#x", "https://exa mple.com", "://",
	} {
		_, err := BaseURL(domain)
		require.True(t, FaultDomain.Is(err), domain)
	}
	_, err := BaseURL("https://user:hunter2@example.com")
	require.True(t, FaultDomain.Is(err))
	require.NotContains(t, err.Error(), "hunter2")
}
