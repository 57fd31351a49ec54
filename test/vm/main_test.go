package vm

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/test/vm/image"
	"github.com/virtio-pmd/virtio-pmd/test/vm/traffic"
)

// lab is what all guests share.
type lab struct {
	kernel  *image.Kernel
	dir     string // a short path: names of sockets have little room
	traffic traffic.Lab
}

// shared is set up once by TestMain.
var shared lab

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run sets the lab up, runs the tests and takes the lab down.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "vm")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		_ = os.RemoveAll(dir)
		os.Exit(1) // guests end with their parent
	}()
	shared.dir = dir
	if err := shared.prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "vm: setting up:", err)
		return 1
	}
	return m.Run()
}

// prepare builds the commands and sees to the guest kernel.
func (l *lab) prepare() error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
		"-o", l.dir+"/",
		"./apps/l2fwd", "./apps/testpmd", "./apps/pktgen", "./apps/devbind", "./apps/vhostdev", "./test/vm/guest")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building the commands: %w", err)
	}
	cache := os.Getenv("VIRTIO_PMD_CACHE")
	if cache == "" {
		cache = filepath.Join(root, ".cache")
	}
	fetch := exec.Command(filepath.Join(root, "scripts", "guest-kernel.sh"))
	fetch.Env = append(os.Environ(), "VIRTIO_PMD_CACHE="+cache)
	fetch.Stdout, fetch.Stderr = os.Stderr, os.Stderr
	if err := fetch.Run(); err != nil {
		return fmt.Errorf("scripts/guest-kernel.sh: %w", err)
	}
	l.kernel, err = image.FindKernel(cache)
	return err
}
