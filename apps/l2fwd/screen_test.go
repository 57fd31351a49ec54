package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/test/tmuxtest"
)

// TestScreen: in a terminal l2fwd shows its ports and its log on pages that keys turn,
// also when the size changes, and leaves the shell's screen as it was, with the messages
// and the summary behind it.
func TestScreen(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {60, 20}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			t.Parallel()
			socket := filepath.Join(t.TempDir(), "s")
			b, err := vhostback.Serve(socket, vhostback.Config{Device: vdev.Config{Backend: wire.Null(), QueueSize: 256, Pairs: 1}})
			if err != nil {
				t.Fatal(err)
			}
			term := tmuxtest.New(t, size[0], size[1])
			term.Run("echo before; l2fwd --no-huge --stats-period 50ms emu:gen vhost-user:" + socket)
			term.Await("l2fwd  ", "[1 ports] 2 log", "port 0  emu:gen -> port 1", "RX-packets: ", "q quit")
			if term.Mode("alternate_on") != "1" || term.Mode("cursor_flag") != "0" {
				t.Error("the screen is not apart from that of the shell, or shows a cursor")
			}
			term.Press("2")
			term.Await("[2 log]")
			if err := b.Close(); err != nil { // which is a message
				t.Error(err)
			}
			term.Await("(EOF)")
			term.Press("?")
			term.Await("end, like Ctrl-C")
			term.Press("1")
			term.Await("[1 ports]", "RX-nombuf: 0", "c compact")
			term.Press("c")
			term.Await("c all")
			term.Resize(40, 8)
			term.Await("port 0  Rx ", "port 1  Rx ", "q quit")
			term.Resize(20, 5)
			term.Await("[1 ports]", "? help  q quit")
			term.Resize(size[0], size[1])
			term.Await("RX-nombuf: 0")
			term.Press("q")
			term.AwaitShell()
			text := term.Scrollback()
			for _, want := range []string{"before\n", "l2fwd: port 0: emu:gen -> port 1", "(EOF)", "Accumulated forward statistics"} {
				if !strings.Contains(text, want) {
					t.Errorf("the shell's screen lacks %q:\n%s", want, text)
				}
			}
			if strings.Contains(text, "q quit") || term.Mode("cursor_flag") != "1" {
				t.Errorf("the screen is left, or the cursor is not: %s", text)
			}
		})
	}
}
