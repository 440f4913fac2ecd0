package main

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tagsweep/internal/auth"
	"tagsweep/internal/engine"
	"tagsweep/internal/fault"
	"tagsweep/internal/jobs"
	"tagsweep/internal/tim"
)

// Faults of the configuration.
var (
	faultSetting = fault.Declare(fault.Invalid, "setting.wrong", "%s is %s. %s")
	faultKeyFile = fault.Declare(fault.Unavailable, "setting.key_file",
		"The key file %s cannot be used. Nothing was started. Check CONSOLE_KEY_FILE, that its folder is writable, "+
			"and that the file was not changed.")
	faultOpenKeyFile = fault.Declare(fault.Unavailable, "setting.open_key_file",
		"Other users of this machine can read or change the key file %s (its mode is %04o). Nothing was started. Run "+
			"chmod 600 on it. If somebody may have read it, treat its key as stolen.")
	faultOtherKeyFile = fault.Declare(fault.Unavailable, "setting.other_key_file",
		"The key file %s does not match the tag snapshots in this database, so they could not be restored. Nothing "+
			"was started, and no data is lost. Use the earlier key file: all consoles of a database share it. If it is "+
			"permanently lost, set CONSOLE_NEW_KEY=true.")
	faultLogKeyFile = fault.Declare(fault.Unavailable, "setting.log_key_file",
		"The log of this database was not written with the key file %s. Nothing was changed. Set CONSOLE_KEY_FILE to the "+
			"key file of the console.")
	faultListening = fault.Declare(fault.Unavailable, "setting.listen",
		"The console cannot listen on %s: the port is in use or not allowed. Nothing was started. Stop the other "+
			"program, or change CONSOLE_LISTEN.")
)

// database is the setting every command with data has.
type database struct {
	Database string `env:"CONSOLE_DATABASE" default:"data/console.db" help:"Path of a SQLite file, or a postgres:// URL."`
}

// app is the configured app. Numbers are text here, so that all errors are reported
// together.
type app struct {
	Name          string `name:"tim-name" env:"CONSOLE_TIM_NAME" default:"Tencent IM" help:"Name of the app, shown on every page."`
	Environment   string `name:"tim-environment" env:"CONSOLE_TIM_ENVIRONMENT" default:"production" help:"Shown on every page, such as production or test."`
	SDKAppID      string `name:"tim-sdkappid" env:"CONSOLE_TIM_SDKAPPID" help:"The app's number."`
	SecretKey     string `name:"tim-secret-key" env:"CONSOLE_TIM_SECRET_KEY" help:"The app's secret key. A file is safer, because other users can see command lines."`
	SecretKeyFile string `name:"tim-secret-key-file" env:"CONSOLE_TIM_SECRET_KEY_FILE" help:"A file with the secret key."`
	Identifier    string `name:"tim-identifier" env:"CONSOLE_TIM_IDENTIFIER" default:"administrator" help:"An admin of the app."`
	Domain        string `name:"tim-domain" env:"CONSOLE_TIM_DOMAIN" help:"A region such as china or singapore, or a base URL."`
	Family        string `name:"tim-family" env:"CONSOLE_TIM_FAMILY" default:"all_member_push" help:"all_member_push or timpush."`
	Rate          string `name:"tim-rate" env:"CONSOLE_TIM_RATE" default:"97" help:"Calls per second for each command, 1 to 100. Other systems that use the app share the maximum of 100."`
}

// read checks all settings and reports everything that is wrong, by name.
func (a app) read() (jobs.App, *tim.Client, error) {
	var wrong []error
	complain := func(name, value, advice string) {
		wrong = append(wrong, faultSetting.With(name, orUnset(value), advice))
	}
	sdkAppID, err := strconv.ParseUint(a.SDKAppID, 10, 32)
	if err != nil || sdkAppID == 0 {
		value := a.SDKAppID
		if len(value) > len("4294967295") {
			value = "too long" // perhaps the secret key, mixed up with it
		}
		complain("CONSOLE_TIM_SDKAPPID", value, "Enter the number of the app, as shown in Tencent's console.")
	}
	key := a.SecretKey
	switch {
	case key == "" && a.SecretKeyFile == "":
		complain("CONSOLE_TIM_SECRET_KEY", "",
			"Enter the app's secret key, or set CONSOLE_TIM_SECRET_KEY_FILE to a file with the key.")
	case a.SecretKeyFile != "":
		content, err := os.ReadFile(a.SecretKeyFile)
		if key = strings.TrimSpace(string(content)); err != nil || key == "" {
			complain("CONSOLE_TIM_SECRET_KEY_FILE", a.SecretKeyFile, "The file cannot be read or is empty.")
		} else if mode, open := openToOthers(a.SecretKeyFile); open {
			complain("CONSOLE_TIM_SECRET_KEY_FILE", a.SecretKeyFile, fmt.Sprintf("Other users of this machine can read or "+
				"change the file (its mode is %04o). Run chmod 600 on it. If somebody may have read it, replace the key in "+
				"Tencent's console.", mode))
		}
	}
	if strings.TrimSpace(a.Identifier) == "" {
		complain("CONSOLE_TIM_IDENTIFIER", a.Identifier,
			"Enter the user name of an admin of the app, such as administrator.")
	}
	base, err := tim.BaseURL(a.Domain)
	if err != nil {
		complain("CONSOLE_TIM_DOMAIN", a.Domain[strings.LastIndex(a.Domain, "@")+1:],
			"Enter a region such as china or singapore, or a base URL that starts with https://.")
	}
	family := tim.Family(a.Family)
	if family != tim.AllMemberPush && family != tim.TIMPush {
		complain("CONSOLE_TIM_FAMILY", a.Family, "Enter all_member_push or timpush.")
	}
	rate, err := strconv.Atoi(a.Rate)
	if err != nil || rate < 1 || rate > 100 {
		complain("CONSOLE_TIM_RATE", a.Rate, "Enter a number from 1 to 100.")
	}
	if len(wrong) > 0 {
		return jobs.App{}, nil, errors.Join(wrong...)
	}
	client, err := tim.New(
		tim.Config{
			SDKAppID:   uint32(sdkAppID),
			SecretKey:  key,
			Identifier: a.Identifier,
			Domain:     base,
			Family:     family,
			MaxConns:   engine.Connections,
		},
	)
	return jobs.App{ID: a.SDKAppID, Name: a.Name, Environment: a.Environment, SDKAppID: uint32(sdkAppID), Domain: base,
		Family: a.Family, Identifier: a.Identifier, Rate: rate}, client, err
}

// orUnset shows an empty setting.
func orUnset(value string) string {
	if strings.TrimSpace(value) == "" {
		return "not set"
	}
	return fmt.Sprintf("%q", value)
}

// ranges reads the address ranges of proxies.
func ranges(texts []string) (all []*net.IPNet, err error) {
	for _, text := range texts {
		_, one, wrong := net.ParseCIDR(text)
		if wrong != nil {
			err = errors.Join(err, faultSetting.With("CONSOLE_TRUSTED_PROXIES", orUnset(text),
				"Enter address ranges such as 10.0.0.0/8, separated by commas."))
			continue
		}
		all = append(all, one)
	}
	return all, err
}

// sessionTime reads how long a session lasts; 0 for nothing, which is the default.
func sessionTime(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 5*time.Minute || d > auth.SessionLife {
		return 0, faultSetting.With(name, orUnset(text), "Enter a time from 5m to 24h, such as 8h or 90m.")
	}
	return d, nil
}

// tempFolder chooses a folder for large temporary files. The system's folder may be in
// memory.
func tempFolder(chosen string) (string, error) {
	if chosen == "" {
		if err := canWrite("/var/tmp"); err != nil {
			return os.TempDir(), nil
		}
		return "/var/tmp", nil
	}
	if err := canWrite(chosen); err != nil {
		return "", faultSetting.Because(err, "CONSOLE_TEMP_FOLDER", orUnset(chosen),
			"Enter a folder that exists and is writable.")
	}
	return chosen, nil
}

func canWrite(folder string) error {
	probe, err := os.CreateTemp(folder, ".tagsweep-*")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// keys are derived from the key file.
type keys struct {
	cookies   []byte
	snapshots [32]byte // wraps the keys of the tags that jobs keep
	log       [32]byte // signs checkpoints
	entries   [32]byte // of the MACs of log entries
}

// readKeys reads the key file, making it on the first start.
func readKeys(path string) (k keys, err error) {
	secret, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		secret, err = newKeyFile(path)
	}
	if err != nil {
		return k, faultKeyFile.Because(err, path)
	}
	if mode, open := openToOthers(path); open {
		return k, faultOpenKeyFile.With(path, mode)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(secret)))
	if err != nil || len(raw) != 32 {
		return k, faultKeyFile.Because(fmt.Errorf("%d bytes, %w", len(raw), errors.Join(err, errors.New("not a key"))), path)
	}
	if k.cookies, err = hkdf.Key(sha256.New, raw, nil, "tagsweep cookies v1", 64); err != nil {
		return k, err
	}
	snapshots, err := hkdf.Key(sha256.New, raw, nil, "tagsweep snapshots v1", len(k.snapshots))
	copy(k.snapshots[:], snapshots)
	if err != nil {
		return k, err
	}
	log, err := hkdf.Key(sha256.New, raw, nil, "tagsweep log v1", len(k.log))
	copy(k.log[:], log)
	if err != nil {
		return k, err
	}
	entries, err := hkdf.Key(sha256.New, raw, nil, "tagsweep log entries v1", len(k.entries))
	copy(k.entries[:], entries)
	return k, err
}

// openToOthers reports whether other users can read or change a file with a secret, or
// whether that is unknown. A group may read it if root owns it, as services have it from
// the system.
func openToOthers(path string) (mode os.FileMode, open bool) {
	about, err := os.Stat(path)
	if err != nil {
		return 0, true
	}
	mode = about.Mode().Perm()
	others := mode & 0o077
	if owner, is := about.Sys().(*syscall.Stat_t); is && owner.Uid == 0 && os.Geteuid() != 0 {
		others &^= 0o040
	}
	return mode, others != 0
}

// newKeyFile writes a key atomically. Two first starts at the same time use the same key.
func newKeyFile(path string) ([]byte, error) {
	raw := make([]byte, 32)
	rand.Read(raw)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(draft.Name())
	_, err = draft.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, faultListening.Because(err, address)
	}
	return listener, nil
}
