package tim

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"
)

// A signature is good for a day, the least that Tencent advises, and is
// replaced at 90 % of it, so that no call leaves with one about to expire.
const (
	userSigLife = 24 * time.Hour
	userSigUse  = userSigLife / 10 * 9
)

// signature is a UserSig and a name for it that may be shown.
type signature struct {
	id   string
	text string
	made time.Time
}

// signer makes UserSigs with Tencent's own library (TLSSigAPIv2) and keeps the
// newest.
type signer struct {
	config Config

	mu   sync.Mutex
	made int // signatures so far
	last signature
}

func newSigner(config Config) *signer { return &signer{config: config} }

func (s *signer) current() (signature, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Now().Round(0) // wall clock: the monotonic one stands still while a machine sleeps
	age := now.Sub(s.last.made)
	if s.last.text != "" && age >= 0 && age < userSigUse {
		return s.last, nil
	}
	text, err := sign(s.config.SDKAppID, s.config.SecretKey, s.config.Identifier, userSigLife)
	if err != nil {
		return signature{}, err
	}
	s.made++
	s.last = signature{id: strconv.Itoa(s.made), text: text, made: now}
	return s.last, nil
}

func (s *signer) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.id == id {
		s.last = signature{}
	}
}

func sign(sdkAppID uint32, key, identifier string, life time.Duration) (string, error) {
	text, err := tencentyun.GenUserSig(int(sdkAppID), key, identifier, int(life/time.Second))
	if err != nil {
		return "", fmt.Errorf("no UserSig could be made: %w", err)
	}
	return text, nil
}
