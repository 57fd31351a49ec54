package vhost

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/child"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// Two processes of this project, vhostdev and testpmd, exchange numbered frames
// as a user without privileges and without hugepages: what vhostdev plays
// testpmd gives back, and what vhostdev has recorded then is what it played.
func TestTwoProcessesUnprivileged(t *testing.T) {
	dir := playground(t, "vhostdev", "testpmd")
	const count = 20000
	lengths := []int{60, 61, 64, 127, 128, 1000, 1514}
	frames := make([][]byte, count)
	for i := range frames {
		frames[i] = frametest.Seq(i, lengths[(i+i/len(lengths))%len(lengths)])
	}
	played := filepath.Join(dir, "played.pcap")
	writeCapture(t, played, frames)
	// What testpmd has received always fits what it sends by, which it would drop
	// otherwise, as DPDK's does.
	const rings = ",rx_queue_size=64,tx_queue_size=512"
	for _, keys := range []string{",packed=0", ",packed=1", ",packed=1,mrg_rxbuf=0,in_order=0"} {
		t.Run(keys[1:], func(t *testing.T) {
			socket, recorded := filepath.Join(dir, "s"), filepath.Join(dir, "recorded.pcap")
			back := startOurs(t, filepath.Join(dir, "vhostdev"), "--socket", socket, "--backend",
				"pcap="+played+":"+recorded,
				"--stats-period=100ms", "--duration=1m")
			back.until(t, "there is a socket", func() bool {
				_, err := os.Lstat(socket)
				return err == nil
			})
			start := time.Now()
			driver := startOurs(t, filepath.Join(dir, "testpmd"), "--no-huge", "--forward-mode=io",
				"--stats-period=0", "--duration=1m",
				"vhost-user:"+socket+keys+rings)
			all := regexp.MustCompile(`TX-packets: +` + strconv.Itoa(count) + `\b`)
			back.until(t, "all frames are back", func() bool {
				return all.MatchString(back.stdout.String())
			})
			t.Logf("%d frames there and back in %.2f s from the start of testpmd", count,
				time.Since(start).Seconds())
			back.unprivileged(t)
			driver.unprivileged(t)
			driver.stop(t)
			back.stop(t)
			got := readCapture(t, recorded)
			for i := range min(len(got), count) {
				if !bytes.Equal(got[i], frames[i]) {
					t.Fatalf("frame %d came back different: %x, not %x", i, got[i], frames[i])
				}
			}
			if len(got) != count {
				t.Errorf("%d frames came back of %d", len(got), count)
			}
		})
	}
}

// unprivilegedID is the number of a user and a group without privileges.
const unprivilegedID = 65534

// ours is a running command of this project.
type ours struct {
	cmd            *exec.Cmd
	stdout, stderr log
	done           chan struct{}
	err            error // how it ended; read after done is closed
}

// startOurs starts a command, as an unprivileged user if the test runs as root. It ends
// with the test.
func startOurs(t *testing.T, args ...string) *ours {
	t.Helper()
	p := &ours{cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{})}
	p.cmd.Dir = "/"
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if os.Geteuid() == 0 {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: unprivilegedID, Gid: unprivilegedID}}
	}
	wait, err := child.Start(p.cmd, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s\n%s%s", strings.Join(args, " "), p.stderr.String(), p.stdout.String())
		}
	})
	return p
}

// stop ends it as a user does.
func (p *ours) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	p.wait(t)
}

// wait waits until it ends, which has to be well.
func (p *ours) wait(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
		if p.err != nil {
			t.Errorf("%s: %v", p.cmd.Path, p.err)
		}
	case <-time.After(time.Minute):
		t.Errorf("%s does not end", p.cmd.Path)
	}
}

// until waits for something to happen while the process runs.
func (p *ours) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		select {
		case <-p.done:
			t.Fatalf("%s ended before %s: %v", p.cmd.Path, what, p.err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: waited in vain until %s", p.cmd.Path, what)
		}
	}
}

// unprivileged shows that a process has no capability and no hugepage, and that its
// user is not root.
func (p *ours) unprivileged(t *testing.T) {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(status, []byte("Uid:\t0\t")) {
		t.Errorf("%s runs as root", p.cmd.Path)
	}
	for _, want := range []string{"CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
		"HugetlbPages:\t       0 kB\n"} {
		if !bytes.Contains(status, []byte(want)) {
			t.Errorf("%s: not %q in\n%s", p.cmd.Path, want, status)
		}
	}
}

// playground returns a directory that this user owns, with the commands in it.
func playground(t *testing.T, commands ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", dir + "/"}
	for _, c := range commands {
		args = append(args, "../../apps/"+c)
	}
	build := exec.Command("go", args...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, unprivilegedID, unprivilegedID); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
