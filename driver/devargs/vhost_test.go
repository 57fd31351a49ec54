package devargs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// TestVhost: what is sent into emu:vhost=SOCKET comes out of a port that is
// connected to the socket, and the other way round; the link is up while it is.
func TestVhost(t *testing.T) {
	small := Options{Memory: hugepages.Options{SmallPages: true}}
	for _, c := range []struct{ near, far string }{
		{"", ""}, {",packed=0", ",packed=0"}, {",packed=1", ",packed=0,mrg_rxbuf=0"}, {",packed=0", ",packed=1,in_order=1"},
		{",queues=2", ",queues=2"}, {",server=0", ",server=1"},
	} {
		t.Run(strings.NewReplacer(",", " ").Replace(c.near+c.far), func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			near := open(t, "emu:vhost="+socket+c.near, small)
			if near.Link().Up {
				t.Error("the link is up although no peer is connected")
			}
			for range 2 {
				far, err := Open(t.Context(), "vhost-user:"+socket+c.far, small)
				if err != nil {
					t.Fatal(err)
				}
				waitLink(t, near, true)
				cross(t, near, far)
				cross(t, far, near)
				if far.MAC().String() == near.MAC().String() {
					t.Errorf("both devices have the address %v", far.MAC())
				}
				if err := far.Close(); err != nil {
					t.Error(err)
				}
				waitLink(t, near, false)
			}
		})
	}
}

// TestAnnounce: a vhost-user port has the back end announce its address, and what is at the
// other end of the back end's wire receives the packet.
func TestAnnounce(t *testing.T) {
	small := Options{Memory: hugepages.Options{SmallPages: true}}
	socket := filepath.Join(t.TempDir(), "s")
	near := open(t, "emu:vhost="+socket, small)
	far := open(t, "vhost-user:"+socket+",mac=02:00:00:00:00:07", small)
	waitLink(t, near, true)
	if err := far.Announce(t.Context()); err != nil {
		t.Fatal(err)
	}
	bufs := make([]*mbuf.Buf, 1)
	for deadline := time.Now().Add(time.Minute); near.RxQueue(0).Burst(bufs) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("no packet arrived")
		}
	}
	frame := bufs[0].Data()
	// RFC 903: to everyone, from the port, type 0x8035.
	want := []byte{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 7, 0x80, 0x35}
	if !bytes.Equal(frame[:len(want)], want) {
		t.Errorf("received %x", frame)
	}
	mbuf.Free(bufs)
}

// TestAllowIsNotRequire: packed=1 opens a device without packed rings with split
// ones, and the path says why.
func TestAllowIsNotRequire(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	back, err := vhostback.Serve(socket, vhostback.Config{Device: vdev.Config{Refuse: virtio.FeatureSet(virtio.RingPacked)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = back.Close() })
	port := open(t, "vhost-user:"+socket+",packed=1", Options{Memory: hugepages.Options{SmallPages: true}})
	path := port.Path().String()
	for _, want := range []string{"RX split", "TX split", "no packed ring: the device does not offer RING_PACKED"} {
		if !strings.Contains(path, want) {
			t.Errorf("the path does not say %q: %s", want, path)
		}
	}
}

func waitLink(t *testing.T, p *driver.Port, up bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); p.Link().Up != up; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the link did not become %v", map[bool]string{true: "up", false: "down"}[up])
		}
	}
}

// cross sends frames from one port to the other, which get there intact and in
// order.
func cross(t *testing.T, from, to *driver.Port) {
	t.Helper()
	const frames = 500
	text := func(i int) []byte {
		b := fmt.Appendf(make([]byte, 14, 1514), "frame %06d", i)
		for len(b) < 60+i*7%1454 {
			b = append(b, byte(len(b)))
		}
		return b
	}
	sent, got := 0, 0
	bufs := make([]*mbuf.Buf, 8)
	for deadline := time.Now().Add(time.Minute); got < frames; {
		if sent < frames && sent-got < 64 && from.Pool().Get(bufs[:1]) == 1 {
			copy(bufs[0].Append(len(text(sent))), text(sent))
			if from.TxQueue(0).Burst(bufs[:1]) == 1 {
				sent++
			} else {
				mbuf.Free(bufs[:1])
			}
		}
		for q := range to.Queues() {
			n := to.RxQueue(q).Burst(bufs)
			for _, b := range bufs[:n] {
				if !bytes.Equal(b.Data(), text(got)) {
					t.Fatalf("frame %d of %d bytes arrived as %d other bytes", got, len(text(got)), b.Len())
				}
				got++
			}
			mbuf.Free(bufs[:n])
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d sent, %d arrived: %+v, %+v", sent, got, from.Stats(), to.Stats())
		}
	}
}

func TestOpenVhostRefuses(t *testing.T) {
	dir := t.TempDir()
	var bad *vhostback.Error
	if _, err := Open(t.Context(), "emu:vhost="+dir+"/none/s", Options{}); !errors.As(err, &bad) {
		t.Errorf("a directory that is not there: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), "emu:vhost="+file, Options{}); !errors.As(err, &bad) {
		t.Errorf("a file in the way: %v", err)
	}
	socket := filepath.Join(dir, "s")
	open(t, "emu:vhost="+socket, Options{})
	if _, err := Open(t.Context(), "emu:vhost="+socket, Options{}); !errors.As(err, &bad) || !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a socket that is in use: %v", err)
	}
}

// TestSocketAccess: socket_mode and socket_group are those of the sockets of both
// kinds of port.
func TestSocketAccess(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	group := os.Getgid()
	if os.Getuid() == 0 {
		group = 12345
	}
	keys := fmt.Sprintf(",socket_mode=0624,socket_group=%d", group)
	check := func() {
		t.Helper()
		var info fs.FileInfo
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			var err error
			if info, err = os.Lstat(socket); err == nil && info.Mode().Perm() == 0o624 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%v, %v", info, err)
			}
		}
		if gid := int(info.Sys().(*syscall.Stat_t).Gid); gid != group {
			t.Errorf("the group is %d, want %d", gid, group)
		}
	}
	near := open(t, "emu:vhost="+socket+keys, Options{})
	check()
	if err := near.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := Open(ctx, "vhost-user:"+socket+",server=1"+keys, Options{})
		done <- err
	}()
	check()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_, err := Open(t.Context(), "vhost-user:"+socket+",server=1,socket_group=no such group", Options{})
	if err == nil || !strings.Contains(err.Error(), "no such group") {
		t.Errorf("an unknown group: %v", err)
	}
}

// TestOpenEndsWithItsContext: whatever a port waits for, Open ends with its context,
// and a server says that it was interrupted.
func TestOpenEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	silent, err := net.Listen("unix", filepath.Join(dir, "silent")) // it never accepts
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	o := Options{Memory: hugepages.Options{SmallPages: true}}
	for text, phrase := range map[string]string{
		"vhost-user:" + dir + "/server,server=1":                    "no back end connected within",
		"vhost-user:" + dir + "/server2,server=1,server_timeout=1h": "no back end connected within",
		"vhost-user:" + dir + "/silent":                             "",
		"emu:gen":                                                   "",
		"emu:vhost=" + dir + "/s":                                   "",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		if strings.HasPrefix(text, "emu:") {
			cancel() // such a port waits for nothing
		} else {
			time.AfterFunc(10*time.Millisecond, cancel)
		}
		_, err := Open(ctx, text, o)
		cancel()
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), phrase) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestServerTimeout: server_timeout bounds the wait for a back end, and no more.
func TestServerTimeout(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	o := Options{Memory: hugepages.Options{SmallPages: true}}
	_, err := Open(t.Context(), "vhost-user:"+socket+",server=1,server_timeout=20ms", o)
	if !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), "no back end connected within") {
		t.Errorf("no back end connects: %v", err)
	}
	near := open(t, "emu:vhost="+socket+",server=0", o)
	far := open(t, "vhost-user:"+socket+",server=1,server_timeout=1m", o)
	waitLink(t, near, true)
	cross(t, near, far)
}
