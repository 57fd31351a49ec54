// SPDX-License-Identifier: BSD-3-Clause
//
// A vhost-user back end inside the process of its driver. A thread of its own does
// the handshake and then sleeps; the rings move only when another thread calls
// device_fill or device_take. So driver and device take turns on one CPU, and
// nothing waits for a cache line of another one.
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct device_config {
	const char *socket;
	int frame;    // bytes of the frames that it makes, at least 64
	bool batches; // with IN_ORDER it returns all that a device_take took by one used entry
	bool offloads; // it completes checksums and cuts TCP packets, and checksums of frames it makes are good
};

// What went through the device, and what was wrong with it.
struct device_counts {
	uint64_t features; // negotiated
	uint64_t filled, taken;
	uint64_t bad_headers, bad_lengths, bad_numbers; // of packets taken
	uint64_t short_buffers;                         // too small for a frame
};

// Both return 0, or -1 with a message on standard error. device_listen copies its
// argument; device_wait returns when the driver has enabled both queues.
int device_listen(const struct device_config *config);
int device_wait(int milliseconds);

// Fill up to n receive buffers, or take up to n transmitted packets, and return how
// many there were.
int device_fill(int n);
int device_take(int n);

// Received packets begin with numbers that follow each other; device_next is that of the
// next one. device_expect says what number and length the next packet taken has, and
// what its header asks for. The sums of TCP packets begin behind an IPv4 header of 20 bytes.
enum request { request_nothing, request_checksum, request_segments };
enum { segment_bytes = 1000, tcp_start = 34, tcp_payload = 54 };
uint64_t device_next(void);
void device_expect(uint64_t number, uint32_t bytes, enum request request);

struct device_counts device_counts(void);
