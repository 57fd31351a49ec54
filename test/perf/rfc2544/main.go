// Command rfc2544 measures l2fwd as RFC 2544 has it, on emulated functions: pktgen is at
// one end of two vhost-user sockets, l2fwd at the other.
//
//	make bench-rfc2544                              a few minutes
//	make bench-rfc2544 RFC2544='--sizes 60,1514'    other options for pktgen
//	make bench-rfc2544 RFC2544='--search rfc2544 --trial-duration 60s'    hours: the RFC's times
//
// With each of the RFC's sizes it searches for the non-drop rate and the partial drop rate
// as FD.io CSIT defines them, with shorter trials, then measures the loss from the highest
// rate downwards and the latency at parts of the rate that it found. The report is written
// as HTML, JSON and CSV. Both programs are processes of their own, and l2fwd ends with this
// one, however that ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/child"
)

const (
	// ready is how long l2fwd may take to make its sockets.
	ready = 30 * time.Second
	// grace is how long a program may take to end when it was asked to.
	grace = 30 * time.Second
)

// procedure is what pktgen is to do unless its options say otherwise.
var procedure = []string{
	"--sizes=rfc2544", "--search=csit-ndr,csit-pdr", "--trial-duration=100ms", "--loss-curve", "--latency-at-load",
	"--dut=l2fwd on emulated functions", "--topology=pktgen, vhost-user, l2fwd, vhost-user, pktgen",
}

// bench is one measurement.
type bench struct {
	bin     string   // where the commands are
	out     string   // directory for the report
	options []string // of pktgen, behind those of the procedure

	stdout, stderr io.Writer // of all programs
}

func main() {
	b := bench{stdout: os.Stdout, stderr: os.Stderr}
	flag.StringVar(&b.bin, "bin", "bin", "directory of l2fwd and pktgen")
	flag.StringVar(&b.out, "out", "bin/rfc2544", "directory for the report, which is made")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: rfc2544 [options] [-- options of pktgen]\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	b.options = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "rfc2544:", err)
		os.Exit(1)
	}
}

// run measures and writes the report. If ctx ends, the report is of what was measured until
// then.
func (b *bench) run(ctx context.Context) (err error) {
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "rfc2544-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sockets := []string{filepath.Join(dir, "0"), filepath.Join(dir, "1")}
	l2fwd, err := b.start("l2fwd", "--quiet", "emu:vhost="+sockets[0], "emu:vhost="+sockets[1])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l2fwd.stop()) }()
	if err := l2fwd.made(ctx, sockets); err != nil {
		return err
	}
	pktgen, err := b.start("pktgen", b.arguments(sockets)...)
	if err != nil {
		return err
	}
	select {
	case <-pktgen.done:
		if pktgen.err == nil {
			fmt.Fprintf(b.stdout, "\nthe report is in %s\n", b.out)
			return nil
		}
		return fmt.Errorf("pktgen: %w", pktgen.err)
	case <-l2fwd.done:
		return errors.Join(fmt.Errorf("l2fwd ended early: %v", l2fwd.err), pktgen.stop())
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("interrupted: the report in %s is of what was measured until then", b.out), pktgen.stop())
	}
}

// arguments returns those of pktgen.
func (b *bench) arguments(sockets []string) []string {
	args := append([]string{}, procedure...)
	for _, form := range []string{"html", "json", "csv"} {
		args = append(args, "--report="+filepath.Join(b.out, "report."+form))
	}
	args = append(args, b.options...)
	for _, s := range sockets {
		args = append(args, "vhost-user:"+s)
	}
	return args
}

// process is a program that ends with this one.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // how it ended; read after done
}

// start starts a command of this project.
func (b *bench) start(name string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(filepath.Join(b.bin, name), args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = b.stdout, b.stderr
	// In a group of its own it gets no Ctrl-C, but is asked to end: pktgen first.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	wait, err := child.Start(p.cmd, nil)
	if err != nil {
		return nil, fmt.Errorf("%w; build the commands first: make build", err)
	}
	go func() {
		p.err = wait()
		close(p.done)
	}()
	return p, nil
}

// made waits until the program has made files.
func (p *process) made(ctx context.Context, files []string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(ready)
	for _, file := range files {
		for {
			if _, err := os.Stat(file); err == nil {
				break
			}
			select {
			case <-p.done:
				return fmt.Errorf("%s ended early: %v", p.name, p.err)
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-deadline:
				return fmt.Errorf("%s has not made %s within %v", p.name, file, ready)
			case <-tick.C:
			}
		}
	}
	return nil
}

// stop asks the program to end and waits until it has.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(os.Interrupt) // it may have ended already
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("%s: %w", p.name, p.err)
		}
		return nil
	case <-time.After(grace):
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s does not end within %v", p.name, grace)
	}
}
