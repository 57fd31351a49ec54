package devargs

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

// openTAP opens a port over a TAP interface in a network namespace of its own, and
// returns a handle and a packet socket of that namespace.
func openTAP(t *testing.T, text string) (port *driver.Port, handle *netlink.Handle, socket int) {
	t.Helper()
	if os.Getuid() != 0 && os.Getenv("CI") == "" { // in CI it fails instead
		t.Skip("a network namespace takes root; CI has it")
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread is thrown away
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			handle, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		}
		if err == nil {
			socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		}
		if err == nil {
			port, err = Open(t.Context(), text, Options{})
		}
		result <- err
	}()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		handle.Close()
		_ = unix.Close(socket)
	})
	return port, handle, socket
}

// sendSome sends up to n frames and returns how many were taken.
func sendSome(port *driver.Port, n int) (sent int) {
	bufs := make([]*mbuf.Buf, n)
	n = port.Pool().Get(bufs)
	for _, b := range bufs[:n] {
		copy(b.Append(60)[12:], []byte{0x88, 0xb5}) // not IP
	}
	sent = port.TxQueue(0).Burst(bufs[:n])
	mbuf.Free(bufs[sent:n])
	return sent
}

// waitStats waits until the device has taken what was sent and the counters are as ok
// wants them.
func waitStats(t *testing.T, port *driver.Port, what string, ok func(driver.Stats) bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(port.Stats()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %+v", what, port.Stats())
		}
	}
}

// TestTAPLink: the link of a port over a TAP interface is up while that is; a frame
// that cannot be delivered counts as dropped, and one that counts as sent has arrived.
// When the interface is deleted, the port ends and says why.
func TestTAPLink(t *testing.T) {
	port, handle, _ := openTAP(t, "emu:tap=devargs0")
	link, err := handle.LinkByName("devargs0")
	if err != nil {
		t.Fatal(err)
	}
	waitLink(t, port, false) // as the kernel made it
	sent := sendSome(port, 20)
	waitStats(t, port, "the interface is down", func(s driver.Stats) bool {
		return s.TxDropped == 20 && s.TxPackets == 0 && s.TxBytes == 0
	})
	if err := handle.LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	waitLink(t, port, true)
	sent += sendSome(port, 20)
	waitStats(t, port, "the interface is up", func(s driver.Stats) bool {
		return s.TxDropped == 20 && s.TxPackets == 20
	})
	for i := range 20 { // down and up under traffic, at any moment of it
		for range 1 + i%7 {
			sent += sendSome(port, 32)
		}
		if i%2 == 0 {
			err = handle.LinkSetDown(link)
		} else {
			err = handle.LinkSetUp(link)
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 7 - i%7 {
			sent += sendSome(port, 32)
		}
	}
	waitLink(t, port, true)
	arrived := func() int {
		if link, err = handle.LinkByName("devargs0"); err != nil {
			t.Fatal(err)
		}
		return int(link.Attrs().Statistics.RxPackets)
	}
	waitStats(t, port, "every frame has arrived or is counted as dropped", func(s driver.Stats) bool {
		return int(s.TxPackets+s.TxDropped) == sent && int(s.TxPackets) == arrived()
	})

	go func() {
		time.Sleep(5 * time.Millisecond)
		_ = handle.LinkDel(link)
	}()
	for deadline := time.Now().Add(time.Minute); port.Err() == nil; {
		sent += sendSome(port, 32)
		if time.Now().After(deadline) {
			t.Fatal("the port did not end with its interface")
		}
	}
	if err := port.Err(); !errors.Is(err, transport.ErrRemoved) || !strings.Contains(err.Error(), `TAP interface "devargs0": it was deleted`) {
		t.Errorf("the port ended with: %v", err)
	}
	if s := port.Stats(); int(s.TxPackets+s.TxDropped) != sent || port.Link().Up {
		t.Errorf("%d sent: %+v, link %v", sent, s, port.Link())
	}
	if err := port.Close(); err != nil {
		t.Error(err)
	}
}

// TestTAPComesUp: a frame that the machine sends as soon as the interface is up is
// received.
func TestTAPComesUp(t *testing.T) {
	port, handle, socket := openTAP(t, "emu:tap=devargs1")
	link, err := handle.LinkByName("devargs1")
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 60)
	copy(frame[12:], []byte{0x88, 0xb5})
	to := &unix.SockaddrLinklayer{Ifindex: link.Attrs().Index, Halen: 6}
	for range 5 {
		if err := handle.LinkSetUp(link); err != nil {
			t.Fatal(err)
		}
		if err := unix.Sendto(socket, frame, 0, to); err != nil {
			t.Fatal(err)
		}
		bufs := make([]*mbuf.Buf, 1)
		for deadline, got := time.Now().Add(time.Minute), false; !got; {
			if port.RxQueue(0).Burst(bufs) == 1 {
				got = bytes.Equal(bufs[0].Data(), frame)
				mbuf.Free(bufs)
			}
			if time.Now().After(deadline) {
				t.Fatal("the frame was not received")
			}
		}
		if err := handle.LinkSetDown(link); err != nil {
			t.Fatal(err)
		}
		waitLink(t, port, false)
	}
	if err := port.Close(); err != nil {
		t.Error(err)
	}
}
