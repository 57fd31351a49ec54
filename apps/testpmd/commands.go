package main

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
	"github.com/virtio-pmd/virtio-pmd/driver"
)

// The sections of help, in its order, with what it says of them.
const (
	inControl = "control"
	inDisplay = "display"
	inConfig  = "config"
	inPorts   = "ports"
	inFilters = "filters"
	inTraffic = "traffic_management"
	inDevices = "devices"
	inDrivers = "drivers"
)

var sections = []struct{ name, title, says string }{
	{inControl, "Control forwarding", "Start and stop forwarding."},
	{inDisplay, "Display", "Displaying port, stats and config information."},
	{inConfig, "Configuration", "Configuration information."},
	{inPorts, "Port Operations", "Configuring ports."},
	{inFilters, "Filters", "Flow rules, which a virtio device has none of."},
	{inTraffic, "Traffic Management", "Traffic management, which a virtio device has none of."},
	{inDevices, "Device Operations", "Device related commands."},
	{inDrivers, "Driver specific", "Commands for devices of other drivers."},
}

// commands returns all commands of the prompt.
func (t *tester) commands() []grammar.Command {
	return slices.Concat(t.controlCommands(), t.showCommands(), t.setCommands(), t.polled(t.modeCommands()),
		t.checksumCommands(), t.portCommands(), t.polled(t.queueCommands()), t.polled(t.rssCommands()), t.deviceCommands(), refused())
}

// polled has emulated devices polled while commands are carried out that wait for their answer:
// otherwise only forwarding does that.
func (t *tester) polled(list []grammar.Command) []grammar.Command {
	for i, c := range list {
		if c.Do == nil {
			continue
		}
		list[i].Do = func(m grammar.Match) error {
			return t.withDevices(func() error { return c.Do(m) })
		}
	}
	return list
}

// withDevices has emulated devices polled while do waits for their answer.
func (t *tester) withDevices(do func() error) error {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t.pollDevices(done)
	}()
	defer func() { close(done); <-ended }()
	return do()
}

// pollDevices polls all emulated devices until done is closed.
func (t *tester) pollDevices(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		default:
		}
		for _, poll := range t.set.EmuPolls {
			if poll != nil {
				poll()
			}
		}
		runtime.Gosched()
	}
}

// kinds returns the kinds of values that the forms of commands name.
func (t *tester) kinds() map[string]grammar.Kind {
	return map[string]grammar.Kind{
		"PORT":    {Says: "the number of a port", Check: whole(0, 1<<16-1), Values: t.portNumbers},
		"QUEUE":   {Says: "the number of a queue", Check: whole(0, 1<<16-1)},
		"N":       {Says: "a number", Check: whole(0, 1<<32-1)},
		"VLAN":    {Says: "the identifier of a VLAN", Check: whole(0, driver.MaxVLAN)},
		"MASK":    {Says: "a hexadecimal mask, like 0x3", Check: isMask},
		"LIST":    {Says: "numbers, apart by commas", Check: isList},
		"LENGTHS": {Says: "lengths in bytes, like 64 or 64,128"},
		"MAC":     {Says: "an Ethernet address, like 02:00:00:00:00:01", Check: isMAC},
		"MODE":    {Says: "a forwarding mode", Check: isMode, Values: modeList},
		"FILE":    {Says: "a file"},
		"DEVICE":  {Says: "a device: PORT as on the command line, the address of a PCI function, or net_virtio_user0,path=SOCKET"},
		"HEX":     {Says: "a hexadecimal number", Check: isHex},
		"PAIRS":   {Says: "pairs like (0,1),(1,0)", Check: matches(tableForm)},
		"MASKS":   {Says: "masks like (0xff,0x0)", Check: matches(masksForm)},
		"QUEUEOF": {Says: "a port and a queue, like 0,1"},
		"WORD":    {Says: "a word"},
		"TOPIC":   {Says: "a topic", Values: topicNames},
	}
}

func (t *tester) portNumbers() []string {
	var list []string
	for _, p := range t.ports {
		if p != nil {
			list = append(list, strconv.Itoa(p.number))
		}
	}
	return list
}

// whole returns a check for a number between two others, decimal or hexadecimal.
func whole(least, most int64) func(string) error {
	return func(text string) error {
		n, err := strconv.ParseInt(text, 0, 64)
		if err != nil || n < least || n > most {
			return fmt.Errorf("not a number from %d to %d", least, most)
		}
		return nil
	}
}

func isMask(text string) error {
	if n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(text), "0x"), 16, 64); err != nil || n == 0 {
		return errors.New("not a hexadecimal mask with a bit set")
	}
	return nil
}

func isHex(text string) error {
	if text == "" || len(text)%2 != 0 || strings.Trim(text, "0123456789abcdefABCDEF") != "" {
		return errors.New("not bytes in hexadecimal")
	}
	return nil
}

func matches(form *regexp.Regexp) func(string) error {
	return func(text string) error {
		if !form.MatchString(text) {
			return errors.New("not of that form")
		}
		return nil
	}
}

func isList(text string) error {
	_, err := parseList(text)
	return err
}

// parseList reads numbers that commas separate.
func parseList(text string) ([]int, error) {
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", part)
		}
		if slices.Contains(list, int(n)) {
			return nil, fmt.Errorf("%d is there twice", n)
		}
		list = append(list, int(n))
	}
	return list, nil
}

func isMAC(text string) error {
	if mac, err := net.ParseMAC(text); err != nil || len(mac) != 6 {
		return errors.New("not an Ethernet address")
	}
	return nil
}

func isMode(text string) error {
	if _, err := modeOf(text); err != nil {
		return errors.New("no such mode")
	}
	return nil
}

func modeList() []string {
	var names []string
	for _, m := range modes() {
		names = append(names, m.name)
	}
	return names
}

func topicNames() []string {
	names := []string{"all"}
	for _, s := range sections {
		names = append(names, s.name)
	}
	return names
}

// selected returns the ports of a word: a number or "all".
func (t *tester) selected(word string) ([]*port, error) {
	if word == "all" {
		return slices.DeleteFunc(slices.Clone(t.ports), func(p *port) bool { return p == nil }), nil
	}
	p, err := t.port(word)
	if err != nil {
		return nil, err
	}
	return []*port{p}, nil
}

// port returns the port of a number.
func (t *tester) port(word string) (*port, error) {
	n, err := strconv.ParseInt(word, 0, 32)
	if err != nil || n < 0 || int(n) >= len(t.ports) || t.ports[n] == nil {
		return nil, fmt.Errorf("Invalid port %s\n%s", word, t.validPorts()) //nolint:staticcheck // the words of testpmd
	}
	return t.ports[n], nil
}

func (t *tester) validPorts() string {
	return "The valid ports array is [ " + strings.Join(append(t.portNumbers(), "]"), " ")
}

// each calls do for the ports of a word, and reports what goes wrong with one of several.
func (t *tester) each(word string, do func(*port) error) error {
	list, err := t.selected(word)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range list {
		errs = append(errs, do(p))
	}
	return errors.Join(errs...)
}

// linesOf returns the lines of a text.
func linesOf(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			if !yield(strings.TrimSuffix(line, "\r")) {
				return
			}
		}
	}
}

// unwrapPath returns the cause of an error of a file, without its name.
func unwrapPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
