package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cat prints files.
func cat(paths []string) error {
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if _, err := os.Stdout.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// put writes one file: PATH TEXT.
func put(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("put PATH TEXT")
	}
	return os.WriteFile(args[0], []byte(args[1]), 0o644)
}

// remove removes files.
func remove(paths []string) error {
	for _, p := range paths {
		if err := os.Remove(p); err != nil {
			return err
		}
	}
	return nil
}

// dmesg prints the kernel's messages, each with its time in microseconds.
func dmesg([]string) error {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	buf := make([]byte, 8192)
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EPIPE):
			continue // overwritten before it was read: go on with the next
		case err != nil:
			return err
		}
		head, text, _ := strings.Cut(string(buf[:n]), ";")
		if f := strings.Split(head, ","); len(f) > 2 {
			text, _, _ = strings.Cut(text, "\n")
			fmt.Printf("%s %s\n", f[2], text)
		}
	}
}

// state prints everything that a command must leave as it found it: drivers
// and overrides of the functions, free hugepages, and the files where files
// could be left behind.
func state([]string) error {
	functions, err := filepath.Glob("/sys/bus/pci/devices/*")
	if err != nil {
		return err
	}
	for _, f := range functions {
		driver, _ := os.Readlink(filepath.Join(f, "driver"))
		override, _ := os.ReadFile(filepath.Join(f, "driver_override"))
		fmt.Printf("%s driver=%s override=%s\n", filepath.Base(f), filepath.Base(driver),
			strings.TrimSpace(string(override)))
	}
	for _, n := range []string{"nr_hugepages", "free_hugepages", "surplus_hugepages",
		"resv_hugepages"} {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(hugepages), n))
		if err != nil {
			return err
		}
		fmt.Printf("%s=%s\n", n, strings.TrimSpace(string(b)))
	}
	for _, d := range []string{"/dev/shm", "/dev/hugepages", "/tmp", "/run", "/etc", "/bin"} {
		err := filepath.WalkDir(d, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				fmt.Println(path)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// limit becomes another command that may lock only so many bytes: BYTES
// COMMAND... A privileged process ignores the limit, so the privilege goes too.
func limit(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("limit BYTES COMMAND")
	}
	n, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: n, Max: n}); err != nil {
		return fmt.Errorf("RLIMIT_MEMLOCK: %w", err)
	}
	runtime.LockOSThread() // capabilities belong to the thread, and exec keeps those of its own
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_IPC_LOCK, 0, 0, 0); err != nil {
		return fmt.Errorf("CAP_IPC_LOCK: %w", err)
	}
	return unix.Exec(args[1], args[1:], os.Environ())
}

// env becomes another command with one more variable: NAME=VALUE COMMAND...
func env(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("env NAME=VALUE COMMAND")
	}
	return unix.Exec(args[1], args[1:], append(os.Environ(), args[0]))
}

// netdev prints the network interfaces of PCI functions, "NAME ADDRESS" each,
// or waits for that of the function given.
func netdev(args []string) error {
	if len(args) == 1 {
		return awaitNetdev(args[0])
	}
	links, err := filepath.Glob("/sys/bus/pci/devices/*/virtio*/net/*")
	if err != nil {
		return err
	}
	for _, l := range links {
		function := filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(l))))
		_, _ = io.WriteString(os.Stdout, filepath.Base(l)+" "+function+"\n")
	}
	return nil
}
