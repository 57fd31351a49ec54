//go:build cgo && amd64

// Package device is the C device of the measurement, in the form of Go.
package device

// #cgo CFLAGS: -std=gnu11 -O3 -march=native -Wall -Wextra -Werror
// #include <stdlib.h>
// #include "device.h"
import "C"

import "errors"

// Config is struct device_config.
type Config struct {
	Socket   string
	Frame    int
	Batches  bool
	Offloads bool
}

// What is asked for of a packet that is sent: enum request.
const (
	Nothing = iota
	Checksum
	Segments
)

// SegmentBytes is the payload of the frames that packets are cut into. Their TCP headers
// begin at byte TCPStart, and their payload at byte TCPPayload.
const (
	SegmentBytes = C.segment_bytes
	TCPStart     = C.tcp_start
	TCPPayload   = C.tcp_payload
)

// Listen makes the device wait for its driver. What is wrong is said on standard error.
func Listen(c Config) error {
	socket := C.CString(c.Socket) // which the device keeps
	config := C.struct_device_config{socket: socket, frame: C.int(c.Frame), batches: C.bool(c.Batches),
		offloads: C.bool(c.Offloads)}
	if C.device_listen(&config) != 0 {
		return errors.New("the device does not listen")
	}
	return nil
}

// Wait returns when the driver has enabled both queues.
func Wait() error {
	if C.device_wait(5000) != 0 {
		return errors.New("the device has no running queues")
	}
	return nil
}

// Fill has the device fill up to n receive buffers and returns how many there were.
func Fill(n int) int { return int(C.device_fill(C.int(n))) }

// Take has the device take up to n packets and returns how many there were.
func Take(n int) int { return int(C.device_take(C.int(n))) }

// Next returns the number of the next packet that the device makes.
func Next() uint64 { return uint64(C.device_next()) }

// Expect says what number and length the next packet taken has, and what is asked for.
func Expect(number uint64, bytes, request int) {
	C.device_expect(C.uint64_t(number), C.uint32_t(bytes), C.enum_request(request))
}

// Counts is struct device_counts.
type Counts struct {
	Features, Filled, Taken            uint64
	BadHeaders, BadLengths, BadNumbers uint64
	ShortBuffers                       uint64
}

// Count returns what went through the device.
func Count() Counts {
	c := C.device_counts()
	return Counts{
		Features: uint64(c.features), Filled: uint64(c.filled), Taken: uint64(c.taken),
		BadHeaders: uint64(c.bad_headers), BadLengths: uint64(c.bad_lengths),
		BadNumbers: uint64(c.bad_numbers), ShortBuffers: uint64(c.short_buffers),
	}
}
