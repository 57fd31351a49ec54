// Package image makes what a guest boots from: it finds the kernel and the
// modules that scripts/guest-kernel.sh has put into the cache, and packs the
// project's static binaries into an initial file system.
package image

// SetupPath is where process 1 of the guest finds its Setup.
const SetupPath = "/etc/lab.json"

// Setup tells process 1 of the guest what to do before it serves the test.
type Setup struct {
	// Modules are loaded in this order.
	Modules []Module `json:"modules"`
	// Hugepages is the number of 2 MiB pages to reserve.
	Hugepages int `json:"hugepages"`
}

// Module is one kernel module.
type Module struct {
	// Path is where the module is in the guest.
	Path string `json:"path"`
	// Parameters are what follows the name on a modprobe command line.
	Parameters string `json:"parameters,omitempty"`
}
