package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/test/tmuxtest"
)

// TestScreenQueues: in a terminal testpmd has a page for the queues where there are
// several. However it ends, the shell's screen is as it was.
func TestScreenQueues(t *testing.T) {
	for end, size := range map[string][2]int{"q": {80, 24}, "C-c": {120, 40}, "SIGTERM": {60, 20}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			t.Parallel()
			pid := filepath.Join(t.TempDir(), "pid")
			term := tmuxtest.New(t, size[0], size[1])
			term.Run("echo before; sh -c 'echo $$ >" + pid + "; exec testpmd --stats-period 50ms emu:gen,queues=2 emu:null,queues=2'")
			term.Await("[1 ports] 2 queues  3 log", "(io)")
			term.Press("2")
			term.Await("[2 queues]", "port/queue", "port 0/1", "port 1/1")
			term.Press("n")
			term.Await("[3 log]", "no messages")
			term.Press("n")
			term.Await("[1 ports]")
			if end == "SIGTERM" {
				terminate(t, pid)
			} else {
				term.Press(end)
			}
			term.AwaitShell()
			text := term.Scrollback()
			for _, want := range []string{"before\n", "Accumulated forward statistics"} {
				if !strings.Contains(text, want) {
					t.Errorf("the shell's screen lacks %q:\n%s", want, text)
				}
			}
			if strings.Contains(text, "[1 ports]") || term.Mode("cursor_flag") != "1" {
				t.Errorf("the screen is left, or the cursor is not: %s", text)
			}
		})
	}
}

// terminate sends SIGTERM to the process whose number is in a file.
func terminate(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}
