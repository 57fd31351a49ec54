package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
)

const (
	diskAddress = "0000:00:07.0"
	// diskPath is where block devices of that function are.
	diskPath = "../../devices/pci0000:00/" + diskAddress + "/virtio1/block/"
	onRAM    = "1 1 0:2 / / rw - rootfs rootfs rw\n"
)

// block adds a block device: its number, and the target of its link.
func block(t *testing.T, m *sysfstest.Machine, name, number, target string) {
	t.Helper()
	m.Put(filepath.Join("/sys/class/block", target, "dev"), number+"\n")
	symlink(t, m, "/sys/class/block/"+name, target)
}

// onto adds a block device that is built on another.
func onto(t *testing.T, m *sysfstest.Machine, below, name, number, mapped string) {
	t.Helper()
	block(t, m, name, number, "../../devices/virtual/block/"+name)
	m.Put("/sys/class/block/"+below+"/holders/"+name, "")
	m.Put("/sys/class/block/"+name+"/slaves/"+below, "")
	if mapped != "" {
		m.Put("/sys/class/block/"+name+"/dm/name", mapped+"\n")
		symlink(t, m, "/dev/mapper/"+mapped, "../"+name)
		m.Put("/dev/"+name, "")
	}
}

// What a disk function is used for: bind is refused with the reason. --force overrides it, unless
// the root file system is on the disk, or may be.
func TestRefusesDisksInUse(t *testing.T) {
	for name, c := range map[string]struct {
		mounts string
		put    func(t *testing.T, m *sysfstest.Machine)
		reason string // "" for a disk that is not in use
		vital  bool
	}{
		"unused":  {mounts: onRAM},
		"mounted": {mounts: onRAM + "30 1 254:1 / /data rw shared:1 - ext4 /dev/vda1 rw\n", reason: "vda1 is mounted at /data"},
		"mounted thrice": {mounts: onRAM + "30 1 254:1 / /data rw - ext4 /dev/vda1 rw\n" +
			"31 1 254:1 /a /b rw - ext4 /dev/vda1 rw\n32 1 254:1 /a /c rw - ext4 /dev/vda1 rw\n",
			reason: "vda1 is mounted at /b and 2 more"},
		"another disk mounted": {mounts: onRAM + "30 1 254:16 / /data rw - ext4 /dev/vdb rw\n", put: func(t *testing.T, m *sysfstest.Machine) {
			block(t, m, "vdb", "254:16", "../../devices/pci0000:00/0000:00:08.0/virtio2/block/vdb")
		}},
		"mounted in a container": {mounts: onRAM, put: func(_ *testing.T, m *sysfstest.Machine) {
			m.Put("/proc/77/ns/mnt", "")
			m.Put("/proc/77/comm", "pod\n")
			m.Put("/proc/77/mountinfo", "1 1 0:30 / / rw - overlay overlay rw\n30 1 254:1 / /data rw - ext4 /dev/vda1 rw\n")
		}, reason: "vda1 is mounted at /data in the mount namespace of process 77 (pod)"},
		"root": {mounts: onRAM + "30 1 254:1 / / rw - ext4 /dev/root rw\n", reason: "vda1 carries the root file system", vital: true},
		"root of process 1": {mounts: onRAM, put: func(_ *testing.T, m *sysfstest.Machine) {
			m.Put("/proc/1/ns/mnt", "")
			m.Put("/proc/1/mountinfo", "30 1 254:1 / / rw - ext4 /dev/vda1 rw\n")
		}, reason: "vda1 carries the root file system", vital: true},
		"root on LVM on md": {mounts: "30 1 253:0 / / rw - xfs /dev/mapper/vg-root rw\n", put: func(t *testing.T, m *sysfstest.Machine) {
			onto(t, m, "vda1", "md0", "9:0", "")
			onto(t, m, "md0", "dm-0", "253:0", "vg-root")
		}, reason: "dm-0 (vg-root) carries the root file system", vital: true},
		"root on btrfs": {mounts: "30 1 0:25 /@ / rw - btrfs /dev/vda1 rw\n", reason: "vda1 carries the root file system", vital: true},
		"root on btrfs of two": {mounts: "30 1 0:25 / / rw - btrfs /dev/mapper/other rw\n", put: func(t *testing.T, m *sysfstest.Machine) {
			block(t, m, "dm-3", "253:3", "../../devices/virtual/block/dm-3")
			m.Put("/dev/dm-3", "")
			symlink(t, m, "/dev/mapper/other", "../dm-3")
			m.Put("/sys/fs/btrfs/0c7a/devices/dm-3", "")
			m.Put("/sys/fs/btrfs/0c7a/devices/vda1", "")
			m.Put("/sys/fs/btrfs/features/raid56", "")
		}, reason: "vda1 carries the root file system", vital: true},
		"root on ZFS": {mounts: "30 1 0:25 / / rw - zfs rpool/ROOT rw\n", reason: "may carry the root file system: where that is cannot be found out (rpool/ROOT, zfs)", vital: true},
		"no mounts":   {reason: "may carry the root file system", vital: true},
		"root elsewhere": {mounts: "30 1 254:16 / / rw - ext4 /dev/vdb rw\n", put: func(t *testing.T, m *sysfstest.Machine) {
			block(t, m, "vdb", "254:16", "../../devices/pci0000:00/0000:00:08.0/virtio2/block/vdb")
		}},
		"root of an NVMe subsystem": {mounts: "30 1 259:1 / / rw - ext4 /dev/nvme0n1p2 rw\n", put: func(t *testing.T, m *sysfstest.Machine) {
			block(t, m, "nvme0n1p2", "259:1", "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p2")
			symlink(t, m, "/sys/class/nvme-subsystem/nvme-subsys0/nvme0", "../../../pci0000:00/"+diskAddress+"/nvme/nvme0")
		}, reason: "nvme0n1p2 carries the root file system", vital: true},
		"swap": {mounts: onRAM, put: func(_ *testing.T, m *sysfstest.Machine) {
			m.Put("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/vda1 partition 8 0 -2\n")
		}, reason: "vda1 is swap space"},
		"held": {mounts: onRAM, put: func(t *testing.T, m *sysfstest.Machine) {
			onto(t, m, "vda1", "dm-0", "253:0", "vg-data")
		}, reason: "vda1 is part of dm-0"},
		"open": {mounts: onRAM, put: func(t *testing.T, m *sysfstest.Machine) {
			m.Put("/proc/88/comm", "qemu\n")
			symlink(t, m, "/proc/88/fd/9", "/dev/vda")
		}, reason: "process 88 (qemu) has /dev/vda open"},
		"virtiofs": {mounts: onRAM + "30 1 0:40 / /share rw - virtiofs tag rw\n", put: func(t *testing.T, m *sysfstest.Machine) {
			symlink(t, m, "/sys/bus/pci/devices/"+diskAddress+"/virtio1/driver", "../../bus/virtio/drivers/virtiofs")
		}, reason: "its virtiofs file system is mounted at /share"},
		"root on virtiofs": {mounts: "30 1 0:40 / / rw - virtiofs tag rw\n", put: func(t *testing.T, m *sysfstest.Machine) {
			symlink(t, m, "/sys/bus/pci/devices/"+diskAddress+"/virtio1/driver", "../../bus/virtio/drivers/virtiofs")
		}, reason: "its virtiofs file system carries the root file system", vital: true},
		"virtual functions": {mounts: onRAM, put: func(t *testing.T, m *sysfstest.Machine) {
			symlink(t, m, "/sys/bus/pci/devices/"+diskAddress+"/virtfn0", "../0000:00:07.1")
		}, reason: "it has virtual functions, which vanish with its driver: 0000:00:07.1"},
	} {
		t.Run(name, func(t *testing.T) {
			m := sysfstest.New(t, sysfstest.Function{Address: diskAddress, Vendor: 0x1af4, Device: 0x1042,
				Class: 0x010000, Own: "virtio-pci", Driver: "virtio-pci", Group: 5})
			block(t, m, "vda", "254:0", diskPath+"vda")
			block(t, m, "vda1", "254:1", diskPath+"vda/vda1")
			if c.mounts != "" {
				m.Put("/proc/self/mountinfo", c.mounts)
			}
			if c.put != nil {
				c.put(t, m)
			}
			unchanged(t, m.Root, func() {
				got := devbind(t, m, "bind", diskAddress)
				if got.status != 1 || !strings.Contains(got.stderr, c.reason) || strings.Contains(got.stderr, "in use") != (c.reason != "") {
					t.Errorf("%+v, want the reason %q", got, c.reason)
				}
				if got = devbind(t, m, "status", "--all"); got.status != 0 || !strings.Contains(got.stdout, c.reason) {
					t.Errorf("status: %+v, want the reason %q", got, c.reason)
				}
			})
			if c.vital {
				unchanged(t, m.Root, func() {
					got := devbind(t, m, "bind", "--force", diskAddress)
					if got.status != 1 || !strings.Contains(got.stderr, "--force does not change that") {
						t.Errorf("--force: %+v", got)
					}
				})
				return
			}
			got := devbind(t, m, "bind", "--force", diskAddress)
			if got.status != 0 || !strings.Contains(got.stderr, c.reason) || m.Driver(diskAddress) != "vfio-pci" {
				t.Errorf("--force: %+v, driver %s", got, m.Driver(diskAddress))
			}
		})
	}
}

// An interface through which the root file system comes is never given away; one that only other
// file systems come through is.
func TestRefusesTheWayToTheRootFileSystem(t *testing.T) {
	const name, target = "sda", "../../devices/platform/host2/session1/target2:0:0/2:0:0:1/block/sda"
	for what, c := range map[string]struct {
		mounts string
		put    func(t *testing.T, m *sysfstest.Machine)
		vital  bool
	}{
		"NFS":                 {mounts: "30 1 0:40 / / rw - nfs4 10.1.0.9:/root rw,vers=4.2,addr=10.1.0.9\n", vital: true},
		"NFS, not root":       {mounts: onRAM + "30 1 0:40 / /home rw - nfs4 10.1.0.9:/home rw,addr=10.1.0.9\n"},
		"NFS by another way":  {mounts: "30 1 0:40 / / rw - nfs4 10.2.0.9:/root rw,addr=10.2.0.9\n"},
		"NFS below a RAM one": {mounts: onRAM + "30 1 0:40 / / rw - nfs 10.1.0.9:/root rw,addr=10.1.0.9\n", vital: true},
		"iSCSI": {mounts: "30 1 253:0 / / rw - ext4 /dev/mapper/vg-root rw\n", put: func(t *testing.T, m *sysfstest.Machine) {
			block(t, m, name, "8:0", target)
			onto(t, m, name, "dm-0", "253:0", "vg-root")
			m.Put("/sys/class/iscsi_connection/connection1:0/persistent_address", "10.1.0.9\n")
		}, vital: true},
		"NVMe over TCP": {mounts: "30 1 259:0 / / rw - ext4 /dev/nvme1n1 rw\n", put: func(t *testing.T, m *sysfstest.Machine) {
			block(t, m, "nvme1n1", "259:0", "../../devices/virtual/nvme-fabrics/ctl/nvme1/nvme1n1")
			m.Put("/sys/class/nvme/nvme1/address", "traddr=10.1.0.9,trsvcid=4420\n")
		}, vital: true},
	} {
		t.Run(what, func(t *testing.T) {
			ownNetwork(t)
			addAddress(t, veth(t, "eth0"), "10.1.0.1/24")
			addAddress(t, veth(t, "other"), "10.2.0.1/24")
			m := sysfstest.New(t, grouped(one, 1, "eth0"))
			m.Put("/proc/self/mountinfo", c.mounts)
			if c.put != nil {
				c.put(t, m)
			}
			got := devbind(t, m, "bind", one, "--force")
			if c.vital != (got.status == 1) || c.vital != strings.Contains(got.stderr, "eth0 leads to the root file system (") {
				t.Errorf("%+v, vital %v", got, c.vital)
			}
		})
	}
}
