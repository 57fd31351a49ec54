package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/test/vm/agent"
	"github.com/virtio-pmd/virtio-pmd/test/vm/image"
	"golang.org/x/sys/unix"
)

// start is process 1: it sets the guest up, serves the test and switches the
// guest off when the test has gone.
func start() {
	if err := run(); err != nil {
		fmt.Println("guest: init:", err)
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	// Not reached: power-off does not return. A kernel without it panics when
	// process 1 ends, which ends QEMU as well.
}

// run does the work of process 1.
func run() error {
	if err := mountAll(); err != nil {
		return err
	}
	raw, err := os.ReadFile(image.SetupPath)
	if err != nil {
		return err
	}
	var setup image.Setup
	if err := json.Unmarshal(raw, &setup); err != nil {
		return fmt.Errorf("%s: %w", image.SetupPath, err)
	}
	events, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC,
		unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return fmt.Errorf("uevent socket: %w", err)
	}
	if err := unix.Bind(events, &unix.SockaddrNetlink{Family: unix.AF_NETLINK,
		Groups: 1}); err != nil {
		return fmt.Errorf("uevent socket: %w", err)
	}
	for _, m := range setup.Modules {
		if err := load(m); err != nil {
			return err
		}
	}
	if err := os.WriteFile(hugepages, []byte(strconv.Itoa(setup.Hugepages)), 0o644); err != nil {
		return err
	}
	port, err := openPort(events)
	if err != nil {
		return err
	}
	_ = unix.Close(events)
	defer func() { _ = port.Close() }()
	fmt.Println("guest: ready")
	return agent.Serve(port)
}

// hugepages is where the number of 2 MiB pages is set.
const hugepages = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

// mountAll mounts what the commands under test expect of a Linux system.
func mountAll() error {
	mounts := []struct{ kind, at string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"},
		{"tmpfs", "/dev/shm"}, {"hugetlbfs", "/dev/hugepages"}, {"tmpfs", "/tmp"},
		{"tmpfs", "/run"},
	}
	for _, m := range mounts {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", m.at, err)
		}
	}
	return nil
}

// load inserts one kernel module.
func load(m image.Module) error {
	f, err := os.Open(m.Path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := unix.FinitModule(int(f.Fd()), m.Parameters, 0); err != nil {
		return fmt.Errorf("module %s: %w", m.Path, err)
	}
	return nil
}

// openPort opens the test's virtio-serial port, waiting for the kernel's
// events until the port has its name.
func openPort(events int) (*os.File, error) {
	buf := make([]byte, 4096)
	for {
		names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			name, err := os.ReadFile(n)
			if err == nil && strings.TrimSpace(string(name)) == agent.Port {
				return os.OpenFile("/dev/"+filepath.Base(filepath.Dir(n)), os.O_RDWR, 0)
			}
		}
		if _, err := unix.Read(events, buf); err != nil {
			return nil, fmt.Errorf("waiting for the virtio-serial port: %w", err)
		}
	}
}
