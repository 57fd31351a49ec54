package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "github.com/virtio-pmd/virtio-pmd"

// build makes both programs, in b.dir.
func (b *bench) build(ctx context.Context) error {
	source, err := sourceDir(ctx)
	if err != nil {
		return err
	}
	b.programs[0] = filepath.Join(b.dir, "ours")
	if b.ours != "" {
		if b.programs[0], err = filepath.Abs(b.ours); err != nil {
			return err
		}
	} else if err := output(ctx, source, "go", "build", "-trimpath", "-buildvcs=false", "-o", b.programs[0], "./ours"); err != nil {
		return err
	}
	if b.other != "" {
		b.programs[1], err = filepath.Abs(b.other)
		return err
	}
	b.programs[1] = filepath.Join(b.dir, "dpdk")
	flags, err := exec.CommandContext(ctx, "pkg-config", "--cflags", "--libs", "libdpdk").Output()
	if err != nil {
		return explain("pkg-config libdpdk", err)
	}
	args := []string{"-std=gnu11", "-O3", "-march=native", "-Wall", "-Wextra", "-Werror", "-o", b.programs[1],
		"dpdk/dpdk.c", "device/rings.c", "device/handshake.c"}
	return output(ctx, source, b.cc, append(append(args, strings.Fields(string(flags))...), "-lpthread")...)
}

// sourceDir returns where the sources of this command are: the module is the work tree
// that it was started in.
func sourceDir(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", module+"/test/perf/step").Output()
	if err != nil {
		return "", explain("go list", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// output runs a compiler, with cgo, and returns what it says if it fails.
func output(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
