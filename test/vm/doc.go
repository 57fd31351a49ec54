// Package vm tests the commands on real virtio-net functions behind the
// kernel's VFIO: inside guests under QEMU, because the functions of the
// machine that runs the tests are its own disk and network and are never
// touched.
//
// Guests are also at the other side: Linux's own driver over vhost-user, with
// l2fwd as the back end, and with a process in a network namespace of its own
// (a pod) at the far end of the wire.
//
// pktgen measures l2fwd in a guest too: each has two functions, joined in pairs. testpmd
// forwards there by a command line of DPDK, and its prompt is used.
//
// One boot serves many tests: process 1 of the guest (package guest) runs
// commands for the test over a virtio-serial port (package agent). Frames come
// from the test itself, over unix datagram sockets or over TAP interfaces in
// network namespaces of its own (packages traffic and netlab).
//
// The tests need qemu-system-x86_64 7.2 or later, root for the network
// namespaces, and a guest kernel in the cache, which scripts/guest-kernel.sh
// puts there. Without root what needs it is left out, functions and tests; with
// the variable CI set, as there, it fails instead.
//
// l2fwd never rings a doorbell in an I/O port here: QEMU's device has one with
// modern-pio-notify=on only beside those in memory, which are faster and so
// preferred. A tool of the guest (portdoorbell) hides those from the driver.
//
// Environment: VIRTIO_PMD_CACHE names the cache (default .cache in the
// module), VIRTIO_PMD_KVM=1 has the guests run under KVM in place of TCG.
package vm
