// SPDX-License-Identifier: BSD-3-Clause
//
// Readings of the time-stamp counter that stay where they are written. clock_start
// also empties the store buffer: what the device wrote is in the cache then, as if
// it had come from elsewhere, and no load of the driver is served from the buffer.
#pragma once
#include <stdint.h>

static inline uint64_t clock_start(void)
{
	uint32_t low, high;
	__asm__ volatile("mfence; lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static inline uint64_t clock_stop(void)
{
	uint32_t low, high;
	__asm__ volatile("rdtscp; lfence" : "=a"(low), "=d"(high) : : "rcx", "memory");
	return (uint64_t)high << 32 | low;
}
