package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"tagsweep/internal/tim/timtest"
)

// simulateApart starts a simulator in a process of its own, which no end of a
// console can touch.
func simulateApart(t testing.TB, flags ...string) (*timtest.Control, string) {
	command := exec.Command(builtProgram, append([]string{"simulate", "--listen", "127.0.0.1:0"}, flags...)...)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		require.NoError(t, command.Process.Signal(syscall.SIGTERM))
		require.NoError(t, command.Wait())
	})
	said := bufio.NewReader(out)
	line, err := said.ReadString('\n')
	require.NoError(t, err)
	go io.Copy(io.Discard, said)
	_, base, found := strings.Cut(strings.TrimSpace(line), "listens on ")
	require.True(t, found, line)
	return timtest.NewControl(base), base
}
