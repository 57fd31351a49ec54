package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/dpdk"
	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
)

// setCommands change what is done with packets when forwarding is started next.
func (t *tester) setCommands() []grammar.Command {
	return []grammar.Command{
		{Form: "set fwd MODE [retry]", Section: inConfig, Help: "Set packet forwarding mode. With retry, packets that find a transmit queue full are sent again.", Do: t.setForward},
		{Form: "set burst N", Section: inConfig, Help: "Set number of packets per burst.", Do: t.setBurst},
		{Form: "port config all burst N", Section: inPorts, Help: "Set number of packets per burst.", Do: func(m grammar.Match) error {
			return t.setBurst(grammar.Match{Words: []string{"set", "burst", m.Words[4]}})
		}},
		{Form: "set burst tx delay N retry N", Section: inConfig, Help: "Set the transmit delay time, in microseconds, and number of retries, effective when retry is enabled.", Do: t.setRetry},
		{Form: "set txpkts LENGTHS", Section: inConfig, Help: "Set the length of each segment of packets that txonly makes, or of the one of flowgen.", Do: t.setLengths},
		{Form: "set verbose N", Section: inConfig, Help: "Show packets: 1 those received, 2 those sent, 3 both, 0 none.", Do: t.setVerbose},
		{Form: "set record-core-cycles (on|off)", Section: inConfig, Help: "Set the option to enable measurement of CPU cycles.", Do: t.setSwitch(&t.plan.cycles)},
		{Form: "set record-burst-stats (on|off)", Section: inConfig, Help: "Set the option to enable display of RX and TX bursts.", Do: t.setSwitch(&t.plan.burstStats)},
		{Form: "set xstats-hide-zero (on|off)", Section: inConfig, Help: "Set the option to hide the zero values of extended statistics.", Do: t.setSwitch(&t.hideZero)},
		{Form: "set flush_rx (on|off)", Section: inConfig, Help: "Flush (default) or don't flush receive queues before forwarding.", Do: t.setSwitch(&t.plan.flush)},
		{Form: "set nbport N", Section: inConfig, Help: "Set number of ports.", Do: t.setPortCount},
		{Form: "set nbcore N", Section: inConfig, Help: "Set number of cores.", Do: t.setCoreCount},
		{Form: "set portlist LIST", Section: inConfig, Help: "Set the list of forwarding ports.", Do: func(m grammar.Match) error {
			list, err := parseList(m.Words[2])
			if err != nil {
				return err
			}
			return t.choose(list)
		}},
		{Form: "set portmask MASK", Section: inConfig, Help: "Set the forwarding ports hexadecimal mask.", Do: func(m grammar.Match) error {
			list, err := dpdk.Mask(m.Words[2])
			if err != nil {
				return err
			}
			return t.choose(list)
		}},
		{Form: "set corelist LIST", Section: inConfig, Help: "Set the list of forwarding cores.", Do: func(m grammar.Match) error {
			list, err := parseList(m.Words[2])
			if err != nil {
				return err
			}
			return t.setCores(list)
		}},
		{Form: "set coremask MASK", Section: inConfig, Help: "Set the forwarding cores hexadecimal mask.", Do: func(m grammar.Match) error {
			list, err := dpdk.Mask(m.Words[2])
			if err != nil {
				return err
			}
			return t.setCores(list)
		}},
		{Form: "set eth-peer PORT MAC", Section: inConfig, Help: "Set the peer address for certain port.", Do: t.setPeer},
		{Form: "set default", Section: inConfig, Help: "Reset forwarding to the default configuration.", Do: t.setDefault},
	}
}

func (t *tester) setForward(m grammar.Match) error {
	mode, err := modeOf(m.Words[2])
	if err != nil {
		return err
	}
	t.plan.mode, t.plan.retry = mode, m.Has(3, "retry")
	fmt.Fprintf(t.screen, "Set %s packet forwarding mode%s\n", mode.name, withRetry(t.plan))
	return nil
}

func (t *tester) setBurst(m grammar.Match) error {
	n := m.Int(2)
	switch {
	case n == 0: // what the driver likes best
		n = preferredBurst
	case n > command.MaxBurst:
		return fmt.Errorf("nb pkt per burst: %d > %d (maximum packet per burst)  ignored", n, command.MaxBurst)
	}
	t.plan.options.Burst = n
	fmt.Fprintf(t.screen, "Number of packets per burst set to %d\n", n)
	return nil
}

// preferredBurst is what a burst of 0 packets stands for.
const preferredBurst = 32

func (t *tester) setRetry(m grammar.Match) error {
	delay, retries := m.Int(4), m.Int(6)
	if delay > 1e6 || retries > 1e6 {
		return errors.New("set burst tx: delay and retry are at most 1000000: a burst must not take longer than a command")
	}
	t.plan.retryDelay, t.plan.retries = time.Duration(delay)*time.Microsecond, retries
	return nil
}

func (t *tester) setLengths(m grammar.Match) error {
	segments, err := parseSegments(m.Words[2])
	if err != nil {
		return fmt.Errorf("set txpkts: %w", usageText(err))
	}
	t.plan.segments = segments
	return nil
}

// usageText returns an error of the command line without the name of the option.
func usageText(err error) error {
	var usage *command.UsageError
	if errors.As(err, &usage) {
		return fmt.Errorf("%s: %s; %s", usage.Value, usage.Reason, usage.Remedy)
	}
	return err
}

func (t *tester) setVerbose(m grammar.Match) error {
	n := m.Int(2)
	fmt.Fprintf(t.screen, "Change verbose level from %d to %d\n", t.plan.verbose, n)
	t.plan.verbose = n
	if t.busy {
		t.run.engine.plan.verbose = n
		t.rewatch()
	}
	return nil
}

func (t *tester) setSwitch(on *bool) func(grammar.Match) error {
	return func(m grammar.Match) error {
		*on = m.Words[2] == "on"
		return nil
	}
}

const errForwarding = textError("Please stop forwarding first")

// choose sets the ports that take part.
func (t *tester) choose(list []int) error {
	if t.busy {
		return errForwarding
	}
	for _, i := range list {
		if i >= len(t.ports) || t.ports[i] == nil {
			return fmt.Errorf("Invalid port %d\n%s", i, t.validPorts()) //nolint:staticcheck // the words of testpmd
		}
	}
	former := len(t.plan.forwarding(t.set.Ports))
	t.plan.chosen = list
	if former != len(list) {
		fmt.Fprintf(t.screen, "previous number of forwarding ports %d - changed to number of configured ports %d\n", former, len(list))
	}
	t.warnOdd()
	return nil
}

// warnOdd says, as testpmd does, that the last port has no other to be paired with.
func (t *tester) warnOdd() {
	if n := len(t.plan.forwarding(t.set.Ports)); t.plan.paired() && n%2 == 1 {
		fmt.Fprint(t.errors, "\nWarning! port-topology=paired and odd forward ports number, the last port will pair with itself.\n\n")
	}
}

func (t *tester) setPortCount(m grammar.Match) error {
	if t.busy {
		return errForwarding
	}
	n, all := m.Int(2), len(t.portNumbers())
	switch {
	case n < 1:
		return fmt.Errorf("nb fwd ports %d < 1 - ignored", n)
	case n > all:
		return fmt.Errorf("nb fwd ports %d > %d (number of configured ports) - ignored", n, all)
	}
	var list []int
	for i, p := range t.ports {
		if p != nil && len(list) < n {
			list = append(list, i)
		}
	}
	t.plan.chosen = list
	fmt.Fprintf(t.screen, "Number of forwarding ports set to %d\n", n)
	t.warnOdd()
	return nil
}

func (t *tester) setCoreCount(m grammar.Match) error {
	if t.busy {
		return errForwarding
	}
	n, most := m.Int(2), len(t.set.Caches)
	switch {
	case n < 1:
		return fmt.Errorf("nb fwd cores %d < 1 - ignored", n)
	case n > most:
		return fmt.Errorf("nb fwd cores %d > %d (max. number of configured lcores) - ignored", n, most)
	}
	t.plan.cores = n
	fmt.Fprintf(t.screen, "Number of forwarding cores set to %d\n", n)
	return nil
}

// setCores sets the cores that poll: some of those that the command line names.
func (t *tester) setCores(list []int) error {
	if t.busy {
		return errForwarding
	}
	return t.plan.useCores(list)
}

func words(list []int) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
}

func (t *tester) setPeer(m grammar.Match) error {
	p, err := t.port(m.Words[2])
	if err != nil {
		return err
	}
	mac, err := net.ParseMAC(m.Words[3])
	if err != nil {
		return err
	}
	if t.plan.peers == nil {
		t.plan.peers = map[int]net.HardwareAddr{}
	}
	t.plan.peers[p.number] = mac
	return nil
}

func (t *tester) setDefault(grammar.Match) error {
	if t.busy {
		return errForwarding
	}
	fmt.Fprintln(t.screen, "Reset to default forwarding configuration...")
	t.plan.chosen, t.plan.cores = nil, min(t.plan.cores, 1)
	t.plan.mode, _ = modeOf("io")
	t.plan.retry = false
	return nil
}

// rewatch has a run that is in progress do what was set for the packets of ports.
func (t *tester) rewatch() {
	if t.busy {
		t.run.engine.plan.tags = t.tags()
		t.run.engine.watchAgain()
	}
}

// tags returns what is done to the VLAN tags of all ports.
func (t *tester) tags() map[int]tags {
	all := map[int]tags{}
	for _, p := range t.ports {
		if p != nil {
			all[p.number] = p.tags
		}
	}
	return all
}
