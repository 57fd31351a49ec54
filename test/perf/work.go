package main

// work is what the driver does in a race.
type work string

const (
	receive  work = "RX"
	transmit work = "TX"
	forward  work = "forward"
)

// works lists them in the order of the tables.
func works() []work { return []work{receive, transmit, forward} }

// mode is the forward mode of testpmd, which both drivers have.
func (w work) mode() string {
	switch w {
	case receive:
		return "rxonly"
	case transmit:
		return "txonly"
	}
	return "io"
}

// path is a choice of ring format and features, as options of both drivers.
type path struct {
	Name string `json:"name"`
	// DPDK is what virtio-user's --vdev gets, Ours the keys of our port. "-"
	// says that a driver is not to run it.
	DPDK string `json:"dpdk"`
	Ours string `json:"ours"`
	// Wide lets DPDK use vectors of 512 bits, which it does not by itself.
	Wide bool `json:"wide,omitempty"`
}

// paths are the rows of the race at 64 bytes. The first is what users get who
// give no options, as far as DPDK goes: its virtio-user takes IN_ORDER by itself.
func paths() []path {
	return []path{
		{Name: "split, mergeable", DPDK: "", Ours: "packed=0"},
		{Name: "split", DPDK: "mrg_rxbuf=0", Ours: "packed=0,mrg_rxbuf=0"},
		{Name: "packed, mergeable", DPDK: "packed_vq=1,in_order=0", Ours: "packed=1,in_order=0"},
		{Name: "packed", DPDK: "packed_vq=1,in_order=0,mrg_rxbuf=0",
			Ours: "packed=1,in_order=0,mrg_rxbuf=0"},
		{Name: "packed, in-order", DPDK: "packed_vq=1,in_order=1,mrg_rxbuf=0",
			Ours: "packed=1,in_order=1,mrg_rxbuf=0"},
	}
}

// candidates are the paths that may be a driver's best: those of the rows, and
// what else it has.
func candidates() []path {
	return append(paths(),
		path{Name: "split, mergeable, not in-order", DPDK: "in_order=0",
			Ours: "packed=0,in_order=0"},
		path{Name: "split, vectorized", DPDK: "in_order=0,mrg_rxbuf=0,vectorized=1", Ours: "-"},
		path{Name: "packed, in-order, mergeable", DPDK: "packed_vq=1,in_order=1",
			Ours: "packed=1,in_order=1"},
		path{Name: "packed, in-order, vectorized",
			DPDK: "packed_vq=1,in_order=1,mrg_rxbuf=0,vectorized=1", Ours: "-", Wide: true},
	)
}

// bar is the least ratio that the project asks of itself, 0 for none.
func bar(heat int, w work, r row) float64 {
	second := heat == 2
	pick := func(first, other float64) float64 {
		if second {
			return other
		}
		return first
	}
	switch {
	case r.Qualified && r.Size == 1518:
		return 1
	case r.Qualified && r.Size == 64:
		switch w {
		case receive:
			return pick(1.05, 1.50)
		case transmit:
			return pick(1.30, 2.00)
		}
		return pick(1.05, 1.30)
	case r.Size == 64 && r.Ours.Name == paths()[0].Name:
		return pick(1.10, 1.50)
	}
	return 0
}
