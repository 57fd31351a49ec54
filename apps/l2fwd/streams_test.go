package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

// hang is after what time something has gone wrong.
const hang = 60 * time.Second

// process is the command with streams that a test reads, stalls or closes.
type process struct {
	*exec.Cmd
	done chan struct{}
	err  error // of Wait, once done is closed
}

// launch starts the command. It is ended with the test at the latest.
func launch(t *testing.T, stdout, stderr io.Writer, args ...string) *process {
	t.Helper()
	return launchCommand(t, exec.Command("l2fwd", args...), stdout, stderr)
}

func launchCommand(t *testing.T, cmd *exec.Cmd, stdout, stderr io.Writer) *process {
	t.Helper()
	p := &process{Cmd: cmd, done: make(chan struct{})}
	p.Stdout, p.Stderr = stdout, stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.err = p.Wait(); close(p.done) }()
	t.Cleanup(func() { _ = p.Process.Kill(); <-p.done })
	return p
}

// send sends a signal.
func (p *process) send(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		t.Error(err)
	}
}

// ends waits for the end and checks that it is an exit with the status.
func (p *process) ends(t *testing.T, status int) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(hang):
		t.Fatalf("%q does not end", p.Args)
	}
	if got := p.ProcessState.ExitCode(); got != status {
		t.Errorf("%q: %v, want status %d", p.Args[:min(8, len(p.Args))], p.ProcessState, status)
	}
}

// pipe returns both ends of a pipe that holds a page.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
		t.Fatal(err)
	}
	return r, w
}

// await waits until what a test looks for has come.
func await(t *testing.T, what string, come func() bool) {
	t.Helper()
	for deadline := time.Now().Add(hang); !come(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after %v", what, hang)
		}
	}
}

// fill fills a pipe that is not read, so that it takes no more.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	// Opened again, because only this one may not wait.
	full, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", w.Fd()), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(full)
	for size := 4096; size > 0; {
		switch _, err := unix.Write(full, make([]byte, size)); err {
		case nil:
		case unix.EAGAIN:
			size /= 2
		default:
			t.Fatal(err)
		}
	}
}

// stalls waits until something has been written to a pipe, and fills it.
func stalls(t *testing.T, r, w *os.File) {
	t.Helper()
	await(t, "something is written", func() bool {
		n, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	})
	fill(t, w)
}

// TestStalledReader: a program that does not read what the command prints keeps it
// neither from its end, planned or by the first signal, nor from reporting that the
// result was not read. Status 0 is for a result that was read.
func TestStalledReader(t *testing.T) {
	for _, c := range []struct {
		name           string
		stdout, stderr bool // stalled
		args           string
		status         int
	}{
		{"screens", true, false, "", 1},
		{"lines of JSON", true, false, "--json", 1},
		{"both, one pipe", true, true, "", 1},
		{"messages of --json", false, true, "--json", 0},
	} {
		for _, planned := range []bool{false, true} {
			t.Run(c.name+map[bool]string{true: ", planned end"}[planned], func(t *testing.T) {
				t.Parallel()
				r, w := pipe(t)
				var printed bytes.Buffer
				var stdout, stderr io.Writer = w, &printed
				args := strings.Fields(c.args + " emu:gen emu:null")
				if c.status == 1 {
					args = append(args, "--stats-period", "5ms")
				} else {
					stdout, stderr = &printed, w
					// The paths of many ports are more than the pipe holds.
					args = append(args, strings.Fields(strings.Repeat("emu:loop,queues=1,packed=0,rx_queue_size=16,tx_queue_size=16 ", 30))...)
				}
				if c.stderr {
					stderr = w
				}
				if planned {
					args = append(args, "--duration", "100ms")
					fill(t, w)
				}
				p := launch(t, stdout, stderr, args...)
				if !planned {
					stalls(t, r, w)
					p.send(t, syscall.SIGTERM)
				}
				p.ends(t, c.status)
				switch text := printed.String(); {
				case c.status == 0:
					decode(t, []byte(text))
				case !c.stderr && strings.Count(text, "its reader does not read: the result was not written") != 1:
					t.Errorf("standard error does not say it once: %s", text)
				}
			})
		}
	}
}

// TestStalledRecovery: a back end that was replaced is taken up again while no program
// reads what the recovery logs.
func TestStalledRecovery(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	serve := func() *vhostback.Backend {
		b, err := vhostback.Serve(socket, vhostback.Config{Device: vdev.Config{Backend: wire.Null(), QueueSize: 256, Pairs: 1}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	receives := func(b *vhostback.Backend) func() bool {
		return func() bool { return b.Counters().TxPackets > 1000 }
	}
	r, w := pipe(t)
	first := serve()
	p := launch(t, w, w, "--no-huge", "--stats-period", "5ms", "--log-level", "debug", "emu:gen", "vhost-user:"+socket)
	await(t, "packets flow", receives(first))
	stalls(t, r, w)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := serve()
	await(t, "packets flow to the second back end", receives(second))
	p.send(t, syscall.SIGTERM)
	p.ends(t, 1)
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

// TestReaderEnds: packets flow on after the program that reads the log has ended, as with
// 2>&1 | head -1. What was recorded is complete, the socket is removed, and the status
// says whether the result was lost.
func TestReaderEnds(t *testing.T) {
	for name, status := range map[string]int{"2>&1 | head -1": 1, "2> >(head -1)": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			recorded, socket := filepath.Join(dir, "out.pcap"), filepath.Join(dir, "s")
			size := func() int64 {
				info, err := os.Stat(recorded)
				if err != nil {
					return 0
				}
				return info.Size()
			}
			r, w := pipe(t)
			var stdout io.Writer = w
			var result bytes.Buffer
			if status == 0 {
				stdout = &result
			}
			p := launch(t, stdout, w, "--stats-period", "10ms", "--log-level", "debug", "--portmap", "(0,1)(2,3)",
				"emu:gen", "emu:pcap=:"+recorded, "emu:vhost="+socket, "emu:null")
			w.Close()
			if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			r.Close()
			before := max(size(), 24) // a file that has no more than its header is being opened
			await(t, "more is recorded", func() bool { return size() > before })
			time.Sleep(50 * time.Millisecond) // several screens
			p.send(t, syscall.SIGTERM)
			p.ends(t, status)
			if _, err := os.Lstat(socket); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket is still there: %v", err)
			}
			// A header, then for each frame of 64 bytes one of 16.
			if got := size(); got <= before || (got-24)%(16+64) != 0 {
				t.Errorf("the recording has %d bytes", got)
			}
			if status == 0 && !strings.Contains(result.String(), "Accumulated forward statistics") {
				t.Errorf("no summary: %q", result.String())
			}
		})
	}
}

// TestNoResult: a result that has nowhere to go is an error, said once on standard error.
func TestNoResult(t *testing.T) {
	closed := exec.Command("sh", "-c", "exec l2fwd --json --duration 100ms emu:gen emu:null >&-")
	full := exec.Command("sh", "-c", "exec l2fwd --duration 100ms emu:gen emu:null >/dev/full")
	ended := exec.Command("l2fwd", "--json", "--duration", "100ms", "emu:gen", "emu:null")
	r, w := pipe(t)
	r.Close()
	ended.Stdout = w
	for says, cmd := range map[string]*exec.Cmd{
		"--json: standard output is closed": closed, "write to standard output: its reader has ended": ended,
		"write to standard output: no space left on device": full,
	} {
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || strings.Count(stderr.String(), says) != 1 {
			t.Errorf("%v, and not once %q:\n%s", err, says, stderr.String())
		}
	}
	for _, to := range []string{">/dev/null", "</dev/null >/dev/null 2>&1"} {
		if out, err := exec.Command("sh", "-c", "exec l2fwd --json --duration 50ms emu:gen emu:null "+to).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", to, err, out)
		}
	}
}

// TestSignals: SIGINT, SIGTERM and SIGHUP end an endless run with the summary and
// status 0; with nohup SIGHUP does not.
func TestSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			var stderr bytes.Buffer
			stdout := newWatcher("RX-packets:")
			p := launch(t, stdout, &stderr, "--stats-period", "50ms", "emu:gen", "emu:null")
			<-stdout.found // it forwards
			p.send(t, sig)
			p.ends(t, 0)
			if !strings.Contains(stdout.String(), "Accumulated forward statistics") {
				t.Errorf("no summary: %q", stdout.String())
			}
		})
	}
	t.Run("nohup", func(t *testing.T) {
		stdout := newWatcher("Rx-pps")
		var stderr bytes.Buffer
		p := launchCommand(t, exec.Command("sh", "-c", `trap "" HUP; exec l2fwd --stats-period 20ms emu:gen emu:null`), stdout, &stderr)
		<-stdout.found
		p.send(t, syscall.SIGHUP)
		screens := strings.Count(stdout.String(), "Rx-pps")
		await(t, "screens go on", func() bool { return strings.Count(stdout.String(), "Rx-pps") > screens+10 })
		p.send(t, syscall.SIGTERM)
		p.ends(t, 0)
		if !strings.Contains(stdout.String(), "Accumulated forward statistics") {
			t.Errorf("no summary: %q", stdout.String())
		}
	})
}

// TestInterruptedServer: a port that waits for its back end says so, and the first signal
// ends the waiting, which is called interrupted; no socket is left.
func TestInterruptedServer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	stderr := newWatcher("waiting for a back end to connect .*" + socket)
	p := launch(t, io.Discard, stderr, "--no-huge", "--duration", "1h", "vhost-user:"+socket+",server=1")
	select {
	case <-stderr.found:
	case <-time.After(time.Minute):
		t.Errorf("not said within a minute: %s", stderr.String())
	}
	p.send(t, syscall.SIGINT)
	p.ends(t, 1)
	if !strings.Contains(stderr.String(), "server=1: interrupted") {
		t.Errorf("standard error: %s", stderr.String())
	}
	if _, err := os.Lstat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// TestDurationBoundsServer: --duration ends the waiting for a back end too, with what was
// waited for; no socket is left.
func TestDurationBoundsServer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	out, err := exec.Command("l2fwd", "--no-huge", "--duration", "100ms", "vhost-user:"+socket+",server=1").CombinedOutput()
	want := "l2fwd: port vhost-user:" + socket + ",server=1: no back end connected to " + socket + " within the 100ms of --duration; "
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), want) {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Lstat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// TestUsageStatus: a command line that cannot be used ends with status 2, whatever of it
// cannot, and what the machine refuses with status 1.
func TestUsageStatus(t *testing.T) {
	for line, want := range map[string]int{
		"": 2, "eth0": 2, "emu:gen,queues=x": 2, "emu:gen --portmap (0,2)": 2, "--cpus 1023 emu:gen": 2, "--cpus 1-0 emu:gen": 2,
		"--nonsense emu:gen": 2, "emu:gen --duration": 2, "emu:gen --duration ten": 2, "help cheese": 2, "--pool-size 64 emu:gen": 2,
		"emu:cable=a emu:cable=a emu:cable=a": 2, "emu:gen --log-level loud": 2,
		"emu:pcap=missing.pcap": 1, "vhost-user:missing.sock": 1, "ffff:ff:1f.7": 1,
	} {
		out, err := exec.Command("l2fwd", strings.Fields(line)...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != want || !bytes.HasPrefix(out, []byte("l2fwd: ")) {
			t.Errorf("%s: %v, want status %d\n%s", line, err, want, out)
		}
	}
}

// TestLines: with --json and a period each line is an object, the last of them the
// outcome.
func TestLines(t *testing.T) {
	stdout := newWatcher("\n(.*\n)+")
	var stderr bytes.Buffer
	p := launch(t, stdout, &stderr, "emu:gen", "--json", "--stats-period", ".05", "--quiet", "emu:null")
	<-stdout.found // two lines
	p.send(t, syscall.SIGTERM)
	p.ends(t, 0)
	if stderr.Len() > 0 {
		t.Errorf("standard error: %s", &stderr)
	}
	var objects []report.Object
	for line := range strings.Lines(stdout.String()) {
		objects = append(objects, decode(t, []byte(line)))
	}
	last := uint64(0)
	for i, o := range objects {
		if n := o.Ports[0].RxPackets; n < last {
			t.Errorf("object %d: %d packets after %d", i, n, last)
		}
		last = o.Ports[0].RxPackets
		if final := i == len(objects)-1; final != (o.Period == 0) {
			t.Errorf("object %d of %d: period %v", i, len(objects), o.Period)
		}
	}
}

// TestStoppedTerminal: a terminal that is stopped, as by Ctrl-S, takes nothing any more; packets
// flow on, and --duration and a signal end the command all the same.
func TestStoppedTerminal(t *testing.T) {
	for name, end := range map[string]string{"duration": "100ms", "signal": "1h"} {
		t.Run(name, func(t *testing.T) {
			master, terminal := openTerminal(t)
			cmd := exec.Command("l2fwd", "--stats-period", "10ms", "--duration", end, "emu:gen", "emu:null")
			cmd.Env = append(os.Environ(), "TERM=dumb")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			stop := func() {
				t.Helper()
				if _, err := master.Write([]byte{'S' & 0x1f}); err != nil {
					t.Fatal(err)
				}
			}
			if name == "duration" {
				stop()
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			_ = terminal.Close()
			b := make([]byte, 4096)
			for seen := ""; name == "signal" && !strings.Contains(seen, "Rx-pps"); {
				n, err := master.Read(b)
				if err != nil {
					t.Fatal(err)
				}
				seen += string(b[:n])
			}
			if name == "signal" {
				stop()
				time.Sleep(100 * time.Millisecond) // ten screens that no one takes
				if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended: // the outcome was not taken, which is status 1
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.ExitCode() != 1 {
					t.Errorf("it ended with %v", err)
				}
			case <-time.After(hang):
				t.Error("it does not end")
			}
		})
	}
}

// openTerminal makes a pseudo-terminal.
func openTerminal(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return master, terminal
}
