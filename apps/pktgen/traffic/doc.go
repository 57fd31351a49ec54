// Package traffic makes the packets that pktgen sends.
//
// A [Stream] describes packets that are alike: headers, sizes, payload, and the fields
// that differ from packet to packet. Compile makes a [Program] of it, which writes them
// into the buffers of a transmit queue: templates of the headers are built and checked
// off the packet path, and what is left to do for a packet is to copy one, to store what
// varies, and to add to the checksums what that changes.
//
// Sizes are bytes of a frame without FCS, as a device and capture files count them: the
// 64 bytes of RFC 2544 are 60 here.
package traffic
