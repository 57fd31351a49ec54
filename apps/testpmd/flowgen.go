package main

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/frame"
)

const (
	// defaultFlows is how many flows there are unless the command line says otherwise.
	defaultFlows = 1024
	// checksumLen is what testpmd takes off the length in this mode, and in
	// this one only, because a wire's frame ends in a checksum.
	checksumLen = 4
)

// flowGen makes packets of many flows in turn, and frees what it receives.
type flowGen struct {
	*stream
	headers *frame.Flows
	length  int
	flow    uint16 // of the next packet
	flows   uint32
}

func newFlowGen(s *stream, p *plan) func() bool {
	g := &flowGen{stream: s, length: p.segments[0] - checksumLen, flows: uint32(p.flowCount())}
	g.headers = frame.UDP{
		Dst: net.HardwareAddr{0, 1, 2, 3, 4, 1}, Src: net.HardwareAddr{0, 1, 2, 3, 4, 0}, Len: g.length,
		SrcIP: netip.AddrFrom4([4]byte{10, 254, 0, 0}), DstIP: netip.AddrFrom4([4]byte{10, 253, 0, 0}),
		SrcPort: 1000, DstPort: 1001,
	}.Flows()
	return g.burst
}

// flowCount returns how many flows there are.
func (p *plan) flowCount() int {
	if p.flows == 0 {
		return defaultFlows
	}
	return p.flows
}

func (g *flowGen) burst() bool {
	got := len(g.receive())
	g.cache.Put(g.bufs[:got])
	n := g.cache.Get(g.bufs)
	flow := g.flow
	for _, b := range g.bufs[:n] {
		g.headers.Write(b.Append(g.length), flow)
		flow = uint16((uint32(flow) + 1) % g.flows)
	}
	// A packet that could not be sent is made again.
	sent := g.send(n)
	g.flow = uint16((uint32(g.flow) + uint32(sent)) % g.flows)
	return got+sent > 0
}

// checkFlowGen checks the lengths of --txpkts for this mode.
func checkFlowGen(segments []int) error {
	bad := &command.UsageError{Option: "txpkts", Value: strconv.Itoa(segments[0]),
		Remedy: "use one length, or --forward-mode txonly"}
	switch {
	case len(segments) > 1:
		bad.Reason = fmt.Sprintf("is the first of %d segments; flowgen makes packets of one", len(segments))
	case segments[0] < frame.HeaderLen+checksumLen:
		bad.Reason = fmt.Sprintf("less than %d bytes of headers and %d of checksum, which flowgen counts in",
			frame.HeaderLen, checksumLen)
	default:
		return nil
	}
	return bad
}
