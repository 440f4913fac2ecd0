package tim

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestSuccessNeedsOKAndCodeZero(t *testing.T) {
	for body, code := range map[string]int{
		`{"ActionStatus":"OK","ErrorCode":0}`:                                    0,
		`{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"New":{"x":[1]}}`:     0,
		`{"ActionStatus":"FAIL","ErrorCode":91000,"ErrorInfo":"internal error"}`: 91000,
		`{"ErrorCode":60002}`:                                                                    60002,
		"{\"ErrorCode\":60002,\"ErrorInfo\":\"\xff\"}":                                           60002,
		`{"ActionStatus":"OK","ErrorCode":91000}`:                                                91000,
		`{"ActionStatus":"OK","ErrorCode":0,"ErrorList":[],"UserTags":null}`:                     0,
		`{"ActionStatus":"OK","ErrorCode":0,"ErrorList":[{"To_Account":"a","ErrorCode":70107}]}`: 0,
	} {
		said, err := decode([]byte(body), []string{"a"})
		require.NoError(t, err, body)
		require.Equal(t, code, *said.ErrorCode, body)
	}
}

func TestAnswerThatIsNotReliableIsNone(t *testing.T) {
	for _, body := range []string{
		``, `{}`, `null`, `[]`, `"OK"`, `OK`, `{"ActionStatus":"OK"}`,
		`{"ActionStatus":"FAIL","ErrorCode":0}`, `{"ErrorCode":0}`,
		`{"ActionStatus":"OK","ErrorCode":"0"}`,
		`{"ActionStatus":"OK","ErrorCode":0}{"ActionStatus":"OK","ErrorCode":0}`,
		`{"ActionStatus":"OK","ErrorCode":91000,"ErrorCode":0}`,
		`{"ActionStatus":"OK","ErrorCode":91000,"errorcode":0}`,
		`{"ActionStatus":"OK","ErrorCode":0,"errorcode":91000}`,
		`{"ActionStatus":"OK","ErrorCode":0,"ERRORCODE":0}`,
		`{"ActionStatus":"OK","ErrorCode":0,"actionstatus":"FAIL"}`,
		`{"actionStatus":"OK","errorCode":0}`,
		`{"ActionStatus":"OK","ErrorCode":0,"UserTags":[{"To_Account":"a","tags":["vip"]}]}`,
		`{"ActionStatus":"OK","ErrorCode":0,"usertags":[{"To_Account":"a","Tags":["vip"]}]}`,
		`{"actionStatus":"OK","ErrorCode":0}`,
		`{"ActionStatus":"OK","errorCode":0}`,
		`{"ActionStatus":"OK","ErrorCode":0,"ErrorList":[],"ErrorList":[{"To_Account":"a","ErrorCode":70107}]}`,
		`{"ActionStatus":"OK","ErrorCode":0,"ErrorList":[{"To_Account":"a","ErrorCode":70107,"ErrorCode":0}]}`,
		`{"ActionStatus":"OK","ErrorCode":0`,
		`{"ActionStatus":"OK","ErrorCode":0,"ErrorList":[{"To_Account":"A","ErrorCode":70107}]}`,
		`{"ActionStatus":"OK","ErrorCode":0,"ErrorList":[{"To_Account":"a ","ErrorCode":70107}]}`,
		`{"ActionStatus":"OK","ErrorCode":0,"ErrorList":[{"To_Account":"a"}]}`,
		`{"ActionStatus":"OK","ErrorCode":0,"UserTags":[{"To_Account":"A","Tags":[]}]}`,
		`{"ActionStatus":"OK","ErrorCode":0,"UserTags":[{"To_Account":"a","Tags":"x"}]}`,
	} {
		_, err := decode([]byte(body), []string{"a"})
		require.Error(t, err, body)
	}
}

func TestAccountIsListedOnce(t *testing.T) {
	said, err := decode([]byte(`{"ActionStatus":"OK","ErrorCode":0,"ErrorList":[
		{"To_Account":"a","ErrorCode":70107},{"To_Account":"b","ErrorCode":90012},{"To_Account":"a","ErrorCode":90048}]}`),
		[]string{"a", "b"})
	require.NoError(t, err)
	require.Len(t, said.ErrorList, 2)
	require.Equal(t, 70107, said.ErrorList[0].ErrorCode)
}

func TestTextIsCutBetweenCharacters(t *testing.T) {
	require.Equal(t, "会", shorten("会员", 5))
	require.Equal(t, "会员", shorten("会员", 6))
	require.Equal(t, "", shorten("会员", 2))
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}`,
		`{"ActionStatus":"FAIL","ErrorCode":60004,"ErrorInfo":"x"}`,
		`{"ActionStatus":"OK","ErrorCode":0,"ErrorList":[{"To_Account":"a","ErrorCode":70107,"ErrorInfo":"may be absent"}]}`,
		`{"ActionStatus":"OK","ErrorCode":0,"UserTags":[{"To_Account":"a","Tags":["x","会员"]},{"To_Account":"b","Tags":null}]}`,
		`<html>502</html>`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		said, err := decode(body, []string{"a", "b"})
		if err != nil {
			return
		}
		require.NotNil(t, said.ErrorCode)
		if *said.ErrorCode == 0 {
			require.Equal(t, "OK", said.ActionStatus)
		}
		require.LessOrEqual(t, len(said.ErrorList), 2)
		for _, e := range said.ErrorList {
			require.Contains(t, []string{"a", "b"}, e.Account)
			require.NotZero(t, e.ErrorCode)
		}
		for _, u := range said.UserTags {
			require.Contains(t, []string{"a", "b"}, u.Account)
		}
	})
}

func FuzzSecretsAreHidden(f *testing.F) {
	f.Add("key", "sig*-_", "GET /?usersig=sig%2A-_ key sig*-_")
	f.Fuzz(func(t *testing.T, key, userSig, text string) {
		if len(key) < 3 || len(userSig) < 3 || strings.Contains("[hidden]", key) || strings.Contains("[hidden]", userSig) ||
			strings.ContainsAny(key+userSig, "[]") {
			return
		}
		hidden := redactor(key, userSig).text(text + key + userSig)
		require.NotContains(t, hidden, key)
		if !strings.Contains(userSig, key) && utf8.ValidString(userSig) {
			require.NotContains(t, hidden, userSig)
		}
	})
}
