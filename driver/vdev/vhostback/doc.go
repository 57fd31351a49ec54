// Package vhostback serves the software device as a vhost-user back end: a
// process that connects to a socket (QEMU for its guest, DPDK's virtio-user,
// this project's own front end) shares its memory and gets a network device.
//
//	back, err := vhostback.Serve("/run/vm0.sock", vhostback.Config{
//		Device: vdev.Config{Backend: wire.Loop()},
//	})
//	...
//	err = back.Close()
//
// A Backend listens, or connects to a front end that listens, and serves one
// peer at a time. When a peer disconnects everything it shared is given back, and
// the next may connect. The files are named after the protocol's description:
// conn.go and message.go are the messages, requests.go lists the requests,
// session.go is a connection, memory.go the tables of shared memory, ring.go the
// rings, notify.go kick and call. The messages act upon an engine (engine.go):
// the device of package vdev, which checks every rule and has every feature, or
// that of internal/raw, which does next to nothing and is for measuring drivers.
//
// A message that the protocol does not have ends the connection with an [Error], a
// ring that breaks a rule with a [RingError]. The front end of package vhostuser
// shares no types with this package, so that a misreading cannot hide on both
// sides.
//
// A peer can remove memory that it shared at any time, by truncating the file: the
// fault that follows stops this device and ends the connection, not the program. It can
// share a file whose pages never come, as from a network disk that hangs: the thread that
// waits for them is lost, and the next peer is served by another device
// ([Config.Lost]). Pages are asked for once, by a system call, so that only a page that
// is taken away again later and does not come back stops more than that. It can
// fill the eventfd by which it is notified, so that a write blocks: the eventfd is
// drained within some milliseconds, and the connection ends with an [Error].
//
// A Backend that ends, in whatever way, can be followed by another one that goes on with
// the same rings. A split ring says itself where that is. A packed ring does not, and the
// record of what was taken and used is kept elsewhere: by the front end, if it has the
// protocol feature for buffers in flight (INFLIGHT_SHMFD), or in Config.StateFile. QEMU's
// front end for network devices has not, and says each time that the ring begins. What it
// drops itself while no back end is there counts too. The device then transmits each
// packet at least once: a batch that was on its way when it ended may be sent again.
// Frames that were taken from the wire and not delivered are lost. The engine of
// internal/raw keeps no record.
package vhostback
