// SPDX-License-Identifier: BSD-3-Clause
//
// DPDK's virtio-user against the device in ../device, both in one thread. Arguments,
// but for the directory of a hugetlbfs, and output are those of ../ours, and bench.go
// there does the same with this project's functions.
#define _GNU_SOURCE
#include "../device/clock.h"
#include "../device/device.h"
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ring = 1024, buffers = 8192, cache_size = 256, max_burst = 1024, polls = 32, max_samples = 10000, passes = 4, max_sizes = 16 };

static struct rte_mbuf *bufs[max_burst];
static struct rte_mempool *pool;
static int frame, filled;
static bool offloads;
static uint64_t number;

struct sum { uint64_t cycles, units; };

static void fail(const char *what)
{
	fprintf(stderr, "dpdk: %s: %s\n", what, rte_strerror(rte_errno));
	exit(1);
}

// Packets to be cut into 16 frames are in 8 buffers: DPDK's indirect tables hold no more.
enum { segments = 16, large_bytes = tcp_payload + segments * segment_bytes, part_bytes = 2048,
	large_parts = (large_bytes + part_bytes - 1) / part_bytes, max_large = 32 };

// write_headers makes a TCP packet. The checksum field has the sum of some pseudo-header,
// which the device does not complete.
static void write_headers(uint8_t *p, int bytes)
{
	static const uint8_t headers[tcp_payload] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,
		0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0, 80, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0x14, 0x1b };
	memcpy(p, headers, sizeof headers);
	p[16] = (bytes - 14) >> 8;
	p[17] = bytes - 14;
}

static void receive_burst(int size, struct sum *s)
{
	filled += device_fill(size - filled);
	uint64_t t = clock_start();
	int n = rte_eth_rx_burst(0, 0, bufs, size);
	rte_pktmbuf_free_bulk(bufs, n);
	s->cycles += clock_stop() - t;
	s->units += n;
	filled -= n;
}

static int prepare(int size)
{
	if (rte_pktmbuf_alloc_bulk(pool, bufs, size))
		return 0;
	for (int i = 0; i < size; i++)
		rte_pktmbuf_append(bufs[i], frame);
	return size;
}

static void transmit_prepared(int size, struct sum *s)
{
	for (int i = 0; i < size; i++)
		*rte_pktmbuf_mtod(bufs[i], uint64_t *) = number + i;
	uint64_t t = clock_start();
	int n = rte_eth_tx_burst(0, 0, bufs, size);
	s->cycles += clock_stop() - t;
	s->units += n;
	number += n;
	rte_pktmbuf_free_bulk(bufs + n, size - n);
	device_take(size);
}

static void transmit(int size, struct sum *s) { transmit_prepared(prepare(size), s); }

static void get(int size, struct sum *s)
{
	struct sum other = { 0 };
	uint64_t t = clock_start();
	int n = prepare(size);
	s->cycles += clock_stop() - t;
	s->units += n;
	transmit_prepared(n, &other);
}

static void forward(int size, struct sum *s)
{
	filled += device_fill(size - filled);
	uint64_t t = clock_start();
	int n = rte_eth_rx_burst(0, 0, bufs, size);
	int sent = rte_eth_tx_burst(0, 0, bufs, n);
	s->cycles += clock_stop() - t;
	s->units += sent;
	filled -= n;
	rte_pktmbuf_free_bulk(bufs + sent, n - sent);
	device_take(size);
}

static void get_and_free(int size, struct sum *s)
{
	uint64_t t = clock_start();
	int n = rte_pktmbuf_alloc_bulk(pool, bufs, size) ? 0 : size;
	rte_pktmbuf_free_bulk(bufs, n);
	s->cycles += clock_stop() - t;
	s->units += n;
}

static void poll_empty(int size, struct sum *s)
{
	int n = 0;
	uint64_t t = clock_start();
	for (int i = 0; i < polls; i++)
		n += rte_eth_rx_burst(0, 0, bufs, size);
	s->cycles += clock_stop() - t;
	s->units += polls;
	if (n > 0)
		fail("packets were received of a device that had filled none");
}

// receive_checked is receive_burst that looks at the checksum's state.
static void receive_checked(int size, struct sum *s)
{
	int good = 0;
	filled += device_fill(size - filled);
	uint64_t t = clock_start();
	int n = rte_eth_rx_burst(0, 0, bufs, size);
	for (int i = 0; i < n; i++)
		good += (bufs[i]->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	rte_pktmbuf_free_bulk(bufs, n);
	s->cycles += clock_stop() - t;
	s->units += n;
	filled -= n;
	if (good != n)
		fail("a checksum is not good");
}

// transmit_checksum is transmit of TCP packets, with a request for the checksum of each.
static void transmit_checksum(int size, struct sum *s)
{
	size = prepare(size);
	for (int i = 0; i < size; i++) {
		write_headers(rte_pktmbuf_mtod(bufs[i], uint8_t *), frame);
		*rte_pktmbuf_mtod(bufs[i], uint64_t *) = number + i;
	}
	uint64_t t = clock_start();
	for (int i = 0; i < size; i++) {
		bufs[i]->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM;
		bufs[i]->l2_len = 14;
		bufs[i]->l3_len = 20;
	}
	int n = rte_eth_tx_burst(0, 0, bufs, size);
	s->cycles += clock_stop() - t;
	s->units += n;
	number += n;
	rte_pktmbuf_free_bulk(bufs + n, size - n);
	device_take(size);
}

// transmit_large sends TCP packets to be cut, with the request for that. Its units are
// the segments.
static void transmit_large(int size, struct sum *s)
{
	int n = 0;
	size = size < max_large ? size : max_large;
	for (; n < size; n++) {
		struct rte_mbuf *parts[large_parts];
		if (rte_pktmbuf_alloc_bulk(pool, parts, large_parts))
			break;
		for (int i = 0, left = large_bytes; i < large_parts; i++) {
			int part = left < part_bytes ? left : part_bytes;
			rte_pktmbuf_append(parts[i], part);
			left -= part;
			if (i > 0)
				rte_pktmbuf_chain(parts[0], parts[i]);
		}
		bufs[n] = parts[0];
		write_headers(rte_pktmbuf_mtod(bufs[n], uint8_t *), large_bytes);
	}
	uint64_t t = clock_start();
	for (int i = 0; i < n; i++) {
		bufs[i]->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_SEG;
		bufs[i]->l2_len = 14;
		bufs[i]->l3_len = 20;
		bufs[i]->l4_len = 20;
		bufs[i]->tso_segsz = segment_bytes;
	}
	int sent = rte_eth_tx_burst(0, 0, bufs, n);
	s->cycles += clock_stop() - t;
	s->units += sent * segments;
	number += sent;
	rte_pktmbuf_free_bulk(bufs + sent, n - sent);
	device_take(n);
}

static const struct work { const char *name; void (*burst)(int size, struct sum *s); } offload_works[] = {
	{ "RX", receive_checked }, { "TX", transmit_checksum }, { "forward", forward }, { "TSO", transmit_large },
}, works[] = {
	{ "RX", receive_burst }, { "TX", transmit }, { "forward", forward }, { "get", get },
	{ "get and free", get_and_free }, { "empty poll", poll_empty },
};

static void drain(void)
{
	for (int tries = 0; filled > 0 && tries < 2 * ring; tries++) {
		int n = rte_eth_rx_burst(0, 0, bufs, 32);
		rte_pktmbuf_free_bulk(bufs, n);
		filled -= n;
	}
}

static void verify(void)
{
	enum { size = 32 };
	for (int i = 0; i < 4 * ring / size; i++) {
		uint64_t next = device_next();
		int n = device_fill(size), got = 0;
		for (int tries = 0; got < n && tries < 2 * ring; tries++) {
			int k = rte_eth_rx_burst(0, 0, bufs, size);
			for (int j = 0; j < k; j++)
				if (rte_pktmbuf_pkt_len(bufs[j]) != (uint32_t)frame || bufs[j]->nb_segs != 1 ||
					*rte_pktmbuf_mtod(bufs[j], uint64_t *) != next + got + j)
					fail("a received packet is not what the device made");
			rte_pktmbuf_free_bulk(bufs, k);
			got += k;
		}
		// The vectorized paths leave the last packets of a burst for the next.
		filled += n - got;
		drain();
		if (n == 0 || filled > 0)
			fail("too few packets were received");
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

// tare is explained in bench.go.
static double tare(void)
{
	enum { readings = 61 };
	uint64_t sum = 0;
	for (int i = 0; i < readings; i++) {
		for (volatile int pause = i; pause > 0; pause--)
			;
		uint64_t t = clock_start();
		sum += clock_stop() - t;
	}
	return (double)sum / readings;
}

// A figure has the samples of all passes.
struct cell { const struct work *work; int size, samples; double cycles[max_samples]; };

static void measure(struct cell *c, int samples, int bursts)
{
	const struct work *w = c->work;
	int size = c->size;
	struct sum warm = { 0 };
	if (bursts == 0)
		bursts = size > 2 * ring / 16 ? 16 : 2 * ring / size;
	drain();
	if (w->burst == transmit_large)
		device_expect(number, large_bytes, request_segments);
	else if (w->burst == transmit_checksum)
		device_expect(number, frame, request_checksum);
	else
		device_expect(w->burst == transmit || w->burst == get ? number : device_next(), frame, request_nothing);
	for (int i = 0; i < 32 + 2 * ring / size; i++)
		w->burst(size, &warm);
	for (int i = 0; i < samples && warm.units > 0 && c->samples < max_samples; i++) {
		struct sum s = { 0 };
		for (int k = 0; k < bursts; k++)
			w->burst(size, &s);
		c->cycles[c->samples++] = (s.cycles - tare() * bursts) / s.units;
	}
}

static void print(struct cell *c)
{
	if (c->samples == 0) // the vectorized paths receive nothing at less than four
		c->cycles[c->samples++] = 0;
	qsort(c->cycles, c->samples, sizeof *c->cycles, ascending);
	printf("{\"work\":\"%s\",\"burst\":%d,\"cycles\":%.3f,\"least\":%.3f}\n", c->work->name, c->size,
		c->cycles[c->samples / 2], c->cycles[0]);
}

static const char *argument(int argc, char **argv, const char *key, const char *otherwise)
{
	size_t n = strlen(key);
	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], key, n) == 0 && argv[i][n] == '=')
			return argv[i] + n + 1;
	return otherwise;
}

static void open_port(const char *program, const char *socket, const char *huge, const char *cpu,
	const char *keys)
{
	char lcores[32], vdev[512], prefix[32];
	snprintf(lcores, sizeof lcores, "0@%s", cpu);
	snprintf(vdev, sizeof vdev, "net_virtio_user0,path=%s,queues=1,queue_size=%d,%s", socket, ring, keys);
	snprintf(prefix, sizeof prefix, "step%d", getpid());
	// At its debug level the driver says which paths it uses.
	const char *eal[] = { program, "--lcores", lcores, "--no-pci", "--huge-dir", huge,
		"--single-file-segments", "-m", "128",
		"--no-telemetry", "--file-prefix", prefix, "--force-max-simd-bitwidth=512",
		"--log-level", "pmd.net.virtio.*,debug", "--vdev", vdev };
	if (rte_eal_init(sizeof eal / sizeof *eal, (char **)eal) < 0)
		fail("EAL");
	pool = rte_pktmbuf_pool_create("step", buffers, cache_size, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	struct rte_eth_conf conf = { 0 };
	if (offloads) {
		conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
		conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
			RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	}
	if (!pool || rte_eth_dev_configure(0, 1, 1, &conf) ||
		rte_eth_rx_queue_setup(0, 0, ring, SOCKET_ID_ANY, NULL, pool) ||
		rte_eth_tx_queue_setup(0, 0, ring, SOCKET_ID_ANY, NULL) || rte_eth_dev_start(0))
		fail("port");
}

// check compares the device's counts with the port's.
static int check(void)
{
	struct device_counts c = device_counts();
	struct rte_eth_stats s;
	rte_eth_stats_get(0, &s);
	if (c.bad_headers || c.bad_lengths || c.bad_numbers || c.short_buffers ||
		c.filled != s.ipackets + filled || c.taken != s.opackets) {
		fprintf(stderr, "dpdk: the device has %lu invalid packets, %lu filled and %lu taken; "
			"the port %lu received, with %d more to come, and %lu sent\n",
			c.bad_headers + c.bad_lengths + c.bad_numbers + c.short_buffers, c.filled, c.taken,
			s.ipackets, filled, s.opackets);
		return 1;
	}
	printf("{\"packets\":%lu}\n", c.filled + c.taken);
	return 0;
}

int main(int argc, char **argv)
{
	const char *socket = argument(argc, argv, "socket", "");
	int samples = atoi(argument(argc, argv, "samples", "160"));
	int bursts = atoi(argument(argc, argv, "bursts", "0"));
	frame = atoi(argument(argc, argv, "frame", "64"));
	offloads = strcmp(argument(argc, argv, "offloads", "false"), "true") == 0;
	struct device_config config = { .socket = socket, .frame = frame, .offloads = offloads,
		.batches = strcmp(argument(argc, argv, "batches", "false"), "true") == 0 };
	char sizes[64];
	snprintf(sizes, sizeof sizes, "%s", argument(argc, argv, "sizes", "32"));
	if (samples < 1 || samples > max_samples || device_listen(&config))
		return 1;
	open_port(argv[0], socket, argument(argc, argv, "huge", "/dev/hugepages"),
		argument(argc, argv, "cpu", "1"), argument(argc, argv, "port", ""));
	if (device_wait(5000))
		return 1;
	verify();
	static struct cell cells[max_sizes * sizeof works / sizeof *works];
	int n = 0;
	for (char *p = strtok(sizes, ","); p; p = strtok(NULL, ",")) {
		int size = atoi(p), kinds = sizeof works / sizeof *works;
		if (offloads)
			kinds = sizeof offload_works / sizeof *offload_works;
		if (size < 1 || size > max_burst || n + kinds > (int)(sizeof cells / sizeof *cells))
			return 1;
		for (int w = 0; w < kinds; w++)
			cells[n++] = (struct cell){ .work = offloads ? &offload_works[w] : &works[w], .size = size };
	}
	for (int pass = 0; pass < passes; pass++)
		for (int i = 0; i < n; i++)
			measure(&cells[i], (samples + passes - 1) / passes, bursts);
	for (int i = 0; i < n; i++)
		print(&cells[i]);
	int status = check();
	fflush(stdout);
	rte_eth_dev_stop(0);
	rte_eth_dev_close(0);
	rte_eal_cleanup();
	return status;
}
