package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// readMade reads what the packets are like that are made.
func (p *plan) readMade(c *cli.Context) error {
	p.multiFlow = c.Bool("txonly-multi-flow")
	p.halted, p.strip = c.Bool("disable-device-start"), c.Bool("enable-hw-vlan-strip")
	p.filter = c.Bool("enable-hw-vlan-filter")
	if c.IsSet("display-xstats") {
		p.xstats = strings.Split(c.String("display-xstats"), ",")
	}
	var err error
	if p.flows, err = number(c, "flowgen-flows", 0, 1, 1<<16, "1024 is what testpmd makes"); err != nil {
		return err
	}
	if c.IsSet("tx-ip") {
		source, destination, _ := strings.Cut(c.String("tx-ip"), ",")
		for i, text := range []string{source, destination} {
			if p.txIP[i], err = netip.ParseAddr(text); err != nil || !p.txIP[i].Is4() {
				return &command.UsageError{Option: "tx-ip", Value: c.String("tx-ip"), Reason: "not two IPv4 addresses",
					Remedy: "write it like 198.18.0.1,198.18.0.2"}
			}
		}
	}
	if c.IsSet("tx-udp") {
		source, destination, both := strings.Cut(c.String("tx-udp"), ",")
		if !both {
			destination = source
		}
		for i, text := range []string{source, destination} {
			n, err := strconv.ParseUint(text, 10, 16)
			if err != nil || n == 0 {
				return &command.UsageError{Option: "tx-udp", Value: c.String("tx-udp"), Reason: "not a port of UDP, or two",
					Remedy: "write it like 9 or 1000,2000"}
			}
			p.txUDP[i] = uint16(n)
		}
	}
	return nil
}

func (p *plan) readNoisy(c *cli.Context) error {
	flush := 0
	for _, o := range []struct {
		name string
		n    *int
		most int
	}{
		{"noisy-tx-sw-buffer-size", &p.noisy.buffer, 1 << 16}, {"noisy-tx-sw-buffer-flushtime", &flush, 1 << 20},
		{"noisy-lkup-memory", &p.noisy.megabytes, 1 << 12}, {"noisy-lkup-num-writes", &p.noisy.writes, 1 << 16},
		{"noisy-lkup-num-reads", &p.noisy.reads, 1 << 16}, {"noisy-lkup-num-reads-writes", &p.noisy.readsThenWrites, 1 << 16},
	} {
		var err error
		if *o.n, err = number(c, o.name, 0, 0, o.most, "0 leaves it out"); err != nil {
			return err
		}
	}
	p.noisy.flush = time.Duration(flush) * time.Millisecond
	return nil
}

// offloadBits are the offloads of DPDK, by the numbers of their bits, and the keys of ports that
// they are here: "" for what there is without a key.
var offloadBits = map[string]map[int]string{
	"rx-offloads": {0: "", 2: "csum=rx", 3: "csum=rx", 4: "lro=1", vlanFilterBit: "", 13: "", 19: "hash=1"},
	"tx-offloads": {0: "", 2: "csum=tx", 3: "csum=tx", 5: "tso=1", 6: "uso=1", 15: "", 16: ""},
}

// The offloads of received packets that are not settled when a port is opened.
const vlanStripBit, vlanFilterBit = 0, 9

// readOffloads reads what the ports are to negotiate.
func (p *plan) readOffloads(c *cli.Context) error {
	keys := map[string]bool{"csum=rx": c.Bool("enable-rx-cksum"), "lro=1": c.Bool("enable-lro")}
	for name, known := range offloadBits {
		if !c.IsSet(name) {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(c.String(name)), "0x"), 16, 64)
		if err != nil {
			return &command.UsageError{Option: name, Value: c.String(name), Reason: "not a hexadecimal mask", Remedy: "0 leaves all off"}
		}
		for bit := range 64 {
			key, ok := known[bit]
			switch set := mask&(1<<bit) != 0; {
			case set && !ok:
				return &command.UsageError{Option: name, Value: c.String(name),
					Reason: fmt.Sprintf("a virtio device has no offload of bit %d", bit), Remedy: "the offloads are checksums, TSO, LRO and the hash"}
			case set:
				keys[key] = true
			}
			if received := name == "rx-offloads" && mask&(1<<bit) != 0; received && bit == vlanStripBit {
				p.strip = true
			} else if received && bit == vlanFilterBit {
				p.filter = true
			}
		}
	}
	if p.filter && c.IsSet("rx-offloads") && !p.drives() {
		return &command.UsageError{Option: "rx-offloads", Value: c.String("rx-offloads"), Reason: "a filter needs to know the VLANs",
			Remedy: "give the ports vlan=, or use -i and rx_vlan add"}
	}
	switch {
	case keys["csum=rx"] && keys["csum=tx"]:
		p.keys = append(p.keys, "csum=1")
	case keys["csum=rx"]:
		p.keys = append(p.keys, "csum=rx")
	case keys["csum=tx"]:
		p.keys = append(p.keys, "csum=tx")
	}
	for _, key := range []string{"lro=1", "tso=1", "uso=1", "hash=1"} {
		if keys[key] {
			p.keys = append(p.keys, key)
		}
	}
	types, key := virtio.HashTypes(0), ""
	switch {
	case c.Bool("rss-udp"):
		types, key = hashTypes["ip"]|hashTypes["udp"], "rss=ip+udp"
	case c.Bool("rss-ip"):
		types, key = hashTypes["ip"], "rss=ip"
	default:
		return nil
	}
	if p.drives() {
		p.hash = types // as far as the devices can do that
	} else {
		p.keys = append(p.keys, key)
	}
	return nil
}

// frame returns for how many bytes of a frame a packet buffer is to have room at least, 0 for the
// default.
func (p *plan) frame() int { return max(p.bufferSize-headroom, 0) }
