// Package inuse finds out what the PCI functions of a machine are used for.
//
// # What is seen
//
//   - Of the interfaces of a function in this network namespace: addresses and routes of IPv4 and
//     IPv6, except link-local ones; the bridge, bond, team or VRF that one belongs to; VLANs,
//     macvlans, ipvlans and tunnels built on one, also those that were moved to another network
//     namespace; XDP programs, clsact and ingress filters, AF_PACKET sockets bound to one; the
//     connection that this SSH login came by.
//   - An interface of the function that is in another network namespace.
//   - Of a function with disks: mounted file systems, of all mount namespaces, swap space, the
//     device-mapper, md and other block devices built on them, and processes that have them open.
//   - Virtual functions, and processes that have the function open through vfio, uio or vhost-vdpa.
//   - The root file system, also through device mapper, md, btrfs, virtiofs, and through an
//     interface: NFS, CIFS, iSCSI and NVMe over TCP.
//
// # What is not seen
//
// Network namespaces are found through the processes and threads that are in them, through file
// descriptors, and through mounts, as ip-netns makes them. One that only a socket or a kernel
// object holds is not found, nor one whose processes belong to another PID namespace than this
// process sees. Not seen either: programs attached with tcx or netkit, AF_XDP sockets without an
// XDP program, AF_PACKET sockets bound to all interfaces, which lose nothing but this one, and
// RDMA. Without root the processes and namespaces of other users are not seen.
package inuse

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// Reason is something that depends on a function.
type Reason struct {
	Text string
	// Vital means that the root file system does, or that it may.
	Vital bool
	// session means that this login does.
	session bool
}

// Texts returns what reasons say.
func Texts(reasons []Reason) []string {
	var all []string
	for _, r := range reasons {
		all = append(all, r.Text)
	}
	return all
}

// Finder finds out what uses functions. The state of the machine is read when it is first needed,
// and once. A Finder belongs to one goroutine, in whose network namespace it looks.
type Finder struct {
	fs        sysfs.FS
	getenv    func(string) string
	net       *network
	netErr    error // why there is no net
	processes *processes
	spaces    *spaces
	storage   *storage
}

// New returns a Finder for the machine whose sys and proc are below the root of fs. getenv returns
// environment variables, as [os.Getenv] does.
func New(fs sysfs.FS, getenv func(string) string) *Finder { return &Finder{fs: fs, getenv: getenv} }

// Reasons returns what the function is used for, nil if it is not used: first what keeps the root
// file system, then what keeps this login, then the rest. What cannot be found out is a reason too,
// because the function may be in use.
func (f *Finder) Reasons(info sysfs.Info) []Reason {
	var reasons []Reason
	if info.Hidden() || info.Network() && !info.UserDriver() && info.Driver != "" && len(info.Netdevs) == 0 {
		reasons = f.hidden(info)
	}
	for _, name := range info.Netdevs {
		reasons = append(reasons, f.netdev(name)...)
	}
	reasons = append(reasons, f.disks(info)...)
	if len(info.VFs) > 0 {
		var all []string
		for _, a := range info.VFs {
			all = append(all, a.String())
		}
		reasons = append(reasons, because("it has virtual functions, which vanish with its driver: %s",
			strings.Join(all, ", ")))
	}
	nodes, err := f.fs.Nodes(info)
	if err != nil {
		reasons = append(reasons, because("which processes have it open cannot be found out: %v", err))
	}
	for _, node := range nodes {
		reasons = append(reasons, f.holders(node)...)
	}
	slices.SortStableFunc(reasons, func(a, b Reason) int { return a.rank() - b.rank() })
	return reasons
}

func (r Reason) rank() int {
	switch {
	case r.Vital:
		return 0
	case r.session:
		return 1
	}
	return 2
}

// holders are the processes that have a device node open.
func (f *Finder) holders(node string) (reasons []Reason) {
	for _, process := range f.scan().holding(node) {
		reasons = append(reasons, because("%s has %s open", process, node))
	}
	return reasons
}

// file returns the path of a file of the machine.
func (f *Finder) file(path string) string { return filepath.Join("/", f.fs.Root, path) }

func because(format string, args ...any) Reason { return Reason{Text: fmt.Sprintf(format, args...)} }
