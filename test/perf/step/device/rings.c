// SPDX-License-Identifier: BSD-3-Clause
//
// The device side of both rings, for packets in one descriptor, and for packets to be cut
// in several: it checks nothing but the packets.
#include "rings.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	header_bytes = 12,
	num_buffers = 10, // where in the header
	looked_at = 64,   // bytes of a packet taken, of which the sum is made
	flag_next = 1 << 0,
	flag_write = 1 << 1,
	flag_indirect = 1 << 2,
	flag_avail = 1 << 7,
	flag_used = 1 << 15,
	needs_csum = 1, // flags of the header
	data_valid = 2,
	gso_tcpv4 = 1,
	tcp_checksum = 16, // where in a TCP header
	no_notifications = 1, // of a used ring, and of packed event suppression
};

struct device_config config;
struct queue queues[2];
static struct device_counts counts;
static uint64_t next_made, next_taken;
static uint32_t bytes_taken;
static uint64_t header_taken; // flags, gso_type, hdr_len, gso_size, csum_start
static uint16_t offset_taken; // csum_offset
static volatile uint64_t sink; // so that what is read is read

struct device_counts device_counts(void) { return counts; }
uint64_t device_next(void) { return next_made; }

void device_expect(uint64_t number, uint32_t bytes, enum request request)
{
	next_taken = number;
	bytes_taken = bytes;
	header_taken = offset_taken = 0;
	if (request != request_nothing) {
		header_taken = needs_csum | (uint64_t)tcp_start << 48;
		offset_taken = tcp_checksum;
	}
	if (request == request_segments)
		header_taken |= gso_tcpv4 << 8 | tcp_payload << 16 | (uint64_t)segment_bytes << 32;
}

void queue_start(struct queue *q, uint64_t features, uint16_t base)
{
	q->packed = features >> feature_packed & 1;
	q->in_order = features >> feature_in_order & 1;
	q->event_idx = features >> feature_event_idx & 1;
	q->desc = (struct desc *)q->desc_address;
	q->driver = (uint16_t *)q->driver_address;
	q->device = (uint16_t *)q->device_address;
	q->next = q->used = base & 0x7fff;
	q->wrap = true;
	if (q->packed)
		q->device[1] = no_notifications;
	else if (!q->event_idx)
		q->device[0] = no_notifications;
	counts.features = features;
}

// The headers of a TCP packet over IPv4, of lengths that nothing looks at.
static const uint8_t tcp_headers[tcp_payload] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,
	0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
	0, 80, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10 };

// The device of the receive queue makes a frame, as one that copies it would.
static uint32_t fill(const struct desc *d)
{
	uint32_t bytes = header_bytes + config.frame;
	if (d->len < bytes) {
		counts.short_buffers++;
		return 0;
	}
	char *p = at(d->addr);
	memset(p, 0, header_bytes);
	p[num_buffers] = 1;
	p[0] = config.offloads ? data_valid : 0;
	memset(p + header_bytes, 0x5a, config.frame);
	if (config.offloads) // DPDK says of no other packets that their checksum is good
		memcpy(p + header_bytes, tcp_headers, sizeof tcp_headers);
	memcpy(p + header_bytes, &next_made, sizeof next_made);
	next_made++;
	counts.filled++;
	return bytes;
}

// The one of the transmit queue reads a frame and compares what it knows of it. DPDK
// leaves num_buffers in the header as it was received, so it is not looked at.
static uint32_t take(const struct desc *d)
{
	const char *p = at(d->addr);
	uint64_t flags_and_sizes, number, word, sum = 0;
	uint16_t offset;
	memcpy(&flags_and_sizes, p, sizeof flags_and_sizes);
	memcpy(&offset, p + 8, sizeof offset);
	memcpy(&number, p + header_bytes, sizeof number);
	for (int i = 0; i < looked_at; i += sizeof word) {
		memcpy(&word, p + header_bytes + i, sizeof word);
		sum += word;
	}
	sink = sum;
	counts.bad_headers += flags_and_sizes != header_taken || offset != offset_taken;
	counts.bad_lengths += d->len != header_bytes + bytes_taken;
	counts.bad_numbers += number != next_taken++;
	counts.taken++;
	return 0; // the device writes nothing
}

typedef uint32_t work(const struct desc *d);

// A packet of several descriptors, or of those in an indirect table, is read as far as its
// headers.
static void take_chain(const char *header, uint64_t bytes)
{
	uint64_t flags_and_sizes;
	uint16_t offset;
	memcpy(&flags_and_sizes, header, sizeof flags_and_sizes);
	memcpy(&offset, header + 8, sizeof offset);
	counts.bad_headers += flags_and_sizes != header_taken || offset != offset_taken;
	counts.bad_lengths += bytes != header_bytes + bytes_taken;
	next_taken++;
	counts.taken++;
}

static void take_indirect(const struct desc *d)
{
	const struct desc *table = (struct desc *)at(d->addr);
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < d->len / sizeof *table; i++)
		bytes += table[i].len;
	take_chain(at(table[0].addr), bytes);
}

static void check_chain(const struct queue *q, uint16_t flags)
{
	if (flags & (flag_next | flag_indirect) && (!config.offloads || q != &queues[1])) {
		fprintf(stderr, "device: a packet has more than one descriptor\n");
		abort();
	}
}

// take_packed takes the packet of several descriptors that begins at q->next. It returns
// how many more than one they are, and the buffer ID, which the last one has.
static int take_packed(struct queue *q, uint16_t *id)
{
	uint64_t bytes = 0;
	uint32_t i = q->next, n = 0;
	for (;; n++) {
		const struct desc *d = &q->desc[i];
		bytes += d->len;
		*id = d->half[0];
		if (!(d->half[1] & flag_next))
			break;
		i = i + 1 == q->size ? 0 : i + 1;
	}
	take_chain(at(q->desc[q->next].addr), bytes);
	return n;
}

static void take_split(const struct queue *q, const struct desc *first)
{
	const struct desc *d = first;
	uint64_t bytes = d->len;
	while (d->half[0] & flag_next) {
		d = &q->desc[d->half[1]];
		bytes += d->len;
	}
	take_chain(at(first->addr), bytes);
}

static void publish(uint16_t *p, uint16_t v)
{
	atomic_store_explicit((_Atomic uint16_t *)p, v, memory_order_release);
}

static uint16_t observe(uint16_t *p)
{
	return atomic_load_explicit((_Atomic uint16_t *)p, memory_order_acquire);
}

// With batches, the used descriptor of the last packet stands at the place of the first
// (2.8.8), and is written last.
static inline __attribute__((always_inline)) int step_packed(struct queue *q, int n, work *work)
{
	bool batches = config.batches && q->in_order && q == &queues[1];
	struct desc *first = NULL;
	uint16_t first_flags = 0, id = 0;
	int done = 0;
	for (; done < n; done++) {
		struct desc *d = &q->desc[q->next];
		uint16_t flags = observe(&d->half[1]);
		if (!(flags & flag_avail) == q->wrap || !(flags & flag_used) != q->wrap)
			break;
		id = d->half[0];
		uint32_t len = 0;
		int more = 0; // descriptors
		if (flags & (flag_next | flag_indirect)) {
			check_chain(q, flags);
			if (flags & flag_indirect)
				take_indirect(d);
			else
				more = take_packed(q, &id);
		} else {
			len = work(d);
		}
		flags = (flags & flag_write) | (q->wrap ? flag_avail | flag_used : 0);
		if (!batches) {
			d->len = len;
			d->half[0] = id;
			publish(&d->half[1], flags);
		} else if (!first) {
			first = d;
			first_flags = flags;
		}
		q->next += 1 + more;
		if (q->next >= q->size) {
			q->next -= q->size;
			q->wrap = !q->wrap;
		}
	}
	if (first) {
		first->len = 0;
		first->half[0] = id;
		publish(&first->half[1], first_flags);
	}
	return done;
}

// With batches, the one used entry stands where that of the first packet would (2.7.9).
static inline __attribute__((always_inline)) int step_split(struct queue *q, int n, work *work)
{
	bool batches = config.batches && q->in_order && q == &queues[1];
	struct { uint32_t id, len; } *used = (void *)&q->device[2];
	uint16_t available = observe(&q->driver[1]), first = q->used, id = 0;
	int done = 0;
	for (; done < n && q->next != available; done++) {
		id = q->driver[2 + q->next % q->size];
		struct desc *d = &q->desc[id];
		uint32_t len = 0;
		if (d->half[0] & (flag_next | flag_indirect)) {
			check_chain(q, d->half[0]);
			if (d->half[0] & flag_indirect)
				take_indirect(d);
			else
				take_split(q, d);
		} else {
			len = work(d);
		}
		if (!batches) {
			used[q->used % q->size].id = id;
			used[q->used % q->size].len = len;
		}
		q->next++;
		q->used++;
	}
	if (!done)
		return 0;
	if (batches) {
		used[first % q->size].id = id;
		used[first % q->size].len = 0;
	}
	publish(&q->device[1], q->used);
	if (q->event_idx) // an event that the driver does not reach for a long time
		q->device[2 + 4 * q->size] = q->next - 0x4000;
	return done;
}

int device_fill(int n)
{
	struct queue *q = &queues[0];
	return q->packed ? step_packed(q, n, fill) : step_split(q, n, fill);
}

int device_take(int n)
{
	struct queue *q = &queues[1];
	return q->packed ? step_packed(q, n, take) : step_split(q, n, take);
}
