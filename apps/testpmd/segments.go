package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/frame"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

const (
	// maxSegments is how many segments a packet may be made of.
	maxSegments = 64
	// maxTxFirst bounds what --tx-first puts on the wire.
	maxTxFirst = 1 << 20
)

// parseSegments reads --txpkts: the length of a packet in bytes, without
// checksum, or of each of its segments. The first holds the headers.
func parseSegments(text string) ([]int, error) {
	bad := func(value, reason, remedy string) error {
		if value != text {
			reason = strconv.Quote(value) + " is " + reason
		}
		return &command.UsageError{Option: "txpkts", Value: text, Reason: reason, Remedy: remedy}
	}
	var lengths []int
	total := 0
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseUint(part, 10, 31)
		switch {
		case err != nil || n == 0:
			return nil, bad(part, "not a length in bytes", "write it like 64, or 64,128 for two segments")
		case n > mbuf.DefaultDataRoom:
			return nil, bad(part, fmt.Sprintf("longer than a buffer of %d bytes", mbuf.DefaultDataRoom),
				"use several segments: 2000,2000")
		case total == 0 && n < frame.HeaderLen:
			return nil, bad(part, fmt.Sprintf("shorter than the headers of %d bytes, which the first segment holds",
				frame.HeaderLen), "64 is the shortest frame of a wire")
		}
		lengths = append(lengths, int(n))
		total += int(n)
	}
	switch {
	case len(lengths) > maxSegments:
		return nil, bad(text, fmt.Sprintf("%d segments; there may be %d", len(lengths), maxSegments),
			"use fewer and longer ones")
	case total > frame.MaxLen:
		return nil, bad(text, fmt.Sprintf("%d bytes in all; there may be %d", total, frame.MaxLen),
			"use shorter segments")
	}
	return lengths, nil
}

// packetLen returns the length of a packet that is made.
func (p *plan) packetLen() int {
	total := 0
	for _, n := range p.segments {
		total += n
	}
	return total
}
