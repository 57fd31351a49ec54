package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/test/child"
)

//go:embed exchange/exchange.c
var source []byte

// compile makes a program of exchange.c, in dir.
func compile(ctx context.Context, cc, dir string) (string, error) {
	c, program := filepath.Join(dir, "exchange.c"), filepath.Join(dir, "exchange")
	if err := os.WriteFile(c, source, 0o600); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, cc, "-O3", "-march=native", "-Wall", "-Wextra", "-Werror",
		"-pthread", "-o", program, c).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cc, err, out)
	}
	return program, nil
}

// limit has the C program exchange with itself and returns packets a second.
func (b *bench) limit(ctx context.Context, direction string) (float64, error) {
	out, err := exec.CommandContext(ctx, b.program, "limit", direction, strconv.Itoa(b.ring),
		strconv.FormatFloat(b.duration.Seconds(), 'f', 3, 64), strconv.Itoa(b.driverCPU),
		strconv.Itoa(b.deviceCPU)).Output()
	if err != nil {
		return 0, explain("exchange limit", err)
	}
	rate, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err == nil && rate <= 0 {
		err = errors.New("nothing was exchanged")
	}
	return rate, err
}

// peer is the C program as the device of a ring in this process.
type peer struct {
	cmd  *exec.Cmd
	wait func() error
}

// startPeer starts the device and waits until it polls the ring.
func (b *bench) startPeer(direction string, ring, deviceArea uint64,
	memory []*hugepages.Memory) (*peer, error) {
	args := []string{"device", direction, strconv.Itoa(b.ring), hex(ring), hex(deviceArea),
		strconv.Itoa(b.deviceCPU)}
	var files []*os.File
	defer func() {
		for _, f := range files {
			_ = f.Close() // a duplicate
		}
	}()
	for _, m := range memory {
		fd, err := syscall.Dup(m.FD())
		if err != nil {
			return nil, err
		}
		files = append(files, os.NewFile(uintptr(fd), "memory"))
		// 0 to 2 are standard
		args = append(args, fmt.Sprintf("%x:%d:%d", m.Address(), len(m.Bytes()), 2+len(files)))
	}
	cmd := exec.Command(b.program, args...)
	cmd.ExtraFiles, cmd.Stderr = files, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	wait, err := child.Start(cmd, nil)
	if err != nil {
		return nil, err
	}
	p := &peer{cmd, wait}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		return nil, errors.Join(fmt.Errorf("exchange device says %q", line), err, p.stop())
	}
	return p, nil
}

// stop kills the device, which has nothing to tidy up.
func (p *peer) stop() error {
	_ = p.cmd.Process.Kill() // it may have ended already, which Wait says
	var exit *exec.ExitError
	if err := p.wait(); errors.As(err, &exit) &&
		exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return nil
	}
	return errors.New("exchange device ended early; its message is on standard error")
}

func hex(v uint64) string { return strconv.FormatUint(v, 16) }

// explain adds what a program wrote to its standard error.
func explain(name string, err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%s: %w: %s", name, err, exit.Stderr)
	}
	return fmt.Errorf("%s: %w", name, err)
}
