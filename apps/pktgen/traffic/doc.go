// Package traffic makes the packets that pktgen sends.
//
// A [Stream] describes packets that are alike: headers, sizes, payload, and the fields
// that differ from packet to packet. Compile makes a [Program] of it, which writes them
// into the buffers of a transmit queue: templates of the headers are built and checked
// off the packet path, and what is left to do for a packet is to copy one, to store what
// varies, and to add to the checksums what that changes. Every byte of a packet is
// written each time, since a buffer can have been used for anything in between; only
// [PayloadKeep] leaves the payload as it is.
//
// A [Replay] sends the frames of a capture file instead.
//
// Sizes are bytes of a frame without FCS, as a device and capture files count them: the
// 64 bytes of RFC 2544 are 60 here.
//
// # Scenarios
//
// A [Scenario] is streams as a YAML file describes them:
//
//	streams:
//	  - name: load
//	    port: 0
//	    rate: 1Mpps
//	    size: imix
//	    packet:
//	      - ethernet: {dst: 02:00:00:00:00:01}
//	      - vlan: {id: 100}
//	      - ipv4: {src: 198.18.0.1, dst: 198.19.0.1}
//	      - udp: {dst: 9}
//	    fields:
//	      - {field: udp.src, op: increment, min: 1024, count: 1000}
//	  - name: probe
//	    rate: 1kpps
//	    latency: true
//	    packet: [ethernet, ipv4, udp]
//	  - name: capture
//	    port: 1
//	    replay: {file: capture.pcapng, speed: 2, loops: 3}
//
// [Reference] returns all that a file may have. Whatever else is in one is an error, and an
// [Error] names the file, the line and the field, what is wrong there, and what would be
// right.
package traffic
