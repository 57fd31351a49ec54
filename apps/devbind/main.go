// Command devbind shows which PCI functions there are, what uses them, and gives them to vfio-pci
// or back to the kernel. A function is named by its address or by its network interface.
//
//	devbind status
//	devbind bind 0000:00:03.0
//	devbind bind eth1 --persist
//	devbind restore eth1
//
// The options of dpdk-devbind.py -s, -b DRIVER and -u are understood.
//
// # What it refuses
//
// A function that is in use. Its interface has an address or a route of IPv4 or IPv6, belongs to a
// bridge or a bond, carries a VLAN, a macvlan or another interface, in whatever network namespace
// that is, has an XDP program, filters or a packet socket, carries the SSH connection devbind was
// started from, or is in another network namespace itself. Its disks have mounted file systems or
// swap space, or are part of others. It has virtual functions. A process has it open. Package
// apps/internal/inuse says what can be seen and what cannot. Link-local IPv6 addresses and routes
// do not count: the kernel gives them to every interface that is up.
//
// To bind or unbind a function that is not a virtio network device this driver can use is refused
// as well. --force overrides all of this with one exception: the function that carries the root
// file system, or that may carry it where that cannot be found out. It does override the loss of
// the SSH connection and of the only route: restore brings these back, at the console or from a
// script.
//
// When anything is refused or fails, for any of the functions named, nothing is changed, what was
// changed already is taken back, and the exit status is 1; it is 2 for a command line that cannot
// be used.
//
// # Restoring
//
// bind and unbind store the driver that a function loses in /run/virtio-pmd/devbind/ADDRESS, before
// they change anything; restore gives the function back to that driver and removes the file. Where
// there is no such file, as after a reboot, or where it is about another device, restore clears
// driver_override and lets the kernel choose by the function's ids: virtio-pci for virtio.
//
// # Persistence
//
// bind --persist also writes a udev rule, /etc/udev/rules.d/82-virtio-pmd-ADDRESS.rules, that binds
// the function whenever it appears; restore and unbind remove it. Until udev runs, a driver that is
// built into the kernel or loaded by the initramfs may have the function.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

func main() {
	// A signal ends devbind between two writes; what was written is taken back.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args, environment{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv})
	stop()
	os.Exit(status)
}

// environment is the files, streams and variables that the command uses.
type environment struct {
	fs             sysfs.FS
	stdout, stderr io.Writer
	getenv         func(string) string
}
