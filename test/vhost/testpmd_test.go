package vhost

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virtio-pmd/virtio-pmd/test/child"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testpmd is a running dpdk-testpmd, with net_vhost as a back end or with
// virtio-user as a driver.
type testpmd struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.Closer
	output log
	done   chan struct{}
}

// log is what a process writes.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var prefixes int

// startTestpmd starts a back end on a socket; device are arguments of net_vhost
// and args of testpmd itself. It ends with the test.
func startTestpmd(t *testing.T, socket, device string, args ...string) *testpmd {
	t.Helper()
	return startDPDK(t, "net_vhost0,iface="+socket+device, args...)
}

// startDPDK starts testpmd on a virtual device.
func startDPDK(t *testing.T, device string, args ...string) *testpmd {
	t.Helper()
	path, err := exec.LookPath("dpdk-testpmd")
	if err != nil {
		t.Fatal("dpdk-testpmd is missing, the other side of these tests; scripts/deps.sh installs it (package dpdk-dev)")
	}
	prefixes++
	all := append([]string{
		// The worker shares its CPU with the main thread, which sleeps.
		"--lcores", "0@0,1@0", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
		"--file-prefix", fmt.Sprintf("vhosttest%d-%d", os.Getpid(), prefixes),
		"--vdev", device, "--",
		"--nb-cores=1", "--total-num-mbufs=8192", "--stats-period=1", "--no-flush-rx",
	}, args...)
	p := &testpmd{t: t, cmd: exec.Command(path, all...), done: make(chan struct{})}
	// What it leaves behind when it is killed goes with the test.
	p.cmd.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+t.TempDir())
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	wait, err := child.Start(p.cmd, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			text := p.output.String()
			t.Logf("dpdk-testpmd %v ended with:\n%s", p.cmd.Args[1:], text[max(0, len(text)-2000):])
		}
	})
	return p
}

// kill ends it without a chance to say anything.
func (p *testpmd) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop ends it in the ordinary way and returns what it counted in all.
func (p *testpmd) stop() (rx, tx uint64) {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		p.t.Fatal("dpdk-testpmd does not end")
	}
	return p.total("RX"), p.total("TX")
}

var totals = regexp.MustCompile(`(?s)Accumulated forward statistics.*?RX-packets: (\d+).*?TX-packets: (\d+)`)

func (p *testpmd) total(way string) uint64 {
	p.t.Helper()
	found := totals.FindStringSubmatch(p.output.String())
	if found == nil {
		p.t.Fatal("dpdk-testpmd printed no statistics")
	}
	n, err := strconv.ParseUint(found[map[string]int{"RX": 1, "TX": 2}[way]], 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// counts are the packets of a queue pair.
type counts struct{ rx, tx uint64 }

var streams = regexp.MustCompile(`Forward Stats for RX Port= 0/Queue= (\d+) -> TX Port= 0/Queue= \d+ -+\s+RX-packets: (\d+) +TX-packets: (\d+)`)

// pairs is what it counted in all of each queue pair, in their order. It says so
// if it has several, of those that carried anything.
func (p *testpmd) pairs() (list []counts) {
	p.t.Helper()
	for i, found := range streams.FindAllStringSubmatch(p.output.String(), -1) {
		if found[1] != strconv.Itoa(i) {
			p.t.Fatalf("dpdk-testpmd counted nothing on pair %d", i)
		}
		rx, errRx := strconv.ParseUint(found[2], 10, 64)
		tx, errTx := strconv.ParseUint(found[3], 10, 64)
		if err := errors.Join(errRx, errTx); err != nil {
			p.t.Fatal(err)
		}
		list = append(list, counts{rx, tx})
	}
	return list
}

// until waits for something to happen while the process runs.
func (p *testpmd) until(what string, ok func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		select {
		case <-p.done:
			p.t.Fatalf("dpdk-testpmd ended before %s", what)
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// socketPath is short whatever the test is called.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vu")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

var periodic = regexp.MustCompile(`(?s).*NIC statistics for port 0.*?RX-packets: (\d+).*?TX-packets: (\d+)`)

// moved is what the last periodic statistics say.
func (p *testpmd) moved() (c counts) {
	if found := periodic.FindStringSubmatch(p.output.String()); found != nil {
		c.rx, _ = strconv.ParseUint(found[1], 10, 64)
		c.tx, _ = strconv.ParseUint(found[2], 10, 64)
	}
	return c
}

// received is what they say of packets that came.
func (p *testpmd) received() uint64 { return p.moved().rx }
