// SPDX-License-Identifier: BSD-3-Clause
//
// What two cores can exchange through a packed virtqueue, and nothing else: a
// descriptor each way and 64 bytes of a packet, written by one side and read by
// the other. No driver that does the same and more can be faster.
//
//	exchange limit rx|tx SIZE SECONDS DRIVER_CPU DEVICE_CPU
//
// has both sides here, a thread each, and prints how many packets a second.
//
//	exchange device rx|tx SIZE RING DEVICE_AREA DEVICE_CPU ADDRESS:BYTES:FD...
//
// is the device side alone, for a driver in the process that started it. The
// memory of that process is mapped from the descriptors to the same addresses,
// and the device goes on until it is killed.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	touched = 64,  // bytes of a packet that are written and read
	stride = 2240, // from buffer to buffer, as in the driver's pool: an odd number of lines
	flag_write = 1 << 1,
	flag_avail = 1 << 7,
	flag_used = 1 << 15,
};

// A descriptor as virtio 1.4, 2.8.13 has it; len, id and flags are one store.
struct desc {
	uint64_t addr;
	_Atomic uint64_t meta;
};

static uint64_t meta_of(uint32_t len, uint16_t id, uint16_t flags)
{
	return len | (uint64_t)id << 32 | (uint64_t)flags << 48;
}

struct ring {
	struct desc *desc;
	unsigned size;
	unsigned header; // bytes in front of the packet
	bool to_driver;  // rx: the device writes
};

// state ends the loops: that of the driver when the time is over and something was
// exchanged, or nothing will be; then that of the device.
enum { running, over, hung, stopped };
static atomic_int state;
static const unsigned patience = 10; // seconds behind the end in which something may be exchanged

static volatile uint64_t sink; // so that what is read is read

static void pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0) {
		fprintf(stderr, "exchange: CPU %d cannot be used\n", cpu);
		exit(1);
	}
}

static inline uint64_t read_packet(const void *p)
{
	uint64_t words[touched / 8], sum = 0;
	memcpy(words, p, touched);
	for (unsigned i = 0; i < touched / 8; i++)
		sum += words[i];
	return sum;
}

static inline void write_packet(void *p, unsigned header, const void *content)
{
	if (header != 0)
		memcpy(p, content, 12); // of virtio-net, 5.1.6
	memcpy((char *)p + header, (const char *)content + 12, touched);
}

// device marks every available descriptor used, in order.
static void device(const struct ring *r)
{
	static const char content[12 + touched] = { [10] = 1 }; // num_buffers
	uint64_t sum = 0;
	unsigned at = 0;
	uint16_t wrap = flag_avail, gone = flag_avail | flag_used;
	while (atomic_load_explicit(&state, memory_order_relaxed) != stopped) {
		struct desc *d = &r->desc[at];
		uint64_t meta = atomic_load_explicit(&d->meta, memory_order_acquire);
		if ((meta >> 48 & (flag_avail | flag_used)) != wrap)
			continue;
		uint32_t len = 0;
		uint16_t flags = gone;
		if (r->to_driver) {
			write_packet((void *)d->addr, r->header, content);
			len = r->header + touched;
			flags |= flag_write;
		} else {
			sum += read_packet((char *)d->addr + r->header);
		}
		atomic_store_explicit(&d->meta, meta_of(len, meta >> 32, flags), memory_order_release);
		if (++at == r->size) {
			at = 0;
			wrap ^= flag_avail | flag_used;
			gone ^= flag_avail | flag_used;
		}
	}
	sink = sum;
}

// driver posts every used descriptor again, in order, and counts.
static uint64_t driver(const struct ring *r)
{
	static const char content[12 + touched];
	uint64_t sum = 0, packets = 0;
	unsigned at = 0;
	uint16_t used = flag_avail | flag_used, post = flag_used; // posted in the second round
	const uint32_t room = r->to_driver ? 2048 : touched;
	const uint16_t dir = r->to_driver ? flag_write : 0;
	for (;;) {
		int now = atomic_load_explicit(&state, memory_order_relaxed);
		if (now != running && (now != over || packets != 0))
			break;
		struct desc *d = &r->desc[at];
		uint64_t meta = atomic_load_explicit(&d->meta, memory_order_acquire);
		if ((meta >> 48 & (flag_avail | flag_used)) != used)
			continue;
		if (r->to_driver)
			sum += read_packet((void *)d->addr);
		else
			write_packet((void *)d->addr, 0, content);
		atomic_store_explicit(&d->meta, meta_of(room, meta >> 32, post | dir), memory_order_release);
		packets++;
		if (++at == r->size) {
			at = 0;
			used ^= flag_avail | flag_used;
			post ^= flag_avail | flag_used;
		}
	}
	sink = sum;
	return packets;
}

static int device_cpu;

static void *device_thread(void *arg)
{
	pin(device_cpu);
	device(arg);
	return NULL;
}

static void *allocate(size_t bytes)
{
	bytes = (bytes + (2 << 20) - 1) & ~(size_t)((2 << 20) - 1);
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (p == MAP_FAILED) {
		fprintf(stderr, "exchange: no hugepages for %zu bytes\n", bytes);
		exit(1);
	}
	return p;
}

static void *timer(void *seconds)
{
	struct timespec t = { *(double *)seconds, 0 };
	t.tv_nsec = (*(double *)seconds - t.tv_sec) * 1e9;
	nanosleep(&t, NULL);
	atomic_store(&state, over);
	sleep(patience);
	int still = over;
	atomic_compare_exchange_strong(&state, &still, hung);
	return NULL;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void limit(struct ring *r, double seconds, int driver_cpu)
{
	r->desc = allocate(r->size * sizeof *r->desc);
	char *rooms = allocate((size_t)r->size * stride);
	const uint16_t dir = r->to_driver ? flag_write : 0;
	for (unsigned i = 0; i < r->size; i++) {
		r->desc[i].addr = (uint64_t)(rooms + (size_t)i * stride);
		atomic_init(&r->desc[i].meta, meta_of(r->to_driver ? 2048 : touched, i, flag_avail | dir));
	}
	pthread_t device, clock; // the clock ends with the program
	double begin = now();
	pthread_create(&device, NULL, device_thread, r);
	pthread_create(&clock, NULL, timer, &seconds);
	pin(driver_cpu);
	uint64_t packets = driver(r);
	double took = now() - begin;
	atomic_store(&state, stopped);
	pthread_join(device, NULL);
	printf("%.0f\n", packets / took);
}

static void map(const char *text)
{
	unsigned long long addr, bytes;
	int fd;
	if (sscanf(text, "%llx:%llu:%d", &addr, &bytes, &fd) != 3) {
		fprintf(stderr, "exchange: %s: want ADDRESS:BYTES:FD\n", text);
		exit(2);
	}
	void *p = mmap((void *)addr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	if (p != (void *)addr) {
		perror("exchange: mmap");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc < 7 || (strcmp(argv[2], "rx") != 0 && strcmp(argv[2], "tx") != 0)) {
		fprintf(stderr, "usage: see the top of exchange.c\n");
		return 2;
	}
	struct ring r = { .size = atoi(argv[3]), .to_driver = strcmp(argv[2], "rx") == 0 };
	if (strcmp(argv[1], "limit") == 0) {
		device_cpu = atoi(argv[6]);
		limit(&r, atof(argv[4]), atoi(argv[5]));
		return 0;
	}
	for (int i = 7; i < argc; i++)
		map(argv[i]);
	r.header = 12;
	r.desc = (struct desc *)strtoull(argv[4], NULL, 16);
	// Device event suppression: no notifications, please (2.8.10).
	*(volatile uint32_t *)strtoull(argv[5], NULL, 16) = 1 << 16;
	pin(atoi(argv[6]));
	printf("ready\n");
	fflush(stdout);
	device(&r);
	return 0;
}
