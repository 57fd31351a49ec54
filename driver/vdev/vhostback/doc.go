// Package vhostback serves the software device as a vhost-user back end: a
// process that connects to a socket (QEMU for its guest, DPDK's virtio-user,
// this project's own front end) shares its memory and gets a network device.
//
//	back, err := vhostback.Serve("/run/vm0.sock", vhostback.Config{Device: vdev.Config{Backend: vdev.Loop()}})
//	...
//	err = back.Close()
//
// A Backend listens, or connects to a front end that listens, and serves one
// peer at a time; when one goes away everything it shared is given back and the
// next may come. In terms of the protocol's description: conn.go and wire.go are
// the messages, requests.go says which exist, session.go what a connection is,
// memory.go the tables of shared memory, vrings.go the rings, notify.go kick and
// call. What the messages act upon is an engine: the device of package vdev
// (device.go), strict and with everything, or the loop of raw.go, which does
// next to nothing and is made for measuring drivers.
//
// Whatever a peer sends that the protocol does not have ends the connection
// with a typed error; so does a ring that breaks the rules. The wire types are
// this package's own: the front end shares none of them, so that a misreading
// cannot hide on both sides.
//
// Two things are left to the peer's honour. It can take back memory that it
// shared (truncate the file): the fault that follows stops this device and ends
// the connection, not the program. It can make the eventfd that it is called by
// block again and fill its counter: then its own device stands still.
package vhostback
