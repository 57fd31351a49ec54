package main

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// template is the traffic that options or a scenario describe, from which the streams of
// each port are made.
type template struct {
	scenario *traffic.Scenario // nil if options describe it
	file     string            // of the scenario

	layers         traffic.Layers
	size           traffic.Size
	payload        traffic.Payload
	pattern        traffic.Pattern
	flows          int
	l4             string
	srcMAC, dstMAC traffic.MAC
	ownSrc, ownDst bool // they were given
	latency        float64
	latencyText    string
}

// Up to portFlows flows differ in their source ports, more in their source addresses.
const (
	portFlows = 1<<16 - 1024
	maxFlows  = 1<<24 - 2
)

// trafficOptions are those that a scenario is in place of.
var trafficOptions = []string{"pattern", "size", "sizes", "flows", "ipv6", "l4", "vlan", "dst-mac", "src-mac",
	"src-ip", "dst-ip", "src-port", "dst-port", "payload", "latency", "one-way"}

func (p *plan) readTraffic(c *cli.Context) error {
	if file := c.String("scenario"); file != "" {
		if err := unused(c, trafficOptions, "--scenario says what is sent", "leave out one of them"); err != nil {
			return err
		}
		var err error
		p.traffic.file = file
		if p.traffic.scenario, err = traffic.Load(file); err != nil {
			return &command.UsageError{Err: err}
		}
		if err := p.checkScenario(); err != nil {
			return &command.UsageError{Err: err}
		}
		return nil
	}
	for _, read := range []func(*cli.Context) error{
		p.traffic.readLayers, p.traffic.readSize, p.traffic.readPattern, p.traffic.readLatency, p.readSizes,
	} {
		if err := read(c); err != nil {
			return err
		}
	}
	return p.check()
}

// allSizes are the sizes that are measured.
func (p *plan) allSizes() []traffic.Size {
	if len(p.sizes) > 0 {
		return p.sizes
	}
	return []traffic.Size{p.traffic.size}
}

// rfc2544Sizes are the frame sizes of RFC 2544 for Ethernet, without FCS.
const rfc2544Sizes = "60,124,252,508,1020,1276,1514"

func (p *plan) readSizes(c *cli.Context) error {
	list := c.String("sizes")
	if list == "" {
		return nil
	}
	if c.IsSet("size") {
		return &command.UsageError{Option: "sizes", Value: list, Reason: "--size says the size", Remedy: "leave out one of them"}
	}
	if strings.EqualFold(list, "rfc2544") {
		list = rfc2544Sizes
	}
	for text := range strings.SplitSeq(list, ",") {
		size, err := traffic.ParseSize(strings.TrimSpace(text))
		if err != nil {
			return wrong("sizes", c.String("sizes"), err)
		}
		p.sizes = append(p.sizes, size)
	}
	return nil
}

func (t *template) readSize(c *cli.Context) error {
	var err error
	if t.size, err = traffic.ParseSize(c.String("size")); err != nil {
		return wrong("size", c.String("size"), err)
	}
	if err := t.payload.UnmarshalText([]byte(c.String("payload"))); err != nil {
		return wrong("payload", c.String("payload"), err)
	}
	if t.payload.Kind == traffic.PayloadKeep {
		last := len(t.layers) - 1
		udp, ok := t.layers[last].(traffic.UDP)
		if !ok || c.Bool("ipv6") {
			return &command.UsageError{Option: "payload", Value: c.String("payload"), Reason: "a checksum covers it, and it is not known",
				Remedy: "use UDP over IPv4, which is sent without one then, or zeros"}
		}
		udp.Checksum = traffic.ChecksumNone
		t.layers[last] = udp
	}
	t.flows = c.Int("flows")
	if t.flows < 1 || t.flows > maxFlows {
		return &command.UsageError{Option: "flows", Value: strconv.Itoa(t.flows), Reason: fmt.Sprintf("not between 1 and %d", maxFlows),
			Remedy: "a scenario has streams with more"}
	}
	if t.flows > 1 && t.l4 == "icmp" {
		return &command.UsageError{Option: "flows", Value: strconv.Itoa(t.flows), Reason: "ICMP has no ports to tell flows by",
			Remedy: "use --l4 udp or tcp, or a scenario"}
	}
	return nil
}

// readLayers reads the options of the headers.
func (t *template) readLayers(c *cli.Context) error {
	ethernet := traffic.Default[traffic.Ethernet]()
	var err error
	if t.srcMAC, t.ownSrc, err = readMAC(c, "src-mac"); err != nil {
		return err
	}
	if t.dstMAC, t.ownDst, err = readMAC(c, "dst-mac"); err != nil {
		return err
	}
	t.layers = traffic.Layers{ethernet}
	if text := c.String("vlan"); text != "" {
		for id := range strings.SplitSeq(text, ",") {
			v, err := strconv.ParseUint(strings.TrimSpace(id), 10, 16)
			if err != nil || v > 4095 || len(t.layers) > 2 {
				return &command.UsageError{Option: "vlan", Value: text, Reason: "not one or two numbers from 0 to 4095",
					Remedy: "write it like 100 or 100,200"}
			}
			t.layers = append(t.layers, traffic.VLAN{ID: uint16(v)})
		}
	}
	ip, err := readIP(c)
	if err != nil {
		return err
	}
	l4, err := t.readL4(c)
	t.layers = append(t.layers, ip, l4)
	return err
}

func readMAC(c *cli.Context, option string) (mac traffic.MAC, given bool, err error) {
	text := c.String(option)
	if text == "" {
		return mac, false, nil
	}
	if err := mac.UnmarshalText([]byte(text)); err != nil {
		return mac, false, &command.UsageError{Option: option, Value: text, Reason: "not an Ethernet address",
			Remedy: "write it like 02:00:00:00:00:01"}
	}
	return mac, true, nil
}

func readIP(c *cli.Context) (traffic.Layer, error) {
	v4, v6 := traffic.Default[traffic.IPv4](), traffic.Default[traffic.IPv6]()
	src, dst := &v4.Src, &v4.Dst
	if c.Bool("ipv6") {
		src, dst = &v6.Src, &v6.Dst
	}
	for option, to := range map[string]*netip.Addr{"src-ip": src, "dst-ip": dst} {
		text := c.String(option)
		if text == "" {
			continue
		}
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Is4() == c.Bool("ipv6") || addr.Zone() != "" {
			return nil, &command.UsageError{Option: option, Value: text, Reason: "not an address of the protocol that is sent",
				Remedy: "give an IPv4 address, or an IPv6 address with --ipv6"}
		}
		*to = addr
	}
	if c.Bool("ipv6") {
		return v6, nil
	}
	return v4, nil
}

func (t *template) readL4(c *cli.Context) (traffic.Layer, error) {
	for _, option := range []string{"src-port", "dst-port"} {
		if v := c.Int(option); v < 0 || v > math.MaxUint16 {
			return nil, &command.UsageError{Option: option, Value: strconv.Itoa(v), Reason: "not between 0 and 65535",
				Remedy: "9 is the discard service"}
		}
	}
	src, dst := uint16(c.Int("src-port")), uint16(c.Int("dst-port"))
	word, ok := command.Word(c.String("l4"), "udp", "tcp", "icmp")
	if !ok {
		return nil, &command.UsageError{Option: "l4", Value: c.String("l4"), Reason: "no such protocol", Remedy: "use udp, tcp or icmp"}
	}
	t.l4 = word
	switch {
	case word == "udp":
		u := traffic.Default[traffic.UDP]()
		u.Src, u.Dst = src, dst
		return u, nil
	case word == "tcp":
		tcp := traffic.Default[traffic.TCP]()
		tcp.Src, tcp.Dst = src, dst
		return tcp, nil
	}
	if err := unused(c, []string{"src-port", "dst-port"}, "ICMP has no ports", "use --l4 udp or tcp"); err != nil {
		return nil, err
	}
	if c.Bool("ipv6") {
		return traffic.Default[traffic.ICMPv6](), nil
	}
	return traffic.Default[traffic.ICMP](), nil
}

// readPattern reads continuous, poisson, burst:N and multi-burst:N:COUNT:GAP.
func (t *template) readPattern(c *cli.Context) error {
	text := c.String("pattern")
	words := strings.Split(strings.ToLower(text), ":")
	bad := func(reason string) error {
		return &command.UsageError{Option: "pattern", Value: text, Reason: reason,
			Remedy: "use continuous, poisson, burst:PACKETS or multi-burst:PACKETS:COUNT:GAP"}
	}
	t.pattern = traffic.Pattern{Kind: words[0]}
	want := map[string]int{"continuous": 1, "poisson": 1, "burst": 2, "multi-burst": 4}[words[0]]
	if want == 0 {
		return bad("no such pattern")
	}
	if len(words) != want {
		return bad(fmt.Sprintf("%s has %d values behind it", words[0], want-1))
	}
	for i, to := range []*uint64{&t.pattern.Packets, &t.pattern.Count} {
		if i+1 >= len(words) {
			break
		}
		v, err := strconv.ParseUint(words[i+1], 10, 32)
		if err != nil || v < 1 {
			return bad(fmt.Sprintf("%q is no number above 0", words[i+1]))
		}
		*to = v
	}
	if want == 4 {
		t.pattern.Gap = words[3]
		if d, err := time.ParseDuration(words[3]); err != nil || d < 0 {
			return bad(fmt.Sprintf("%q is no time", words[3]))
		}
	}
	return nil
}

func (t *template) readLatency(c *cli.Context) error {
	text := c.String("latency")
	if text == "0" {
		return nil
	}
	rate, err := pace.ParseRate(text)
	if err != nil {
		return wrong("latency", text, err)
	}
	if rate.Unit != pace.PPS {
		return &command.UsageError{Option: "latency", Value: text, Reason: "not a rate in packets", Remedy: "1kpps is what most use"}
	}
	t.latency, t.latencyText = rate.Value, text
	return nil
}
