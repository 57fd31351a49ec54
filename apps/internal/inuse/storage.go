package inuse

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"

	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

const (
	blockDir = "/sys/class/block"
	btrfsDir = "/sys/fs/btrfs"
)

// mount is a mounted file system.
type mount struct {
	*mountinfo.Info
	source string // the name of the block device it names, such as "dm-0"
	where  string // the mount namespace, "" for that of this process
	root   bool   // it is the root file system of this process or of process 1
}

// server is where a root file system is that comes through the network.
type server struct {
	address net.IP
	what    string // "10.0.0.1:/export"
}

// storage is which block devices hold what.
type storage struct {
	devices map[string]string // targets of the links in blockDir, by name
	mounts  []mount
	swap    map[string]bool
	btrfs   []map[string]bool // the devices of each file system of several
	servers []server
	// unknown is a root file system that no block device is known to hold, or why that cannot be
	// found out, "" otherwise.
	unknown string
}

// diskless are the file systems that no block device of this machine holds.
var diskless = map[string]bool{"rootfs": true, "tmpfs": true, "ramfs": true, "nfs": true, "nfs4": true,
	"cifs": true, "smb3": true, "ceph": true, "9p": true, "virtiofs": true}

// disksAndMounts reads what block devices there are and what is on them, once.
func (f *Finder) disksAndMounts() *storage {
	if f.storage != nil {
		return f.storage
	}
	s := &storage{devices: map[string]string{}, swap: map[string]bool{}}
	f.storage = s
	for _, name := range names(f.file(blockDir)) {
		s.devices[name], _ = os.Readlink(f.file(blockDir + "/" + name))
	}
	spaces, err := f.mountSpaces()
	if err != nil {
		s.unknown = err.Error()
	}
	for _, space := range spaces {
		for _, m := range space.all {
			root := m.Mountpoint == "/" && (space.pid == "self" || space.pid == "1")
			s.mounts = append(s.mounts, mount{m, f.blockDevice(m.Source), space.where, root})
		}
	}
	if swaps, err := os.Open(f.file("/proc/swaps")); err == nil {
		for lines := bufio.NewScanner(swaps); lines.Scan(); {
			path, _, _ := strings.Cut(lines.Text(), " ")
			s.swap[f.blockDevice(path)] = true
		}
		swaps.Close()
	}
	for _, id := range names(f.file(btrfsDir)) {
		devices := map[string]bool{}
		for _, name := range names(f.file(btrfsDir + "/" + id + "/devices")) {
			devices[name] = true
		}
		s.btrfs = append(s.btrfs, devices)
	}
	f.findRoot()
	return s
}

// blockDevice returns the name that the kernel has for the block device at a path, "" if it is
// none.
func (f *Finder) blockDevice(path string) string {
	if !strings.HasPrefix(path, "/dev/") {
		return ""
	}
	if real, err := filepath.EvalSymlinks(f.file(path)); err == nil {
		path = real
	}
	return filepath.Base(path)
}

// findRoot finds out where the root file system is.
func (f *Finder) findRoot() {
	s := f.storage
	found := false
	for _, m := range s.mounts {
		if !m.root {
			continue
		}
		if address := net.ParseIP(option(m.VFSOptions, "addr")); address != nil {
			s.servers = append(s.servers, server{address, m.Source})
		}
		on := false
		for name := range s.devices {
			if !f.holds(name, m) {
				continue
			}
			on = true
			for _, below := range f.below(name) {
				if address := f.remote(below); address != nil {
					s.servers = append(s.servers, server{address, below})
				}
			}
		}
		found = found || on
		if !on && !diskless[m.FSType] && s.unknown == "" {
			s.unknown = fmt.Sprintf("%s, %s", m.Source, m.FSType)
		}
	}
	if found { // a root below that root does not matter
		s.unknown = ""
	}
}

// option returns the value of one of the options of a mount.
func option(options, key string) string {
	for _, o := range strings.Split(options, ",") {
		if name, value, _ := strings.Cut(o, "="); name == key {
			return value
		}
	}
	return ""
}

// holds reports whether a block device holds a mounted file system, alone or with others. Some file
// systems have device numbers of their own; these are found by their source.
func (f *Finder) holds(name string, m mount) bool {
	number, err := os.ReadFile(f.file(blockDir + "/" + name + "/dev"))
	if err == nil && strings.TrimSpace(string(number)) == fmt.Sprintf("%d:%d", m.Major, m.Minor) {
		return true
	}
	if m.Major != 0 || m.source == "" {
		return false
	}
	return m.source == name || slices.ContainsFunc(f.storage.btrfs,
		func(devices map[string]bool) bool { return devices[name] && devices[m.source] })
}

// below returns a block device and those that it is built on.
func (f *Finder) below(name string) []string { return f.closure([]string{name}, "slaves") }

// above returns block devices and those that are built on them.
func (f *Finder) above(devices []string) []string { return f.closure(devices, "holders") }

func (f *Finder) closure(devices []string, dir string) []string {
	all := slices.Clone(devices)
	for i := 0; i < len(all); i++ {
		for _, name := range names(f.file(blockDir + "/" + all[i] + "/" + dir)) {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// remote returns the address of the machine that has a disk, nil if it is this one.
func (f *Finder) remote(name string) net.IP {
	for _, part := range strings.Split(f.storage.devices[name], "/") {
		var text []byte
		switch {
		case strings.HasPrefix(part, "session"): // of iSCSI
			files, _ := filepath.Glob(f.file("/sys/class/iscsi_connection/connection" +
				strings.TrimPrefix(part, "session") + ":*/persistent_address"))
			for _, file := range files {
				text, _ = os.ReadFile(file)
			}
		case strings.HasPrefix(part, "nvme"): // its address is empty or that of a function if it is local
			text, _ = os.ReadFile(f.file("/sys/class/nvme/" + part + "/address"))
			text = []byte(option(strings.TrimSpace(string(text)), "traddr"))
		}
		if address := net.ParseIP(strings.TrimSpace(string(text))); address != nil {
			return address
		}
	}
	return nil
}

// devicesOf returns the block devices of a function: its disks and their partitions.
func (f *Finder) devicesOf(a pci.Address) []string {
	var all []string
	for name, target := range f.disksAndMounts().devices {
		if isOf(target, a) || slices.ContainsFunc(f.controllers(target),
			func(controller string) bool { return isOf(controller, a) }) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// controllers returns the targets of the links to the controllers of a disk of an NVMe subsystem,
// which may have several.
func (f *Finder) controllers(target string) []string {
	var all []string
	_, rest, ok := strings.Cut(target, "/nvme-subsystem/")
	if !ok {
		return nil
	}
	subsystem, _, _ := strings.Cut(rest, "/")
	dir := f.file("/sys/class/nvme-subsystem/" + subsystem)
	for _, name := range names(dir) {
		if link, err := os.Readlink(filepath.Join(dir, name)); err == nil {
			all = append(all, link)
		}
	}
	return all
}

// isOf reports whether a device of sysfs is of a function: that is the last one on the way to it.
func isOf(target string, a pci.Address) bool {
	parts := strings.Split(target, "/")
	for _, part := range slices.Backward(parts) {
		if found, err := pci.ParseAddress(part); err == nil {
			return found == a
		}
	}
	return false
}

// disks returns what the block devices and the shared file systems of a function are used for.
func (f *Finder) disks(info sysfs.Info) []Reason {
	var reasons []Reason
	devices := f.devicesOf(info.Address)
	for _, name := range f.above(devices) {
		reasons = append(reasons, f.device(name)...)
	}
	if unknown := f.disksAndMounts().unknown; unknown != "" && len(devices) > 0 {
		reasons = append(reasons, Reason{Vital: true, Text: fmt.Sprintf(
			"%s may carry the root file system: where that is cannot be found out (%s)", devices[0], unknown)})
	}
	kinds := map[string]string{"virtiofs": "virtiofs", "9pnet_virtio": "9p"}
	if kind := kinds[info.VirtioDriver]; kind != "" {
		reasons = append(reasons, f.mounted("its "+kind+" file system", func(m mount) bool { return m.FSType == kind })...)
	}
	return reasons
}

// device returns what a block device is used for.
func (f *Finder) device(name string) []Reason {
	label := name
	if mapped, err := os.ReadFile(f.file(blockDir + "/" + name + "/dm/name")); err == nil {
		label += " (" + strings.TrimSpace(string(mapped)) + ")"
	}
	reasons := f.mounted(label, func(m mount) bool { return f.holds(name, m) })
	if f.storage.swap[name] {
		reasons = append(reasons, because("%s is swap space", label))
	}
	for _, holder := range names(f.file(blockDir + "/" + name + "/holders")) {
		reasons = append(reasons, because("%s is part of %s", label, holder))
	}
	return append(reasons, f.holders("/dev/"+name)...)
}

// mounted returns where the file systems of something are mounted, which are those that are its
// own.
func (f *Finder) mounted(label string, own func(mount) bool) []Reason {
	var reasons []Reason
	var points []string
	for _, m := range f.disksAndMounts().mounts {
		switch {
		case !own(m):
		case m.root:
			if len(reasons) == 0 {
				reasons = []Reason{{Vital: true, Text: label + " carries the root file system"}}
			}
		case m.where == "":
			points = append(points, m.Mountpoint)
		case len(points) == 0 && len(reasons) == 0:
			points = append(points, m.Mountpoint+" in "+m.where)
		}
	}
	slices.Sort(points)
	points = slices.Compact(points)
	if len(points) > 0 {
		text := label + " is mounted at " + points[0]
		if len(points) > 1 {
			text += fmt.Sprintf(" and %d more", len(points)-1)
		}
		reasons = append(reasons, Reason{Text: text})
	}
	return reasons
}

// names lists a directory; one that cannot be read has none.
func names(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
