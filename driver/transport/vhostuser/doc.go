// Package vhostuser is the vhost-user front end: a virtio network device whose
// data path is another process, reached through a unix socket, as a switch or
// the software device of this project offers it. DPDK calls the same thing
// virtio-user. It is offered as a transport.Transport.
//
// # Memory
//
// What is mapped is shared with the back end by file descriptor, one region for
// each hugepages.Memory. Guest address, user address and virtual address are
// one and the same number.
//
// # The back end is not believed
//
// Each request has a deadline, and so have all of a set-up together. Each reply
// must be the one that is awaited, of exactly the size it has to be. Anything
// else ends the connection: after a wrong byte nobody knows where the next
// message starts. File descriptors are refused by giving the kernel no room for
// them, so that none can be left open.
//
// One thing a hostile back end can still do is to block a doorbell: it shares
// the eventfd, could take O_NONBLOCK off it and fill the counter. The next back
// end has other eventfds, and with Options.Polled there are none.
//
// # Connections come and go
//
// The back end may vanish at any byte. A goroutine of the device waits for the
// end of the connection, says so (transport.Disconnected), connects again, or in
// the server role waits to be connected to, and agrees on the protocol; then it
// says transport.Reconnected. The driver starts from scratch: rings are rebuilt
// and never resumed.
//
// A device without a connection is one that was reset: nobody has a right to
// the rings any more. A process that uses memory it was given earlier can spoil
// the contents of packets, and does not keep the memory from being released,
// because each side has a mapping of its own.
package vhostuser
