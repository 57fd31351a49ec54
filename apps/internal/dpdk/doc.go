// Package dpdk reads the command lines of DPDK's programs and says what they mean here: EAL
// options, virtual devices and the addresses of PCI functions become CPUs and ports, and what has
// no meaning here is named, so that the user is told.
package dpdk
