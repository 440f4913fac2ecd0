package auth_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/audit"
	"tagsweep/internal/auth"
)

// limited are users without a database: attempts touch none.
func limited() *auth.Users { return auth.New(nil, audit.New(nil, nil)) }

// wait is how long an attempt has to wait.
func wait(us *auth.Users, name, address string) time.Duration {
	if refused := us.TrySignIn(&auth.Attempt{Name: name, Address: address}); refused != nil {
		return refused.Wait
	}
	return 0
}

func TestAttemptsHaveToWaitAndNotForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		us := limited()
		for range 5 {
			require.Zero(t, wait(us, "ann", "10.0.0.1"))
		}
		for range 100 {
			pause := wait(us, "Ann", "10.0.0.1")
			require.Greater(t, pause, 29*time.Second)
			require.LessOrEqual(t, pause, 31*time.Second, "trying on does not lengthen the wait")
		}
		require.Zero(t, wait(us, "bob", "10.0.0.1"), "a colleague at the same address")
		require.Zero(t, wait(us, "ann", "10.0.0.2"), "the person elsewhere")
		time.Sleep(31 * time.Second)
		require.Zero(t, wait(us, "ann", "10.0.0.1"))
	})
}

func TestManyAddressesLockNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		us := limited()
		attacker := 0
		attack := func() { // an address of its own each time
			attacker++
			us.TrySignIn(&auth.Attempt{Name: "ann", Address: fmt.Sprintf("10.%d.%d.%d", attacker>>16, attacker>>8&255, attacker&255)})
			time.Sleep(time.Second / 5)
		}
		for range 3000 {
			attack()
		}
		require.Zero(t, wait(us, "ann", "192.0.2.1"), "a new address may try at once")
		again := wait(us, "ann", "192.0.2.1")
		require.Positive(t, again)
		require.LessOrEqual(t, again, 3*time.Minute)
		for range int(again/(time.Second/5)) + 1 {
			attack()
		}
		require.Zero(t, wait(us, "ann", "192.0.2.1"))
	})
}

func TestABrowserThatIsKnownWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		us := limited()
		for i := range 2000 { // everybody's limit is used up, and the address's and the name's
			wait(us, "ann", "10.0.0.1")
			wait(us, fmt.Sprint("x", i), fmt.Sprintf("10.1.%d.%d", i/250, i%250))
		}
		refused := us.TrySignIn(&auth.Attempt{Name: "bob", Address: "192.0.2.1"})
		require.NotNil(t, refused)
		require.True(t, refused.Crowded)
		require.LessOrEqual(t, refused.Wait, time.Second)
		known := auth.Attempt{Name: "ann", Address: "10.0.0.1", Device: "a"}
		for range 10 {
			try := known
			require.Nil(t, us.TrySignIn(&try))
		}
		try := known
		require.NotNil(t, us.TrySignIn(&try), "a stolen cookie is no way around")
	})
}

func TestIPv6IsLimitedByItsNetworks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		us := limited()
		passed := 0
		for i := range 1000 {
			if wait(us, fmt.Sprint("a", i), fmt.Sprintf("2001:db8:1:2::%x", i)) == 0 {
				passed++
			}
		}
		require.Equal(t, 20, passed, "one /64 is one address")
		passed = 0
		for i := range 5000 {
			if wait(us, fmt.Sprint("b", i), fmt.Sprintf("2001:db8:7:%x::1", i)) == 0 {
				passed++
			}
			time.Sleep(100 * time.Millisecond)
		}
		require.Less(t, passed, 700, "nor does a /48 count as 65,536")
		require.Positive(t, wait(us, "c", "2001:db8:7:0:1::"), "it is the network that waits")
		require.Zero(t, wait(us, "c", "2001:db8:8:1::1"))
		for range 5 {
			require.Zero(t, wait(us, "d", "192.0.2.1"))
		}
		require.Positive(t, wait(us, "d", "::ffff:192.0.2.1"), "IPv4 in IPv6 is the same address")
	})
}

func TestASuccessForgetsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		us := limited()
		for range 5 {
			for range 3 {
				require.Zero(t, wait(us, "ann", "10.0.0.1"))
				time.Sleep(5 * time.Second)
			}
			try := auth.Attempt{Name: "ann", Address: "10.0.0.1"}
			require.Nil(t, us.TrySignIn(&try))
			us.Succeeded(&try)
		}
		for range 1000 { // a script that signs in each time
			try := auth.Attempt{Name: "script", Address: "10.0.0.2"}
			require.Nil(t, us.TrySignIn(&try))
			us.Succeeded(&try)
		}
	})
}

func TestParallelAttemptsDoNotSlipThrough(t *testing.T) {
	us := limited()
	var looked atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if wait(us, "ann", "10.0.0.1") == 0 {
				looked.Add(1)
			}
		})
	}
	all.Wait()
	require.Equal(t, int64(5), looked.Load())
}

// A million names and addresses cost bounded memory, and an attempt costs the same after
// them.
func TestAMillionNamesAreForgotten(t *testing.T) {
	us := limited()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	synctest.Test(t, func(t *testing.T) {
		us = limited()
		for i := range 1_000_000 {
			us.TrySignIn(&auth.Attempt{Name: fmt.Sprint("name", i), Address: fmt.Sprintf("2001:%x:%x::1", i>>16, i&0xffff)})
			time.Sleep(100 * time.Millisecond)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
	})
	require.Less(t, after.HeapAlloc-min(after.HeapAlloc, before.HeapAlloc), uint64(100<<20))
	runtime.KeepAlive(us)
}
