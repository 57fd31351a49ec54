package vhostuser_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/poll"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

const hugePage = 2 << 20

// hugeMount is a hugetlbfs of its own with a limited number of pages, whose files,
// unlike memfds, cannot be sealed at all.
type hugeMount struct {
	t   *testing.T
	dir string
}

// mountHuge mounts one with room for so many pages, which are reserved meanwhile.
func mountHuge(t *testing.T, pages int) *hugeMount {
	t.Helper()
	if os.Geteuid() != 0 && os.Getenv("CI") == "" { // in CI it fails instead
		t.Skip("needs root: it mounts hugetlbfs")
	}
	pool, err := os.OpenFile("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	// The tests of other packages lock the file as well, before they enlarge the pool.
	if err := unix.Flock(int(pool.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 32)
	n, err := pool.ReadAt(text, 0)
	before, _ := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if before == 0 && n == 0 {
		t.Fatal(err)
	}
	if _, err := pool.WriteAt([]byte(strconv.Itoa(before+pages)), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = pool.WriteAt([]byte(strconv.Itoa(before)), 0) })
	m := &hugeMount{t, t.TempDir()}
	options := fmt.Sprintf("pagesize=2M,size=%d", pages*hugePage)
	if err := unix.Mount("none", m.dir, "hugetlbfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(m.dir, 0); err != nil {
			t.Error(err)
		}
	})
	return m
}

// files returns the descriptors of this process for files on the mount: those that the
// driver shares with a back end.
func (m *hugeMount) files() (fds []int) {
	m.t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		m.t.Fatal(err)
	}
	for _, entry := range list {
		name, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if fd, _ := strconv.Atoi(entry.Name()); err == nil && strings.HasPrefix(name, m.dir) {
			fds = append(fds, fd)
		}
	}
	if len(fds) < 2 {
		m.t.Fatalf("%d files of shared memory", len(fds))
	}
	return fds
}

// removal is how memory is taken away.
type removal struct {
	again    func() // once more: the driver or the device may have had pages back
	giveBack func()
}

// truncate removes all of the memory, and does not give it back.
func (m *hugeMount) truncate() removal {
	for _, fd := range m.files() {
		if err := unix.Ftruncate(fd, 0); err != nil {
			m.t.Error(err)
		}
	}
	return removal{func() {}, func() {}}
}

// punch punches holes into all of the memory, and takes the pages for a file of its own
// until they are given back.
func (m *hugeMount) punch() removal {
	m.t.Helper()
	fds := m.files()
	hog, err := os.Create(filepath.Join(m.dir, "hog"))
	if err != nil {
		m.t.Fatal(err)
	}
	at := int64(0)
	again := func() {
		for _, fd := range fds {
			var stat unix.Stat_t
			if err := unix.Fstat(fd, &stat); err != nil {
				return // the port was closed
			}
			_ = unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, stat.Size)
			for unix.Fallocate(int(hog.Fd()), 0, at*hugePage, hugePage) == nil {
				at++
			}
		}
	}
	again()
	return removal{again, func() {
		_ = os.Remove(hog.Name())
		_ = hog.Close()
	}}
}

// pollers are the ways in which a port is polled while its memory goes. Each returns a
// function that ends it and returns its error.
var pollers = map[string]func(t *testing.T, p *driver.Port) (end func() error){
	"lcore": func(t *testing.T, p *driver.Port) func() error {
		l := forward(p)
		core, err := lcore.Start(lcore.AnyCPU, l.Poll, l.Abandon)
		if err != nil {
			t.Fatal(err)
		}
		return core.Stop
	},
	"loop": func(t *testing.T, p *driver.Port) func() error {
		l := forward(p)
		l.NoSignals, l.Ports = true, nil
		ctx, cancel := context.WithCancel(context.Background())
		var err error
		var running sync.WaitGroup
		running.Go(func() { err = l.Run(ctx) })
		return func() error {
			cancel()
			running.Wait()
			return err
		}
	},
	"none": func(*testing.T, *driver.Port) func() error { return func() error { return nil } },
}

// forward returns a loop that writes to each packet it receives and sends it.
func forward(p *driver.Port) *poll.Loop {
	return &poll.Loop{Streams: []poll.Stream{{Rx: p.RxQueue(0), Tx: p.TxQueue(0),
		Handle: func(packets []*mbuf.Buf) []*mbuf.Buf {
			for _, b := range packets {
				b.Data()[0] = 2
			}
			return packets
		}}}}
}

// serveTraffic serves a device that generates frames, and opens a port on it with memory
// of the mount.
func serveTraffic(t *testing.T, m *hugeMount, r driver.Recovery) (*vhostback.Backend, *driver.Port) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	back, err := vhostback.Serve(path, vhostback.Config{Device: vdev.Config{Backend: wire.Gen(64)}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := tryOpen(path, vhostuser.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := driver.Open(d, driver.Config{RxQueueSize: 64, TxQueueSize: 64, Recovery: r,
		Memory: hugepages.Options{Dir: m.dir, PageSize: hugePage}})
	if err != nil {
		t.Fatal(err)
	}
	return back, p
}

// A back end takes memory away that it shares, so that the next access is a SIGBUS:
// while packets flow, while the port reconnects, or before it is closed. The program
// goes on, the port fails with ErrMemoryFault where it needs the memory, and can be
// closed.
func TestMemoryIsRemoved(t *testing.T) {
	for name, remove := range map[string]func(*hugeMount) removal{
		"truncate": (*hugeMount).truncate, "punch": (*hugeMount).punch,
	} {
		for poller, start := range pollers {
			for _, reconnect := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/reconnect=%v", name, poller, reconnect), func(t *testing.T) {
					m := mountHuge(t, 8)
					back, p := serveTraffic(t, m, driver.Recovery{MaxResets: 2})
					end := start(t, p)
					if poller != "none" {
						until(t, "packets flow", func() bool { return p.Stats().TxPackets > 100 })
					}
					gone := remove(m)
					if reconnect {
						if err := back.Close(); err != nil {
							t.Error(err)
						}
						back = reopen(t, back.State().Path)
					}
					if poller != "none" || reconnect {
						until(t, "the port fails", func() bool {
							gone.again()
							return p.Err() != nil
						})
						if !errors.Is(p.Err(), driver.ErrMemoryFault) {
							t.Errorf("%T %v", p.Err(), p.Err())
						}
					}
					if err := end(); err != nil {
						t.Errorf("the poller: %v", err)
					}
					if err := p.Close(); err != nil {
						t.Error(err)
					}
					gone.giveBack()
					if err := back.Close(); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

// reopen serves the same socket with another back end.
func reopen(t *testing.T, path string) *vhostback.Backend {
	t.Helper()
	back, err := vhostback.Serve(path, vhostback.Config{Device: vdev.Config{Backend: wire.Gen(64)}})
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// A port whose memory comes back in time goes on.
func TestMemoryComesBack(t *testing.T) {
	m := mountHuge(t, 8)
	back, p := serveTraffic(t, m, driver.Recovery{MaxResets: 100, MaxBackoff: 20 * time.Millisecond})
	end := pollers["lcore"](t, p)
	until(t, "packets flow", func() bool { return p.Stats().TxPackets > 100 })
	gone := m.punch()
	until(t, "the port notices", func() bool {
		gone.again()
		return !p.Link().Up
	})
	gone.giveBack()
	until(t, "the port is up again", func() bool { return p.Stats().Resets > 0 && p.Link().Up })
	sent := p.Stats().TxPackets
	until(t, "packets flow again", func() bool { return p.Stats().TxPackets > sent+1000 })
	if err := end(); err != nil {
		t.Errorf("the poller: %v", err)
	}
	if err := errors.Join(p.Close(), back.Close()); err != nil {
		t.Error(err)
	}
}
