package main

// row is what the two drivers are told to negotiate.
type row struct {
	name       string
	dpdk, ours string // keys of the port
	vectorized bool   // DPDK is asked for its vectorized paths
	batches    bool   // the device returns all packets of a burst by one used entry
	offloads   bool   // checksums and segmentation are negotiated, and asked for
}

func rows() []row {
	const (
		split     = "packed_vq=0,mrg_rxbuf=0,in_order=0"
		packed    = "packed_vq=1,mrg_rxbuf=0,in_order=0"
		inOrder   = "packed_vq=1,mrg_rxbuf=0,in_order=1"
		ourSplit  = "packed=0,mrg_rxbuf=0,in_order=0"
		ourPacked = "packed=1,mrg_rxbuf=0,in_order=0"
		offloads  = ",csum=1,tso=1"
	)
	return []row{
		{name: "split, mergeable", dpdk: "packed_vq=0,mrg_rxbuf=1,in_order=0", ours: "packed=0,in_order=0"},
		{name: "split", dpdk: split, ours: ourSplit},
		{name: "split; DPDK vectorized", dpdk: split + ",vectorized=1", ours: ourSplit, vectorized: true},
		{name: "split, in-order", dpdk: "packed_vq=0,mrg_rxbuf=0,in_order=1", ours: "packed=0,mrg_rxbuf=0"},
		{name: "split, in-order batches", dpdk: "packed_vq=0,mrg_rxbuf=0,in_order=1", ours: "packed=0,mrg_rxbuf=0",
			batches: true},
		{name: "packed, mergeable", dpdk: "packed_vq=1,mrg_rxbuf=1,in_order=0", ours: "packed=1,in_order=0"},
		{name: "packed", dpdk: packed, ours: ourPacked},
		{name: "packed, in-order", dpdk: inOrder, ours: "packed=1,mrg_rxbuf=0"},
		{name: "packed, in-order; DPDK vectorized", dpdk: inOrder + ",vectorized=1", ours: "packed=1,mrg_rxbuf=0",
			vectorized: true},
		{name: "packed, in-order batches; DPDK vectorized", dpdk: inOrder + ",vectorized=1",
			ours: "packed=1,mrg_rxbuf=0", vectorized: true, batches: true},
		{name: "split, offloads", dpdk: split, ours: ourSplit + offloads, offloads: true},
		{name: "packed, offloads", dpdk: packed, ours: ourPacked + offloads, offloads: true},
	}
}

// Kinds of work, as the programs print them.
const (
	workRX      = "RX"
	workTX      = "TX"
	workForward = "forward"
	workGet     = "get"
	workBuffers = "get and free"
	workPoll    = "empty poll"
	workTSO     = "TSO" // its units are segments
)

// works returns what is shown of frames of so many bytes: what does not depend on
// frames is shown with the first.
func (r row) works(first bool) []string {
	switch {
	case r.offloads && first:
		return []string{workRX, workTX, workForward, workTSO}
	case first:
		return []string{workRX, workTX, workForward, workGet, workBuffers, workPoll}
	}
	return []string{workRX, workTX, workForward}
}

// bars are the ratios that the project asks of itself at bursts of 32 and more.
var (
	plainBars      = map[string]float64{workRX: 2.5, workTX: 2.9, workForward: 2.4}
	vectorizedBars = map[string]float64{workRX: 1.8, workTX: 2.2, workForward: 2.1}
	batchBars      = map[string]float64{workRX: 1.8, workTX: 2.0, workForward: 1.9}
)

// bar returns the ratio that a row is to reach, 0 for none. vectorized is whether DPDK
// did use a vectorized path.
func (r row) bar(work string, size int, vectorized bool) float64 {
	if r.offloads {
		return 0
	}
	switch work {
	case workPoll:
		if vectorized || size < 32 {
			return 0
		}
		return 1
	case workGet, workBuffers:
		if size == 1 {
			return 1
		}
		return 1.1
	}
	switch {
	case size == 1 && vectorized:
		return 1
	case size == 1:
		return 1.1
	case size < 32 && vectorized:
		return 1.2
	case size < 32:
		return 1.8
	case r.batches && vectorized:
		return batchBars[work]
	case vectorized:
		return vectorizedBars[work]
	}
	return plainBars[work]
}
