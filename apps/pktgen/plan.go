package main

import (
	"errors"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
)

// plan is what a command line asks for, before anything is opened.
type plan struct {
	options  command.Options
	specs    []devargs.Spec
	rate     pace.Rate
	lineRate float64
	traffic  template
	longest  int            // bytes of the longest frame
	sizes    []traffic.Size // measured one after the other; one of the template if there is none
	oneWay   bool
	verify   bool
	selfTest bool
	label    string // what is between the ports
	dut      string // what is tested
	criteria criteria
	search   searchPlan
	reports  []string
	dry      dryRun
	cables   *devargs.Cables // set by tests, which have the other ends
}

// criteria are what a measurement must not exceed.
type criteria struct {
	maxLoss float64       // share of the packets; NaN for none
	maxP99  time.Duration // 0 for none
}

// newPlan checks what command.New did not.
func newPlan(c *cli.Context, o command.Options) (*plan, error) {
	p := &plan{options: o, oneWay: c.Bool("one-way"), verify: c.Bool("verify"), selfTest: c.Bool("self-test"),
		label: c.String("topology"), dut: c.String("dut"), reports: c.StringSlice("report")}
	for _, read := range []func(*cli.Context) error{
		p.readRates, p.readTraffic, p.readCriteria, p.readSearch, p.checkReports, p.readDryRun, p.readPorts,
	} {
		if err := read(c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *plan) readPorts(c *cli.Context) error {
	if c.NArg() == 0 && p.dry.wanted {
		return nil
	}
	if err := command.CheckPorts(c.NArg()); err != nil {
		return err
	}
	var err error
	if p.specs, err = portset.Parse(c.Args().Slice()); err != nil || p.traffic.scenario == nil {
		return err
	}
	if err := p.traffic.scenario.CheckPorts(len(p.specs)); err != nil {
		return &command.UsageError{Err: err}
	}
	return nil
}

func (p *plan) readDryRun(c *cli.Context) error {
	p.dry = dryRun{wanted: c.Bool("dry-run"), file: c.String("write"), packets: c.Int("packets")}
	switch ext := filepath.Ext(p.dry.file); {
	case !p.dry.wanted:
		return unused(c, []string{"write", "packets"}, "there is no --dry-run", "add it")
	case len(p.reports) > 0:
		return unused(c, []string{"report"}, "nothing is measured in a --dry-run", "leave out one of them")
	case p.dry.file != "" && ext != ".pcap" && ext != ".pcapng":
		return &command.UsageError{Option: "write", Value: p.dry.file, Reason: "the ending says no form of capture",
			Remedy: "let it end in .pcap or .pcapng"}
	case p.dry.packets < 1:
		return &command.UsageError{Option: "packets", Value: strconv.Itoa(p.dry.packets), Reason: "not above 0", Remedy: "4 is the default"}
	}
	return nil
}

func (p *plan) readRates(c *cli.Context) error {
	var err error
	if text := c.String("line-rate"); text != "" {
		if p.lineRate, err = pace.ParseLineRate(text); err != nil {
			return wrong("line-rate", text, err)
		}
	}
	if p.rate, err = pace.ParseRate(c.String("rate")); err != nil {
		return wrong("rate", c.String("rate"), err)
	}
	return nil
}

func (p *plan) readCriteria(c *cli.Context) error {
	p.criteria.maxLoss = math.NaN()
	if text := c.String("max-loss"); text != "" {
		v, err := parseShare(text)
		if err != nil {
			return &command.UsageError{Option: "max-loss", Value: text, Reason: "not a share from 0 to 1",
				Remedy: "write it like 0, 0.001 or 0.1%"}
		}
		p.criteria.maxLoss = v
	}
	if text := c.String("max-p99"); text != "" {
		d, err := time.ParseDuration(strings.ToLower(text))
		if err != nil || d <= 0 {
			return &command.UsageError{Option: "max-p99", Value: text, Reason: "not a time above 0",
				Remedy: "write it like 50us or 1ms"}
		}
		p.criteria.maxP99 = d
		if !p.hasLatency() {
			return &command.UsageError{Option: "max-p99", Value: text, Reason: "no stream has its latency measured",
				Remedy: "give --latency a rate, or a stream of the scenario latency: true"}
		}
	}
	return nil
}

// parseShare reads "0.001" and "0.1%".
func parseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, strconv.ErrSyntax
	}
	return v, nil
}

// wrong makes an error of a package one of the command line.
func wrong(option, value string, err error) error {
	e := &command.UsageError{Option: option, Value: value, Reason: err.Error(), Remedy: "see --help", Err: err}
	var rate *pace.Error
	var packet *traffic.Error
	switch {
	case errors.Is(err, pace.ErrNoLineRate) && errors.As(err, &rate):
		e.Reason, e.Remedy = rate.Reason, "give --line-rate what the link carries, like 10Gbps"
	case errors.As(err, &rate):
		e.Reason, e.Remedy = rate.Reason, rate.Remedy
	case errors.As(err, &packet):
		e.Reason, e.Remedy = packet.Reason, packet.Remedy
	default:
		if at := strings.LastIndex(e.Reason, "; "); at > 0 {
			e.Reason, e.Remedy = e.Reason[:at], e.Reason[at+2:]
		}
	}
	return e
}
