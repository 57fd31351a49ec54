package generator

import "slices"

// deal makes senders and receivers and gives them to pollers.
//
// With one poller that one does everything. With more, some transmit and the others receive, so
// that a packet that arrives does not wait while others are made, and each has the
// buffers that it frees for itself. All receive queues of a port have one poller,
// so that half of them receive at most, and not more than there are ports; the
// transmit queues are dealt out among the others.
func (g *Generator) deal() error {
	ports := len(g.config.Ports)
	receive := max(1, min(ports, len(g.pollers)/2))
	transmit := max(1, len(g.pollers)-receive)
	uses := make([][]int, ports) // pollers, by port
	next := 0
	for i := range ports {
		at := len(g.pollers) - receive + i%receive
		if _, err := g.newReceiver(i, at); err != nil {
			return err
		}
		owners, err := g.dealStreams(i, next, transmit)
		if err != nil {
			return err
		}
		uses[i] = append(owners, at)
		next += len(owners)
	}
	g.dealDevices(uses)
	return nil
}

// dealStreams gives the transmit queues of a port to the first transmit pollers, one after
// the other from that of number first, and returns which they are.
func (g *Generator) dealStreams(port, first, transmit int) (owners []int, err error) {
	queues := map[int]*sender{}
	streams := g.config.Ports[port].Streams
	for i := range streams {
		config := &streams[i]
		s := queues[config.Queue]
		if s == nil {
			owner := (first + len(owners)) % transmit
			if s, err = g.newSender(port, config.Queue, g.config.Caches[owner]); err != nil {
				return nil, err
			}
			queues[config.Queue] = s
			g.pollers[owner].senders = append(g.pollers[owner].senders, s)
			owners = append(owners, owner)
		}
		st := &stream{config: config}
		s.streams = append(s.streams, st)
		g.streams[port] = append(g.streams[port], st)
	}
	return owners, nil
}

// dealDevices gives each emulated device to one of the pollers that use its port: the one
// that has the fewest, rather one that transmits.
func (g *Generator) dealDevices(uses [][]int) {
	for i, port := range g.config.Ports {
		if port.Device == nil {
			continue
		}
		owner := slices.MinFunc(uses[i], func(a, b int) int {
			return len(g.pollers[a].devices) - len(g.pollers[b].devices)
		})
		g.pollers[owner].devices = append(g.pollers[owner].devices, port.Device)
	}
}
