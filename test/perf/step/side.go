package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// measured is what one run of a program has measured.
type measured struct {
	cycles  map[key]float64
	path    string
	mhz     float64 // of the time-stamp counter
	packets uint64
}

type key struct {
	work string
	size int
}

// runLimit is far more than a run takes.
const runLimit = 5 * time.Minute

// measure has one of the programs measure a row.
func (b *bench) measure(ctx context.Context, side int, r row, frame int) (measured, error) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	args := []string{"port=" + r.ours}
	if side == 1 && b.other == "" {
		args = []string{"port=" + r.dpdk, "huge=" + b.huge}
	}
	socket := filepath.Join(b.dir, "socket")
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return measured{}, err
	}
	sizes := strings.ReplaceAll(strings.Trim(fmt.Sprint(b.sizes), "[]"), " ", ",")
	args = append(args, "socket="+socket, "sizes="+sizes,
		fmt.Sprintf("frame=%d", frame), fmt.Sprintf("batches=%t", r.batches), fmt.Sprintf("offloads=%t", r.offloads), fmt.Sprintf("cpu=%d", b.cpu),
		fmt.Sprintf("samples=%d", b.samples), fmt.Sprintf("bursts=%d", b.sampleBursts))
	cmd := exec.CommandContext(ctx, b.programs[side], args...)
	// Go's scheduler would interrupt a loop that it finds running for long.
	cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1")
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		return measured{}, fmt.Errorf("%s, row %q: %w\n%s", filepath.Base(cmd.Path), r.name, err, tail(log.String()))
	}
	m, err := parse(&out)
	if err != nil {
		return m, fmt.Errorf("%s, row %q: %w", filepath.Base(cmd.Path), r.name, err)
	}
	if m.path == "" {
		m.path = dpdkPath(log.String())
	}
	return m, nil
}

// parse reads what a program prints.
func parse(out *bytes.Buffer) (measured, error) {
	m := measured{cycles: map[key]float64{}}
	for d := json.NewDecoder(out); d.More(); {
		var line struct {
			Work    string
			Burst   int
			Cycles  float64
			Path    string
			MHz     float64
			Packets uint64
		}
		if err := d.Decode(&line); err != nil {
			return m, err
		}
		switch {
		case line.Work == "":
			m.path, m.mhz, m.packets = line.Path, line.MHz, line.Packets
		case line.Cycles > 0: // 0: the driver moves nothing at this size
			m.cycles[key{line.Work, line.Burst}] = line.Cycles
		}
	}
	if m.packets == 0 {
		return m, errors.New("it ended without saying how many packets it moved")
	}
	return m, nil
}

var chosen = regexp.MustCompile(`virtio: using (.*?) path`)

// dpdkPath returns the names of the paths that DPDK's log has.
func dpdkPath(log string) string {
	var paths []string
	for _, m := range chosen.FindAllStringSubmatch(log, -1) {
		paths = append(paths, m[1])
	}
	return strings.Join(paths, "; ")
}

// tail returns the last lines of a log.
func tail(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// explain adds what a program wrote to its standard error.
func explain(name string, err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%s: %w: %s", name, err, exit.Stderr)
	}
	return fmt.Errorf("%s: %w", name, err)
}
