package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tagsweep/internal/fault"
	"tagsweep/internal/tim/timtest"
)

var faultSimulator = fault.Declare(fault.Invalid, "simulator.faults", "The simulator was not started: %s.")

// sampleKey is the secret key of the simulated app; it is Tencent's own example.
const (
	sampleSDKAppID = 1400000000
	sampleKey      = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
)

type simulateCommand struct {
	Listen     string `env:"CONSOLE_SIMULATE_LISTEN" default:"127.0.0.1:9000" help:"Address to listen on."`
	SDKAppID   uint32 `name:"sdkappid" default:"1400000000" help:"The app to simulate."`
	SecretKey  string `default:"${sampleKey}" help:"The app's secret key."`
	Identifier string `default:"administrator" help:"The app's admin."`
	simulation
}

// simulation is how the simulator behaves.
type simulation struct {
	Seed        uint64        `default:"1" help:"Seed for accounts, tags and faults."`
	Limit       int           `default:"100" help:"Calls allowed per second and command; -1 means no limit."`
	Latency     time.Duration `default:"20ms" help:"Delay before each answer."`
	Spread      time.Duration `default:"20ms" help:"Maximum random extra delay."`
	LateWithin  time.Duration `default:"3s" help:"Maximum delay of a late_apply."`
	Unknown     float64       `default:"0.002" help:"Share of accounts that are not registered."`
	Untagged    float64       `default:"0.1" help:"Share of accounts without tags."`
	UnknownAs   string        `default:"error_list" enum:"error_list,failed_batch,silent,omitted" help:"How unregistered accounts are answered: error_list, failed_batch, silent or omitted."`
	Ignored     float64       `default:"0" help:"Share of accounts whose change is confirmed but not made."`
	Code        int           `help:"Answer every call with this error code, such as 60020."`
	FaultShares string        `name:"faults" help:"Shares of calls that go wrong, such as server_error=0.01,reset_after=0.01. Kinds: server_error, timeout, too_often, bad_gateway, bad_gateway_after, garbage, garbage_after, half_answer, reset_before, reset_after, silent_before, silent_after, late_apply."`
}

// config reads the settings into the simulator's own.
func (c simulation) config(sdkAppID uint32, key, identifier string) (timtest.Config, error) {
	shares := map[timtest.Fault]float64{}
	for part := range strings.SplitSeq(c.FaultShares, ",") {
		if part == "" {
			continue
		}
		name, share, _ := strings.Cut(part, "=")
		number, err := strconv.ParseFloat(share, 64)
		if err != nil {
			return timtest.Config{}, faultSimulator.Because(err, fmt.Sprintf(
				"%q is not a fault and its share, such as server_error=0.01", part))
		}
		shares[timtest.Fault(strings.TrimSpace(name))] = number
	}
	return timtest.Config{SDKAppID: sdkAppID, SecretKey: key, Identifier: identifier, Seed: c.Seed, RateLimit: c.Limit,
		UnknownShare: c.Unknown, UntaggedShare: c.Untagged,
		Faults: timtest.Faults{Latency: c.Latency, Spread: c.Spread, Shares: shares, LateWithin: c.LateWithin,
			Unknown: timtest.Unknown(c.UnknownAs), Code: c.Code, Ignored: c.Ignored}}, nil
}

// startSimulator listens and answers until Close.
func startSimulator(config timtest.Config, address string) (*timtest.Service, string, error) {
	simulator, err := timtest.New(config)
	if err != nil {
		return nil, "", faultSimulator.Because(err, err.Error())
	}
	base, err := simulator.Start(address)
	if err != nil {
		return nil, "", faultListening.Because(err, address)
	}
	return simulator, base, nil
}

func (c *simulateCommand) Run(ctx context.Context, s *streams) error {
	config, err := c.config(c.SDKAppID, c.SecretKey, c.Identifier)
	if err != nil {
		return err
	}
	simulator, base, err := startSimulator(config, c.Listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "The simulator listens on %s\n", base)
	fmt.Fprintf(s.out, "Ledger: %s/_simulator/ledger · sums: %s/_simulator/stats · faults: %s/_simulator/faults\n", base, base, base)
	<-ctx.Done()
	stats := simulator.Stats()
	for _, command := range slices.Sorted(maps.Keys(stats.Commands)) {
		fmt.Fprintf(s.out, "%s: %d calls, at most %d in any second\n", command, stats.Commands[command].Calls,
			stats.Commands[command].MaxInAnySecond)
	}
	return simulator.Close()
}
