package vhost

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/test/child"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// The tests of the back end: dpdk-testpmd's virtio-user is the driver.

// virtioUser are the modes of DPDK's driver, and words of the path that it
// negotiates with them.
var virtioUser = []struct{ keys, path string }{
	{"", "split ring, mergeable, in order"},
	{",mrg_rxbuf=0,in_order=0", "split ring"},
	{",in_order=0", "split ring, mergeable"},
	{",mrg_rxbuf=0,in_order=0,vectorized=1", "split ring"},
	{",packed_vq=1", "packed ring, mergeable, in order"},
	{",packed_vq=1,in_order=0", "packed ring, mergeable"},
	{",packed_vq=1,mrg_rxbuf=0,in_order=0", "packed ring"},
	{",packed_vq=1,mrg_rxbuf=0,in_order=1", "packed ring, in order"},
	{",packed_vq=1,mrg_rxbuf=0,in_order=1,vectorized=1", "packed ring, in order"},
}

// tolerated are rules that DPDK's driver does not keep: when it forwards a packet
// it leaves the header that the packet came with, and in the indirect tables of
// packed rings it sets NEXT and AVAIL, and calls the header writable.
var tolerated = map[string]bool{"net/tx/2": true, "packed/indirect/2": true,
	"x/net/tx-writable": true}

// startVirtioUser starts DPDK's driver on a socket.
func startVirtioUser(t *testing.T, socket, keys string, args ...string) *testpmd {
	t.Helper()
	return startDPDK(t, "net_virtio_user0,path="+socket+",queue_size=256"+keys, args...)
}

// Numbered frames go through DPDK's driver and back, each once, in order and
// intact, in all of its modes.
func TestBackEndWithVirtioUser(t *testing.T) {
	for _, mode := range virtioUser {
		t.Run(mode.path+mode.keys, func(t *testing.T) {
			lengths := []int{60, 61, 64, 127, 128, 1000, 1514}
			args := []string{"--forward-mode=io", "--mbcache=0"}
			if strings.Contains(mode.path, "mergeable") {
				lengths = append(lengths, 2048, 4096, 9000)
				args = append(args, "--max-pkt-len=9018", "--enable-scatter",
					"--tx-offloads=0x8000")
			}
			near, far := wire.Cable()
			socket := socketPath(t)
			back := serveDevice(t, socket,
				vhostback.Config{Device: vdev.Config{Backend: far, MTU: 9000, Hold: true}})
			driver := startVirtioUser(t, socket, mode.keys, args...)
			driver.until("it is up", func() bool { return back.State().Up })
			number := 0
			for round := range 20 {
				var frames [][]byte
				for i := range window {
					frames = append(frames,
						frametest.Seq(number, lengths[(i*i+round)%len(lengths)]))
					number++
				}
				bounce(t, driver, near, frames)
			}
			for _, v := range back.Device().Violations() {
				if !tolerated[v.Rule] {
					t.Errorf("the device recorded %v", v)
				}
			}
		})
	}
}

// serveDevice starts a back end in this process.
func serveDevice(t *testing.T, socket string, cfg vhostback.Config) *vhostback.Backend {
	t.Helper()
	cfg.Ended = func(err error) {
		if err != nil {
			t.Errorf("the connection ended with %v", err)
		}
	}
	back, err := vhostback.Serve(socket, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := back.Close(); err != nil {
			t.Error(err)
		}
	})
	return back
}

// bounce sends frames into a cable and expects them back.
func bounce(t *testing.T, driver *testpmd, end *wire.End, frames [][]byte) {
	t.Helper()
	sent, got := 0, 0
	in := make([][]byte, 32)
	driver.until("frames come back", func() bool {
		sent += end.Transmit(0, frames[sent:])
		for n := end.Receive(0, in); n > 0; n = end.Receive(0, in) {
			for _, f := range in[:n] {
				if got >= len(frames) || !bytes.Equal(f, frames[got]) {
					t.Fatalf("frame %d came back different: %d bytes", got, len(f))
				}
				got++
			}
		}
		return got == len(frames)
	})
}

// startVhostdev starts the command; stop ends it and returns what it printed.
func startVhostdev(t *testing.T, socket string, args ...string) (stop func() vhostdevObject) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "vhostdev")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary,
		"../../apps/vhostdev").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(binary, append([]string{"--socket", socket, "--json", "--stats-period", "0",
		"--log-level", "info"}, args...)...)
	var stdout, stderr log
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	wait, err := child.Start(cmd, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = wait()
		if t.Failed() {
			t.Logf("vhostdev: %s", stderr.String())
		}
	})
	await(t, "vhostdev listens", func() bool { _, err := os.Lstat(socket); return err == nil })
	return func() (object vhostdevObject) {
		t.Helper()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := wait(); err != nil {
			t.Errorf("vhostdev: %v", err)
		}
		if err := json.Unmarshal([]byte(stdout.String()), &object); err != nil {
			t.Fatalf("%v in %q", err, stdout.String())
		}
		return object
	}
}

type vhostdevObject struct {
	Ports []struct {
		Path      string `json:"path"`
		RxPackets uint64 `json:"rx_packets"`
		TxPackets uint64 `json:"tx_packets"`
		TxDropped uint64 `json:"tx_dropped"`
	} `json:"ports"`
}

// What vhostdev plays from a capture DPDK gives back, and it is the same, on both
// rings.
func TestVhostdevPlaysAndRecords(t *testing.T) {
	var frames [][]byte
	for i := range 200 { // as many as fit a ring: a driver that forwards drops what does not
		frames = append(frames, frametest.Seq(i, 60+i*7%1455))
	}
	for keys, ring := range map[string]string{",packed_vq=0": "split ring",
		",packed_vq=1": "packed ring"} {
		t.Run(ring, func(t *testing.T) {
			in, out := filepath.Join(t.TempDir(), "in.pcap"), filepath.Join(t.TempDir(), "out.pcap")
			writeCapture(t, in, frames)
			socket := socketPath(t)
			stop := startVhostdev(t, socket, "--backend", "pcap="+in+":"+out)
			driver := startVirtioUser(t, socket, keys, "--forward-mode=io")
			driver.until("all frames went through", func() bool {
				return driver.received() >= uint64(len(frames))
			})
			driver.stop()
			p := stop().Ports[0]
			if p.RxPackets != uint64(len(frames)) || p.TxPackets != uint64(len(frames)) ||
				p.TxDropped != 0 || !strings.Contains(p.Path, ring) {
				t.Errorf("%+v", p)
			}
			recorded := readCapture(t, out)
			if len(recorded) != len(frames) {
				t.Errorf("%d frames were recorded of %d", len(recorded), len(frames))
			}
			for i, f := range recorded[:min(len(recorded), len(frames))] {
				if !bytes.Equal(f, frames[i]) {
					t.Fatalf("frame %d came back different", i)
				}
			}
			t.Logf("%s: %d frames played, %d recorded", p.Path, len(frames), len(recorded))
		})
	}
}

func writeCapture(t *testing.T, name string, frames [][]byte) {
	t.Helper()
	c, err := wire.PCAP(":" + name)
	if err != nil {
		t.Fatal(err)
	}
	c.Transmit(0, frames)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func readCapture(t *testing.T, name string) [][]byte {
	t.Helper()
	c, err := wire.PCAP(name)
	if err != nil {
		t.Fatal(err)
	}
	frames := make([][]byte, c.Frames())
	return frames[:c.Receive(0, frames)]
}

// Raw mode serves every mode of DPDK's driver, and what it counts is what the
// driver counts.
func TestRawBackEndWithVirtioUser(t *testing.T) {
	for _, mode := range virtioUser {
		t.Run(mode.path+mode.keys, func(t *testing.T) {
			socket := socketPath(t)
			back := serveDevice(t, socket,
				vhostback.Config{Raw: &vhostback.RawConfig{Generate: true}})
			core, err := lcore.Start(1, back.Poll)
			if err != nil {
				t.Fatal(err)
			}
			defer core.Stop()
			driver := startVirtioUser(t, socket, mode.keys, "--forward-mode=io")
			driver.until("packets go both ways", func() bool {
				return back.Counters().TxPackets >= 4000
			})
			rx, tx := driver.stop()
			sameCounts(t, back.Counters().RxPackets, back.Counters().TxPackets, rx, tx)
		})
	}
}

// sameCounts compares what the back end counted with what the driver did. What
// is in the rings when the driver stops is counted on one side.
func sameCounts(t *testing.T, backRx, backTx, rx, tx uint64) {
	t.Helper()
	const rings = 2 * 256
	if backRx < rx || backRx > rx+rings || backTx > tx || backTx+rings < tx {
		t.Errorf("the driver received %d and sent %d, the back end counted %d and %d", rx, tx,
			backRx, backTx)
	}
}

// The same with the command.
func TestVhostdevRaw(t *testing.T) {
	mode := virtioUser[7]
	socket := socketPath(t)
	stop := startVhostdev(t, socket, "--raw", "--backend", "gen", "--cpus", "1")
	driver := startVirtioUser(t, socket, mode.keys, "--forward-mode=io")
	driver.until("packets go both ways", func() bool { return driver.received() >= 4000 })
	rx, tx := driver.stop()
	p := stop().Ports[0]
	if !strings.HasSuffix(p.Path, mode.path) {
		t.Errorf("path %q, expected %q", p.Path, mode.path)
	}
	sameCounts(t, p.RxPackets, p.TxPackets, rx, tx)
}

// DPDK's driver comes and goes while the back end stays.
func TestBackEndServesOneAfterTheOther(t *testing.T) {
	socket := socketPath(t)
	back := serveDevice(t, socket,
		vhostback.Config{Device: vdev.Config{Backend: wire.Loop(), Hold: true}})
	for i := range 4 {
		mode := virtioUser[2*i]
		driver := startVirtioUser(t, socket, mode.keys, "--forward-mode=io", "--tx-first")
		driver.until("packets go round", func() bool { return driver.received() >= 1000 })
		if i%2 == 0 {
			driver.stop()
		} else {
			driver.kill()
		}
		for deadline := time.Now().Add(time.Minute); back.State().Connected; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the connection does not end")
			}
		}
	}
	if s := back.State(); s.Peers != 4 {
		t.Errorf("%+v", s)
	}
}
