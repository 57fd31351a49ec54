package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/test/tmuxtest"
)

// TestScreen: in a terminal vhostdev shows its device as the only port, and its log; with
// TERM=dumb it writes lines.
func TestScreen(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {60, 20}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			t.Parallel()
			socket := filepath.Join(t.TempDir(), "s")
			line := "vhostdev --backend gen --stats-period 50ms --socket " + socket
			term := tmuxtest.New(t, size[0], size[1], "NO_COLOR=1")
			term.Run(line)
			term.Await("[1 ports] 2 log", "= gen", "no peer", "Polls: ", "q quit")
			term.Press("Tab")
			term.Await("[2 log]", "no messages")
			term.Press("Tab", "c")
			term.Until("is in short", func(lines []string) bool {
				text := strings.Join(lines, "\n")
				return strings.Contains(text, "c all") && !strings.Contains(text, "Polls: ")
			})
			term.Press("q")
			term.AwaitShell()
			term.Run("TERM=dumb " + line)
			term.Await("Polls: 0, 0 % empty")
			if term.Mode("alternate_on") != "0" {
				t.Error("a screen is drawn where the terminal is dumb")
			}
			term.Press("C-c")
			term.AwaitShell()
		})
	}
}
