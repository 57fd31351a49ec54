package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/dpdk"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// newPlan checks what command.New did not. line is that of DPDK if the command line is one.
func newPlan(c *cli.Context, o command.Options, line *dpdk.Line) (*plan, error) {
	p := &plan{
		options: o, cycles: c.Bool("record-core-cycles"), burstStats: c.Bool("record-burst-stats"),
		interactive: c.Bool("interactive"), autoStart: c.Bool("auto-start"), cmdlineFile: c.String("cmdline-file"),
		flush: !c.Bool("no-flush-rx"), retries: defaultRetries, retryDelay: time.Microsecond, dpdk: line != nil,
	}
	if line != nil {
		p.remarks, p.lcores = line.Remarks(), line.Lcores()
	}
	for _, read := range []func(*cli.Context) error{
		p.readRefused, p.readMode, p.readMade, p.readNoisy, p.readOffloads, p.readIdle, p.readQueues, p.readMemory, p.readPorts, p.readTopology, p.readCores,
	} {
		if err := read(c); err != nil {
			return nil, err
		}
	}
	return p, p.checkForm(c)
}

// drives reports whether there is a tester, as with commands and for a command line of DPDK.
func (p *plan) drives() bool { return p.interactive || p.dpdk && !p.options.JSON }

// checkForm refuses options that the live screens and the JSON object have no place for.
func (p *plan) checkForm(c *cli.Context) error {
	if p.drives() {
		return nil
	}
	for _, name := range []string{"auto-start", "cmdline-file", "record-burst-stats", "display-xstats", "disable-device-start",
		"no-flush-rx", "enable-hw-vlan-strip", "enable-hw-vlan-filter"} {
		if c.IsSet(name) {
			return &command.UsageError{Option: name, Value: strings.TrimPrefix(c.String(name), "true"), Reason: "it has no effect on screens and the JSON object",
				Remedy: "give -i as well, or a command line of DPDK"}
		}
	}
	return nil
}

// defaultRetries is how often testpmd tries to send again, if it is asked to.
const defaultRetries = 64

// readRefused refuses the options that the table says cannot be done, and remarks on those that
// have no effect.
func (p *plan) readRefused(c *cli.Context) error {
	var ignored []string
	for _, o := range options {
		switch {
		case !c.IsSet(o.name):
		case o.refused != "":
			reason, remedy, _ := strings.Cut(o.refused, "; ")
			return &command.UsageError{Option: o.name, Value: strings.TrimPrefix(c.String(o.name), "true"), Reason: reason, Remedy: remedy}
		case o.ignored != "":
			ignored = append(ignored, "--"+o.name)
		}
	}
	const note = "accepted, and without a meaning here: "
	switch i := slices.IndexFunc(p.remarks, func(r string) bool { return strings.HasPrefix(r, note) }); {
	case len(ignored) == 0:
	case i >= 0:
		p.remarks[i] += " " + strings.Join(ignored, " ")
	default:
		p.remarks = append(p.remarks, note+strings.Join(ignored, " "))
	}
	return nil
}

// number reads the value of an option, fallback if it was not given.
func number(c *cli.Context, name string, fallback, least, most int, remedy string) (int, error) {
	text := c.String(name)
	if !c.IsSet(name) {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 0, 64)
	switch {
	case err != nil:
		return 0, &command.UsageError{Option: name, Value: strconv.Quote(text), Reason: "not a number", Remedy: remedy}
	case n < int64(least) || n > int64(most):
		return 0, &command.UsageError{Option: name, Value: text, Reason: fmt.Sprintf("not between %d and %d", least, most), Remedy: remedy}
	}
	return int(n), nil
}

func (p *plan) readMode(c *cli.Context) error {
	mode := "io"
	if p.modeGiven = c.IsSet("forward-mode"); p.modeGiven {
		mode = c.String("forward-mode")
	}
	var err error
	if p.mode, err = modeOf(mode); err != nil {
		return err
	}
	lengths := "64"
	if c.IsSet("txpkts") {
		lengths = c.String("txpkts")
	}
	if p.segments, err = parseSegments(lengths); err != nil {
		return err
	}
	if p.mode.name == "flowgen" {
		if err := checkFlowGen(p.segments); err != nil {
			return err
		}
	}
	p.txFirst, err = number(c, "tx-first", 0, 0, maxTxFirst, "a burst or two keep a loop going")
	return err
}

func (p *plan) readQueues(c *cli.Context) error {
	var err error
	for name, n := range map[string]*int{"rxq": &p.rxq, "txq": &p.txq} {
		if *n, err = number(c, name, 0, 1, virtio.MaxQueuePairs, "use between 1 and what the device has"); err != nil {
			return err
		}
	}
	for name, n := range map[string]*int{"rxd": &p.rxd, "txd": &p.txd} {
		if *n, err = number(c, name, 0, 1, virtio.MaxQueueSize, "use 256 or 1024, or leave it out"); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) readMemory(c *cli.Context) error {
	n, err := number(c, "total-num-mbufs", 0, 1024, 1<<24, "leave it out for as many as the ports need")
	if err != nil {
		return err
	}
	if n > 0 {
		p.options.PoolSize = n
	}
	if p.bufferSize, err = number(c, "mbuf-size", 0, headroom+64, 1<<16-1, "2176 is what most use"); err != nil {
		return err
	}
	p.maxFrame, err = number(c, "max-pkt-len", 0, 64, 65535+portset.Headers, "1518 is that of Ethernet, 9018 that of jumbo frames")
	return err
}

// readPorts reads the ports, and gives them what options say of all of them.
func (p *plan) readPorts(c *cli.Context) error {
	if !p.interactive || c.NArg() > 0 {
		if err := command.CheckPorts(c.NArg()); err != nil {
			return err
		}
	}
	specs, err := portset.Parse(c.Args().Slice())
	if err != nil {
		return err
	}
	for i := range specs {
		if err := p.limit(&specs[i]); err != nil {
			return err
		}
	}
	p.specs = specs
	return nil
}

// limit gives a port what options say of all of them: a number of queues, which its own key may
// be larger than, and sizes of rings and frames, where it has none of its own or a larger one.
func (p *plan) limit(s *devargs.Spec) error {
	if want := max(p.rxq, p.txq); want > 0 {
		if s.Queues > 0 && want > s.Queues {
			return fmt.Errorf("Fail: input rxq (%d) can't be greater than max_rx_queues (%d) of port %s", want, s.Queues, s.Device()) //nolint:staticcheck // the words of testpmd
		}
		s.Queues = want
	}
	for _, ring := range []struct {
		size  *int
		limit int
	}{{&s.RxQueueSize, p.rxd}, {&s.TxQueueSize, p.txd}} {
		if ring.limit > 0 && (*ring.size == 0 || ring.limit < *ring.size) {
			*ring.size = ring.limit
		}
	}
	if p.maxFrame > 0 && s.MTU == 0 {
		s.MTU = max(p.maxFrame-portset.Headers, virtio.MinMTU)
	}
	text, full := s.Text, s.String()
	for _, key := range p.keys {
		if name, _, _ := strings.Cut(key, "="); !strings.Contains(full, ","+name+"=") {
			full += "," + key
		}
	}
	again, err := devargs.Parse(full) // what goes together is checked there
	if err != nil {
		return err
	}
	*s = again
	s.Text = text
	return nil
}

func (p *plan) readTopology(c *cli.Context) error {
	p.topology = paired
	if c.IsSet("port-topology") {
		word, ok := command.Word(c.String("port-topology"), paired, chained, loop)
		if !ok {
			return &command.UsageError{Option: "port-topology", Value: c.String("port-topology"), Reason: "no such topology",
				Remedy: "use paired, chained or loop"}
		}
		p.topology = word
	}
	bad := func(name, remedy string) error {
		return &command.UsageError{Option: name, Value: c.String(name), Reason: "not the numbers of ports", Remedy: remedy}
	}
	var err error
	if c.IsSet("portlist") {
		if p.chosen, err = parseList(c.String("portlist")); err != nil {
			return bad("portlist", "write it like 0,2")
		}
	}
	if c.IsSet("portmask") {
		if p.chosen, err = dpdk.Mask(c.String("portmask")); err != nil {
			return bad("portmask", "write it like 0x3, for the ports 0 and 1")
		}
	}
	n, err := number(c, "nb-ports", 0, 1, max(len(p.specs), 1), "there are as many as the command line has")
	if err != nil {
		return err
	}
	for i := range n {
		p.chosen = append(p.chosen[:min(i, len(p.chosen))], i)
	}
	for _, i := range p.chosen {
		if i >= len(p.specs) && !p.interactive {
			return &command.UsageError{Reason: fmt.Sprintf("port %d is to take part, and there are ports 0 to %d", i, len(p.specs)-1)}
		}
	}
	return p.readPeers(c)
}

func (p *plan) readPeers(c *cli.Context) error {
	p.peers = map[int]net.HardwareAddr{}
	if c.IsSet("eth-peer") {
		number, text, _ := strings.Cut(c.String("eth-peer"), ",")
		i, err := strconv.ParseUint(number, 10, 8)
		mac, macErr := net.ParseMAC(text)
		if err != nil || macErr != nil || len(mac) != 6 {
			return &command.UsageError{Option: "eth-peer", Value: c.String("eth-peer"), Reason: "not a port and an Ethernet address",
				Remedy: "write it like 0,02:00:00:00:00:01"}
		}
		p.peers[int(i)] = mac
	}
	if !c.IsSet("eth-peers-configfile") {
		return nil
	}
	path := c.String("eth-peers-configfile")
	text, err := os.ReadFile(path)
	if err != nil {
		return &command.UsageError{Option: "eth-peers-configfile", Value: path, Reason: unwrapPath(err).Error(), Remedy: "name a file with an address a line"}
	}
	i := 0
	for line := range linesOf(string(text)) {
		mac, err := net.ParseMAC(strings.TrimSpace(line))
		if err != nil || len(mac) != 6 {
			return &command.UsageError{Option: "eth-peers-configfile", Value: fmt.Sprintf("%s:%d", path, i+1),
				Reason: strconv.Quote(line) + " is not an Ethernet address", Remedy: "write it like 02:00:00:00:00:01"}
		}
		p.peers[i] = mac
		i++
	}
	return nil
}

func (p *plan) readCores(c *cli.Context) error {
	var err error
	if c.IsSet("coremask") {
		mask, err := dpdk.Mask(c.String("coremask"))
		if err != nil {
			return &command.UsageError{Option: "coremask", Value: c.String("coremask"), Reason: "not a hexadecimal mask of cores", Remedy: "write it like 0x2"}
		}
		if len(p.options.CPUs) == 0 {
			p.options.CPUs = mask
		}
		if err := p.useCores(mask); err != nil {
			return &command.UsageError{Option: "coremask", Value: c.String("coremask"), Reason: err.Error(),
				Remedy: "-l gives the cores, of which the first does not poll"}
		}
		p.options.CPUs, p.lcores = p.options.CPUs[:p.cores], p.lcores[:p.cores]
	}
	most := max(len(p.options.CPUs), 1)
	p.cores, err = number(c, "nb-cores", p.cores, 1, most, "-l gives the cores, of which the first does not poll")
	return err
}
