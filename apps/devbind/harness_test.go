package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
)

const (
	one, two = "0000:00:03.0", "0000:00:04.0"
	oneDir   = "/sys/bus/pci/devices/" + one
)

// grouped returns a modern virtio network function in an IOMMU group.
func grouped(address string, group int, netdevs ...string) sysfstest.Function {
	f := sysfstest.VirtioNet(address, 0x1041, netdevs...)
	f.Group = group
	return f
}

// result is what a command did.
type result struct {
	status         int
	stdout, stderr string
}

// devbind runs the command on a machine whose kernel is a model.
func devbind(t *testing.T, m *sysfstest.Machine, args ...string) result {
	return devbindIn(t, m, nil, args...)
}

func devbindIn(t *testing.T, m *sysfstest.Machine, variables map[string]string, args ...string) result {
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), append([]string{"devbind"}, args...), environment{
		fs: m.FS(), stdout: &stdout, stderr: &stderr,
		getenv: func(name string) string { return variables[name] },
	})
	return result{status, stdout.String(), stderr.String()}
}

// ownNetwork moves the calling test into a new network namespace, which ends
// with it: the thread is not given back. It needs root, as CI is.
func ownNetwork(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	err := unix.Unshare(unix.CLONE_NEWNET)
	if errors.Is(err, unix.EPERM) && os.Geteuid() != 0 && os.Getenv("CI") == "" { // in CI it fails instead
		t.Skip("making a network namespace needs root")
	}
	must(t, err)
}

// veth makes an interface that is up, and has carrier, and nothing else.
func veth(t *testing.T, name string) netlink.Link {
	t.Helper()
	peer := name + "p"
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: peer}))
	for _, n := range []string{peer, name} {
		link, err := netlink.LinkByName(n)
		must(t, err)
		must(t, netlink.LinkSetUp(link))
	}
	link, err := netlink.LinkByName(name)
	must(t, err)
	return link
}

func addAddress(t *testing.T, link netlink.Link, text string) {
	t.Helper()
	a, err := netlink.ParseAddr(text)
	must(t, err)
	must(t, netlink.AddrAdd(link, a))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// snapshot is everything below a directory.
func snapshot(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			all[path], err = os.Readlink(path)
		case !d.IsDir():
			var b []byte
			b, err = os.ReadFile(path)
			all[path] = string(b)
		default:
			all[path] = "directory"
		}
		return err
	}))
	return all
}

// unchanged runs f and checks that nothing below root is different afterwards.
func unchanged(t *testing.T, root string, f func()) {
	t.Helper()
	before := snapshot(t, root)
	f()
	if after := snapshot(t, root); !reflect.DeepEqual(before, after) {
		t.Error("files were changed")
	}
}
