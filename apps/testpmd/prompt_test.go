package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/test/tmuxtest"
)

// TestPrompt: on a terminal, of a small size too and after a change of it, words are completed,
// what can follow is listed, lines come back from the run before and are found by a part, Ctrl-C
// stops forwarding and not the program, messages do not break the line that is being typed, and
// Ctrl-D leaves the shell as it was.
func TestPrompt(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {60, 20}} {
		term := tmuxtest.New(t, size[0], size[1], "XDG_STATE_HOME="+t.TempDir())
		const command = "testpmd -i emu:gen emu:null"
		term.Run(command)
		term.Await("Checking link statuses...", "testpmd>")
		term.Type("sh")
		term.Press("Tab")
		term.Type("po")
		term.Press("Tab")
		term.Type("su")
		term.Press("Tab")
		term.Type("a")
		term.Press("Tab", "Enter")
		term.Await("testpmd> show port summary all", "Number of available ports: 2")
		term.Type("set fwd ma")
		term.Press("Tab", "Tab")
		term.Await("mac  macswap", "testpmd> set fwd mac")
		term.Press("C-c")
		term.Type("set fwd ?")
		term.Await("icmpecho", "a forwarding mode")
		term.Type("rxonly")
		term.Press("Enter")
		term.Await("Set rxonly packet forwarding mode")
		term.Type("start")
		term.Press("Enter")
		term.Await("port 1: RX queue number: 1", "TX offloads=0x0", "testpmd>")
		term.Resize(72, 26)
		term.Press("C-c")
		term.Await("Accumulated forward statistics", "Done.", "testpmd>")
		term.Press("C-c", "C-c")
		term.Type("stop")
		term.Press("Enter")
		term.Await("Packet forwarding not started", "testpmd>")
		term.Press("C-d")
		term.AwaitShell()
		term.Await("Bye...")

		term.Run(command)
		term.Await("Checking link statuses...", "testpmd>")
		term.Press("Up", "Up")
		term.Await("testpmd> start")
		term.Press("C-u")
		term.Type("summ")
		term.Press("C-r")
		term.Await("testpmd> show port summary all")
		term.Press("C-u")
		term.Type("st")
		term.Press("C-r", "C-r")
		term.Await("testpmd> start")
		term.Press("C-u")
		term.Type("quit")
		term.Press("Enter")
		term.AwaitShell()
		if strings.Contains(term.Scrollback(), "\x1b") || term.Mode("cursor_flag") != "1" {
			t.Error("the terminal is not as it was")
		}
	}
}

// TestHistoryFile: lines are kept for their owner alone, one after the other, and without
// repetitions.
func TestHistoryFile(t *testing.T) {
	dir := t.TempDir()
	term := tmuxtest.New(t, 80, 24, "XDG_STATE_HOME="+dir)
	term.Run("testpmd -i emu:null")
	term.Await("testpmd>")
	for _, line := range []string{"stop", "stop", "set burst 4", "quit"} {
		term.Type(line)
		term.Press("Enter")
	}
	term.AwaitShell()
	file := filepath.Join(dir, "virtio-pmd", "testpmd_history")
	text, err := os.ReadFile(file)
	if err != nil || string(text) != "stop\nset burst 4\nquit\n" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}
