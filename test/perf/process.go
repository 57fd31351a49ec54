package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/test/child"
)

// grace is how long a program may take to end when it was asked to.
const grace = 10 * time.Second

// process is a program under test. It runs on one CPU, all its threads, and
// ends with the harness.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	output output
	stdout output
	began  time.Time
	done   chan struct{}
	err    error // how it ended; read after done
}

// startProcess runs argv on a CPU with env added to the environment. Standard
// error is kept with standard output, which is also kept alone.
func startProcess(cpu int, env []string, argv ...string) (*process, error) {
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = io.MultiWriter(&p.stdout, &p.output), &p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	// dpdk-testpmd ends when its standard input does.
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	p.began = time.Now()
	var one unix.CPUSet
	one.Set(cpu)
	wait, err := child.Start(p.cmd, func() error {
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return fmt.Errorf("CPU %d: %w", cpu, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	go func() {
		p.err = wait()
		close(p.done)
	}()
	return p, nil
}

// onCPU calls f with the calling thread on one CPU.
func onCPU(cpu int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("CPU %d: %w", cpu, err)
	}
	return errors.Join(f(), unix.SchedSetaffinity(0, &before))
}

// name is the program's, without its directory.
func (p *process) name() string { return filepath.Base(p.cmd.Path) }

// stop asks the program to end, waits until it has, and returns an error unless it ended
// well. Commands of this project take SIGINT; dpdk-testpmd takes a line, after
// which it ends in the ordinary way.
func (p *process) stop() error {
	if p.name() == "dpdk-testpmd" {
		_, _ = io.WriteString(p.stdin, "\n") // it may have ended already
	} else {
		_ = p.cmd.Process.Signal(os.Interrupt)
	}
	select {
	case <-p.done:
	case <-time.After(grace):
		p.kill()
		return &processError{p.name(), fmt.Errorf("it does not end within %v", grace),
			p.output.String()}
	}
	if p.err != nil {
		return &processError{p.name(), p.err, p.output.String()}
	}
	return nil
}

// kill ends the program at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// early returns an error if the program has ended and was not asked to.
func (p *process) early() error {
	select {
	case <-p.done:
		return &processError{p.name(), fmt.Errorf("it ended early: %w", p.ending()),
			p.output.String()}
	default:
		return nil
	}
}

func (p *process) ending() error {
	if p.err == nil {
		return errors.New("status 0")
	}
	return p.err
}

// resident is how much memory the program has, hugepages not counted, in bytes.
func (p *process) resident() (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return parseResident(string(text))
}

// parseResident reads VmRSS from /proc/PID/status. The kernel does not count
// hugetlb pages in it; they have a line of their own.
func parseResident(text string) (uint64, error) {
	for line := range strings.Lines(text) {
		var kib uint64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			return kib << 10, nil
		}
	}
	return 0, &parseError{"/proc/PID/status", "no VmRSS", tail(text)}
}

// waitFor calls ready every so often until it says so, the program ends, ctx
// does, or time is over.
func (p *process) waitFor(ctx context.Context, what string, limit, every time.Duration,
	ready func() bool) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	deadline := time.After(limit)
	for !ready() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.done:
			return p.early()
		case <-deadline:
			return &processError{p.name(), fmt.Errorf("%s has not happened within %v", what, limit),
				p.output.String()}
		case <-tick.C:
		}
	}
	return nil
}

// output is what a program has written so far.
type output struct {
	mu   sync.Mutex
	text strings.Builder
	at   time.Time // when it wrote last
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at = time.Now()
	return o.text.Write(b)
}

// Last is String, and when the end of it was written.
func (o *output) Last() (string, time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.at
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// processError is a program that did not do what it was started for.
type processError struct {
	program string
	err     error
	output  string
}

func (e *processError) Error() string {
	return fmt.Sprintf("%s: %v; its output ends:\n%s", e.program, e.err, tail(e.output))
}

func (e *processError) Unwrap() error { return e.err }
