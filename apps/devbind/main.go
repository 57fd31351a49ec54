// Command devbind shows which PCI functions there are, who uses them, and gives
// them to vfio-pci or back to the kernel.
//
//	devbind status
//	devbind bind 0000:00:03.0
//	devbind restore 0000:00:03.0
//
// # What it refuses
//
// A function that is in use: its interface has an address or a route of IPv4
// or IPv6, belongs to a bridge or a bond, carries a VLAN, carries the SSH
// connection devbind was started from, or is in a network namespace that cannot
// be inspected; or a process has it open through vfio. Link-local IPv6
// addresses and routes do not count: the kernel gives them to every interface
// that is up. To bind or unbind a function that is not a virtio network device
// this driver can use is refused as well. --force overrides both, nothing else.
//
// When anything is refused or fails, for any of the functions named, nothing is
// changed, what was changed already is taken back, and the exit status is 1; it
// is 2 for a command line that cannot be used.
//
// # Restoring
//
// No state is kept. bind uses driver_override; restore clears it and gives the
// function to the driver that the kernel has for its ids, virtio-pci for virtio.
// If it had another before, name it: restore --driver NAME.
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
