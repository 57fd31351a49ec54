package main

import (
	"strings"
	"testing"
)

// dpdkLines are command lines of dpdk-devbind.py, and what they are here.
var dpdkLines = map[string]string{
	"-s": "status", "--status": "status", "--status-dev net": "status", "--status-dev=all": "status --all",
	"--help": "--help", "-h": "-h",
	"-u 0000:00:03.0":                 "unbind 0000:00:03.0",
	"--unbind 00:03.0 00:04.0":        "unbind 00:03.0 00:04.0",
	"-b vfio-pci 0000:00:03.0":        "bind --driver vfio-pci 0000:00:03.0",
	"--bind=vfio-pci eth1 eth2":       "bind --driver vfio-pci eth1 eth2",
	"--bind vfio-pci --force 00:03.0": "bind --driver vfio-pci --force 00:03.0",
	"-b none 00:03.0":                 "unbind 00:03.0",
	"-b virtio-pci 00:03.0":           "restore --driver virtio-pci 00:03.0",
	"-b igb_uio 00:03.0":              "bind --driver igb_uio 00:03.0",
	"-b uio_pci_generic 00:03.0":      "bind --driver uio_pci_generic 00:03.0",
	"--force -u 00:03.0":              "unbind --force 00:03.0",
	"bind 00:03.0":                    "bind 00:03.0",
	"status --json":                   "status --json",
}

// refusedLines are those that are refused, and what is said.
var refusedLines = map[string]string{
	"-b 0000:00:03.0":                    "is no driver: devbind bind 0000:00:03.0",
	"-b":                                 "-b is followed by a driver",
	"--status-dev crypto":                "those of all classes with --all",
	"--noiommu-mode -b vfio-pci 00:03.0": "enable_unsafe_noiommu_mode",
	"-U 1000 -b vfio-pci 00:03.0":        "chown the node of its IOMMU group",
	"-l":                                 "devbind status lists functions",
}

// TestDPDKOptions: each option of dpdk-devbind.py becomes a command, or is refused with what to
// do instead.
func TestDPDKOptions(t *testing.T) {
	seen := map[string]bool{}
	note := func(line string) []string {
		words := strings.Fields(line)
		for _, w := range words {
			name, _, _ := strings.Cut(w, "=")
			seen[name] = true
		}
		return append([]string{"devbind"}, words...)
	}
	for line, want := range dpdkLines {
		got, err := fromDPDK(note(line))
		if err != nil || strings.Join(got[1:], " ") != want {
			t.Errorf("%s: %q, %v; want %s", line, got, err, want)
		}
	}
	for line, want := range refusedLines {
		if got, err := fromDPDK(note(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
	for _, name := range []string{ // those of DPDK 22.11
		"-h", "--help", "-s", "--status", "--status-dev", "-b", "--bind", "-u", "--unbind", "--noiommu-mode", "--force",
	} {
		if !seen[name] {
			t.Errorf("%s of dpdk-devbind.py is not in the tables", name)
		}
	}
}
