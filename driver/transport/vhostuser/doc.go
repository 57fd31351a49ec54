// Package vhostuser is the vhost-user front end: a virtio network device whose
// data path is another process, reached through a unix socket, such as a switch or
// the software device of this project. DPDK calls the same thing virtio-user. A
// [Device] is a transport.Transport.
//
// # Memory
//
// Mapped memory is shared with the back end by file descriptor, one region for
// each hugepages.Memory. Guest address, user address and virtual address are
// one and the same number.
//
// A back end can remove pages of the memory, by punching holes into a file of hugepages
// or by truncating one that is on a mount: see package hugepages. The methods of a Device
// never touch the memory. The driver survives it: see package driver.
//
// # The back end is not trusted
//
// Each request has a deadline, and so have all requests of a set-up together. The
// requests that begin and end rings are sent without waiting for each reply. Each
// reply must be the one that is awaited, of exactly the expected size. Anything
// else ends the connection: after a wrong byte it is not known where the next
// message starts. File descriptors are refused by giving the kernel no room for
// them, so that none can be left open.
//
// A back end shares the eventfds by which it is notified. One that clears O_NONBLOCK
// and fills the counter, to block a burst in its doorbell, delays it by some
// milliseconds: the counter is read, and the connection is ended. The next back end is
// given other eventfds, and with Options.Polled there are none.
//
// # Disconnects and reconnects
//
// The back end may end the connection at any byte. A goroutine of the device waits
// for the end of the connection, reports transport.Disconnected, connects again, or
// in the server role waits for a connection, negotiates the protocol features and
// reports transport.Reconnected. The driver starts from scratch: rings are rebuilt
// and never resumed.
//
// A device without a connection counts as reset: the back end may not use the rings
// any more. A process that still uses memory it was given earlier can corrupt
// the contents of packets, but does not keep the memory from being released,
// because each side has a mapping of its own.
package vhostuser
