// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "device.h"

enum feature {
	feature_csum = 0,
	feature_guest_csum = 1,
	feature_host_tso4 = 11,
	feature_host_tso6 = 12,
	feature_mrg_rxbuf = 15,
	feature_indirect = 28,
	feature_event_idx = 29,
	feature_protocol = 30, // VHOST_USER_F_PROTOCOL_FEATURES
	feature_version_1 = 32,
	feature_packed = 34,
	feature_in_order = 35,
};

// A descriptor of either format (2.7.5, 2.8.13): the last two words are flags and next
// of a split ring, id and flags of a packed one.
struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t half[2];
};

struct queue {
	bool enabled, started, packed, in_order, event_idx;
	uint32_t size;
	uint64_t desc_address, driver_address, device_address; // in the driver's process
	struct desc *desc;
	uint16_t *driver; // avail ring, or driver event suppression
	uint16_t *device; // used ring, or device event suppression
	uint16_t next;    // free-running index, or position in a packed ring
	uint16_t used;    // free-running index of the used ring
	bool wrap;
};

extern struct device_config config;
extern struct queue queues[2]; // receive, transmit

// start prepares a queue of which size and addresses are known.
void queue_start(struct queue *q, uint64_t features, uint16_t base);

// at returns where the driver's process has what is at a device address.
char *at(uint64_t address);
