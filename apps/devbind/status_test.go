package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
)

const ids = "1af4  Red Hat, Inc.\n\t1041  Virtio 1.0 network device\n"

// machine has one function of every sort.
func machine(t *testing.T) *sysfstest.Machine {
	modern := grouped(one, 7, "eth0")
	modern.NUMANode = 1
	transitional := sysfstest.VirtioNet(two, 0x1000, "eth1")
	transitional.Group, transitional.Driver, transitional.Override = 8, "vfio-pci", "vfio-pci"
	legacy := sysfstest.VirtioNet("0000:00:05.0", 0x1000)
	legacy.Config, legacy.Driver = sysfstest.Config(0x1000, false), ""
	nic := sysfstest.Function{Address: "0000:01:00.0", Vendor: 0x8086, Device: 0x10d3, Class: 0x020000, Own: "e1000e", Driver: "e1000e", Group: 7, NUMANode: -1}
	disk := sysfstest.Function{Address: "0000:02:00.0", Vendor: 0x1af4, Device: 0x1042, Class: 0x010000, Own: "virtio-pci", Driver: "virtio-pci", NUMANode: -1}
	return sysfstest.New(t, modern, transitional, legacy, nic, disk)
}

func TestStatusTable(t *testing.T) {
	ownNetwork(t)
	addAddress(t, veth(t, "eth0"), "10.0.0.2/32")
	m := machine(t)
	m.Put("/pci.ids", ids)
	t.Setenv("PCIDB_PATH", filepath.Join(m.Root, "pci.ids"))
	unchanged(t, m.Root, func() {
		got := devbind(t, m, "status")
		want := []string{
			"ADDRESS ID VIRTIO DRIVER NETDEV NUMA IOMMU NAME",
			one + " 1af4:1041 modern virtio-pci eth0 1 7 with 0000:01:00.0 Red Hat, Inc. Virtio 1.0 network device",
			one + " is in use: eth0 has the address 10.0.0.2/32",
			two + " 1af4:1000 transitional vfio-pci - - 8 virtio network device",
			"0000:00:05.0 1af4:1000 legacy - - - - virtio network device",
			"0000:01:00.0 8086:10d3 - e1000e - - 7 with " + one + " -",
		}
		var lines []string
		for _, line := range strings.Split(strings.TrimSpace(got.stdout), "\n") {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		if got.status != 0 || got.stderr != "" || !reflect.DeepEqual(lines, want) {
			t.Errorf("status %d, stderr %q\n%s\nwant\n%s", got.status, got.stderr, got.stdout, strings.Join(want, "\n"))
		}
		if all := devbind(t, m, "status", "--all"); !strings.Contains(all.stdout, "0000:02:00.0") {
			t.Errorf("--all: %+v", all)
		}
		if disk := devbind(t, m, "status", "02:00.0"); strings.Count(disk.stdout, "\n") != 2 || !strings.Contains(disk.stdout, "1af4:1042") {
			t.Errorf("by address: %+v", disk)
		}
	})
}

func TestStatusJSON(t *testing.T) {
	ownNetwork(t)
	addAddress(t, veth(t, "eth0"), "10.0.0.2/32")
	t.Setenv("PCIDB_PATH", "/nowhere")
	got := devbind(t, machine(t), "status", "--json")
	var o statusObject
	if err := json.Unmarshal([]byte(got.stdout), &o); err != nil || got.status != 0 || got.stderr != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	seven := 7
	want := functionObject{
		Address: one, Vendor: "1af4", Device: "1041", Class: "020000", Name: "virtio network device",
		Kind: "modern", Driver: "virtio-pci", Netdevs: []string{"eth0"}, NUMANode: 1, Group: &seven,
		GroupWith: []string{"0000:01:00.0"}, InUse: []string{"eth0 has the address 10.0.0.2/32"},
	}
	if o.App != "devbind" || o.Version == "" || len(o.Functions) != 4 || !reflect.DeepEqual(o.Functions[0], want) {
		t.Errorf("got %+v", o)
	}
	if o.Functions[2].Group != nil || strings.Count(got.stdout, "null") != 1 {
		t.Errorf("only the missing group is null:\n%s", got.stdout)
	}
}

func TestStatusOfNothing(t *testing.T) {
	got := devbind(t, sysfstest.New(t), "status")
	if got.status != 0 || got.stdout != "" || !strings.Contains(got.stderr, "--all") {
		t.Errorf("%+v", got)
	}
	got = devbind(t, sysfstest.New(t), "status", "--json")
	if got.status != 0 || got.stderr != "" || !strings.Contains(got.stdout, `"functions": []`) {
		t.Errorf("%+v", got)
	}
}

// The command as it is built, on a directory that does not react: what it
// wrote is found to be without effect and taken back.
func TestBinary(t *testing.T) {
	ownNetwork(t)
	veth(t, "eth0")
	m := sysfstest.New(t, grouped(one, 1, "eth0"))
	exe := func(args ...string) (status int, stdout, stderr string) {
		var out, errs strings.Builder
		c := exec.Command("devbind", append(args, "--root", m.Root)...)
		c.Env, c.Stdout, c.Stderr = append(os.Environ(), "PCIDB_PATH=/nowhere", "HOME=/nowhere"), &out, &errs
		_ = c.Run()
		return c.ProcessState.ExitCode(), out.String(), errs.String()
	}

	status, stdout, stderr := exe("status")
	if status != 0 || stderr != "" || !strings.Contains(stdout, one) || strings.Count(stdout, "\n") != 2 {
		t.Errorf("status: %d %q %q", status, stdout, stderr)
	}
	status, stdout, stderr = exe("bind", one, "--dry-run")
	if status != 0 || stderr != "" || strings.Count(stdout, "echo ") != 3 {
		t.Errorf("dry run: %d %q %q", status, stdout, stderr)
	}
	unchanged(t, m.Root, func() {
		if status, stdout, stderr = exe("bind", "00:09.0"); status != 1 || stdout != "" || !strings.Contains(stderr, "0000:00:09.0") {
			t.Errorf("no such function: %d %q %q", status, stdout, stderr)
		}
	})
	status, stdout, stderr = exe("bind", one)
	if status != 1 || stdout != "" || !strings.Contains(stderr, "should be with vfio-pci but is with virtio-pci") {
		t.Errorf("without effect: %d %q %q", status, stdout, stderr)
	}
	if m.Driver(one) != "virtio-pci" || m.Override(one) != "" {
		t.Errorf("not taken back: %q %q", m.Driver(one), m.Override(one))
	}
}
