package main

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
)

// TestTAPGone: when the interface is deleted, the command ends with status 1 and says
// so, and the outcome is printed.
func TestTAPGone(t *testing.T) {
	if os.Getuid() != 0 && os.Getenv("CI") == "" { // in CI it fails instead
		t.Skip("a network namespace takes root; CI has it")
	}
	socket := t.TempDir() + "/s"
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("vhostdev", "--socket", socket, "--backend", "tap=vhostdev0", "--json", "--stats-period", "0",
		"--duration", "1m")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	status, deleted := make(chan int), make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlock: the thread is thrown away
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
		}
		handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			t.Error(err)
			close(status)
			return
		}
		defer handle.Close()
		ended := make(chan struct{})
		go func() {
			defer close(deleted)
			for { // until the command listens, which it does when it has made the interface
				if _, err := os.Stat(socket); err == nil {
					break
				}
				select {
				case <-ended:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
			if link, err := handle.LinkByName("vhostdev0"); err != nil || handle.LinkDel(link) != nil {
				t.Errorf("the interface cannot be deleted: %v", err)
			}
		}()
		if err := cmd.Run(); cmd.ProcessState == nil { // in the namespace of this thread
			t.Error(err)
		}
		close(ended)
		<-deleted
		status <- cmd.ProcessState.ExitCode()
	}()
	if got := <-status; got != 1 || !strings.Contains(stderr.String(), `TAP interface "vhostdev0": it was deleted`) ||
		!strings.Contains(stdout.String(), `"rx_packets":0`) {
		t.Errorf("status %d, stdout %s, stderr %s", got, stdout.String(), stderr.String())
	}
}

// TestRecordLimit: the option reaches the recording, and is refused without one.
func TestRecordLimit(t *testing.T) {
	file := t.TempDir() + "/a,b:c.pcap"
	o := &options{recordLimit: -1}
	if err := o.readBackend("pcap=:" + file); err != nil {
		t.Fatal(err)
	}
	if err := o.readRecordLimit("1K"); err != nil || o.recordLimit != 1024 {
		t.Fatalf("%d, %v", o.recordLimit, err)
	}
	w, err := o.wire()
	if err != nil {
		t.Fatal(err)
	}
	if n := w.Transmit(0, [][]byte{make([]byte, 600), make([]byte, 600)}); n != 2 {
		t.Errorf("%d frames were taken", n)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(file); err != nil || info.Size() != 24+16+600 {
		t.Errorf("%v, %v", info, err)
	}
	for _, args := range [][]string{
		{"--record-limit", "1K"}, {"--record-limit", "1K", "--backend", "pcap=x"}, {"--record-limit", "x", "--backend", "pcap=:x"},
	} {
		var stdout, stderr bytes.Buffer
		status := command.Run(app(), append([]string{"vhostdev", "--socket", "s"}, args...), &stdout, &stderr)
		if status != 2 || !strings.Contains(stderr.String(), "--record-limit") {
			t.Errorf("%v: status %d, %s", args, status, stderr.String())
		}
	}
}
