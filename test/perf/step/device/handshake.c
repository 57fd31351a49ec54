// SPDX-License-Identifier: BSD-3-Clause
//
// The vhost-user messages that a driver needs to start two queues and to stop them.
#define _GNU_SOURCE
#include "rings.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// Requests of the front end, by their numbers in the vhost-user specification.
enum message_request {
	get_features = 1,
	set_features = 2,
	set_mem_table = 5,
	set_vring_num = 8,
	set_vring_addr = 9,
	set_vring_base = 10,
	get_vring_base = 11,
	set_vring_kick = 12,
	get_protocol_features = 15,
	set_protocol_features = 16,
	get_queue_num = 17,
	set_vring_enable = 18,
	set_status = 39,
	get_status = 40,
};

enum {
	version = 1, // of the flags of a message
	is_reply = 1 << 2,
	need_reply = 1 << 3,
	protocol_reply_ack = 3,
	protocol_status = 16,
	driver_ok = 4,
	max_regions = 8,
	max_files = 8,
	queue_index = 0xff, // of the payload of set_vring_kick
};

struct region {
	uint64_t address, bytes, user, offset;
};

struct message {
	uint32_t request, flags, bytes;
	union {
		uint64_t number;
		struct { uint32_t index, value; } state;
		struct { uint32_t index, flags; uint64_t desc, device, driver, log; } areas;
		struct { uint32_t count, padding; struct region region[max_regions]; } memory;
	};
} __attribute__((packed));

enum { header_bytes = 12 };

static struct region regions[max_regions];
static uint32_t region_count;
static uint64_t features, protocol, status;
static uint16_t base[2];
static int listener;
static atomic_bool running;

char *at(uint64_t address)
{
	for (uint32_t i = 0; i < region_count; i++)
		if (address - regions[i].address < regions[i].bytes)
			return (char *)(regions[i].user + (address - regions[i].address));
	fprintf(stderr, "device: address %#llx is in no region\n", (unsigned long long)address);
	abort();
}

static bool receive(int s, struct message *m)
{
	union { char bytes[CMSG_SPACE(max_files * sizeof(int))]; struct cmsghdr align; } control;
	struct iovec part = { m, header_bytes };
	struct msghdr h = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof control };
	if (recvmsg(s, &h, MSG_WAITALL | MSG_CMSG_CLOEXEC) != header_bytes)
		return false;
	// The driver's memory is this process's own, and nobody is notified: no file is needed.
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
		int fds[max_files];
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
		memcpy(fds, CMSG_DATA(c), n * sizeof *fds);
		while (n > 0)
			close(fds[--n]);
	}
	if (m->bytes > sizeof *m - header_bytes) {
		fprintf(stderr, "device: request %u has %u bytes\n", m->request, m->bytes);
		return false;
	}
	return m->bytes == 0 || recv(s, &m->number, m->bytes, MSG_WAITALL) == m->bytes;
}

// handle does what a message asks for and reports whether it has an answer, which it
// puts in the message.
static bool handle(struct message *m)
{
	struct queue *q = &queues[m->state.index & 1];
	switch (m->request) {
	case get_features:
		m->number = 1ull << feature_version_1 | 1ull << feature_packed |
			1ull << feature_in_order | 1ull << feature_mrg_rxbuf | 1ull << feature_indirect |
			1ull << feature_protocol;
		if (config.offloads)
			m->number |= 1ull << feature_csum | 1ull << feature_guest_csum |
				1ull << feature_host_tso4 | 1ull << feature_host_tso6;
		return true;
	case set_features: features = m->number; break;
	case get_protocol_features:
		m->number = 1 << protocol_reply_ack | 1 << protocol_status;
		return true;
	case set_protocol_features: protocol = m->number; break;
	case get_queue_num: m->number = 1; return true;
	case get_status: m->number = status; return true;
	case set_status: status = m->number; break;
	case set_mem_table:
		region_count = m->memory.count < max_regions ? m->memory.count : max_regions;
		memcpy(regions, m->memory.region, sizeof regions);
		break;
	case set_vring_num: q->size = m->state.value; break;
	case set_vring_addr:
		q->desc_address = m->areas.desc;
		q->driver_address = m->areas.driver;
		q->device_address = m->areas.device;
		break;
	case set_vring_base: base[m->state.index & 1] = m->state.value; break;
	case set_vring_kick:
		queue_start(&queues[m->number & queue_index & 1], features, base[m->number & queue_index & 1]);
		queues[m->number & queue_index & 1].started = true;
		break;
	case set_vring_enable: q->enabled = m->state.value; break;
	case get_vring_base: // which stops the queue
		q->enabled = q->started = false;
		m->state.value = q->next;
		return true;
	}
	if (!(m->flags & need_reply))
		return false;
	m->number = 0;
	return true;
}

static void *serve(void *unused)
{
	struct message m;
	int s = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while (receive(s, &m)) {
		bool answer = handle(&m);
		bool up = !(protocol >> protocol_status & 1) || status & driver_ok;
		for (int i = 0; i < 2; i++)
			up = up && queues[i].enabled && queues[i].started;
		atomic_store(&running, up);
		if (!answer)
			continue;
		m.flags = version | is_reply;
		m.bytes = sizeof m.number;
		if (send(s, &m, header_bytes + m.bytes, MSG_NOSIGNAL) < 0)
			break;
	}
	close(s);
	close(listener);
	return unused;
}

int device_listen(const struct device_config *c)
{
	config = *c;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	if (strlen(c->socket) >= sizeof a.sun_path) {
		fprintf(stderr, "device: %s is too long for the name of a socket\n", c->socket);
		return -1;
	}
	strcpy(a.sun_path, c->socket);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;
	if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 1) ||
		pthread_create(&thread, NULL, serve, NULL)) {
		perror(c->socket);
		return -1;
	}
	return 0;
}

int device_wait(int milliseconds)
{
	for (; !atomic_load(&running); milliseconds--) {
		if (milliseconds == 0) {
			fprintf(stderr, "device: the driver does not start its queues\n");
			return -1;
		}
		usleep(1000);
	}
	return 0;
}
