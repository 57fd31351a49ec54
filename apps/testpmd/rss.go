package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/dpdk"
	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// rssCommands show and change how received packets are spread over queues.
func (t *tester) rssCommands() []grammar.Command {
	return []grammar.Command{
		{Form: "port config all rss " + hashWords + "", Section: inPorts, Help: "Set the packets that RSS hashes, on all ports.",
			Do: func(m grammar.Match) error { return t.setHashTypes("all", m.Words[4]) }},
		{Form: "port config PORT rss " + hashWords + "", Section: inPorts, Help: "Set the packets that RSS hashes.",
			Do: func(m grammar.Match) error { return t.setHashTypes(m.Words[2], m.Words[4]) }},
		{Form: "port config PORT rss reta PAIRS", Section: inPorts, Help: "Set entries of the redirection table: (hash,queue)[,(hash,queue)].", Do: t.setTable},
		{Form: "port config PORT rss-hash-key WORD HEX", Section: inPorts, Help: "Set the key of the hash, in hexadecimal; it is the same for all types.", Do: t.setKey},
		{Form: "show port PORT rss reta N MASKS", Section: inDisplay, Help: "Display the entries of the redirection table that masks choose, 64 each: (0xff,0x0).", Do: t.showTable},
		{Form: "show port PORT rss-hash [key]", Section: inDisplay, Help: "Display the RSS hash functions and RSS hash key of port.", Do: t.showHash},
		{Form: "port config (PORT|all) rss WORD", Section: inPorts, Refused: "virtio hashes the addresses of IP, and the ports of TCP and UDP; use ip, tcp, udp or all"},
	}
}

// hashWords are the words of hashTypes.
const hashWords = "(all|default|ip|tcp|udp|ipv4|ipv4-tcp|ipv4-udp|ipv6|ipv6-tcp|ipv6-udp|ipv6-ex|ipv6-tcp-ex|ipv6-udp-ex)"

// hashTypes are the types of packets that words of testpmd stand for.
var hashTypes = map[string]virtio.HashTypes{
	"all": virtio.HashAll, "default": virtio.HashAll,
	"ip":   virtio.HashIPv4 | virtio.HashIPv6 | virtio.HashIPv6Ex,
	"tcp":  virtio.HashTCPv4 | virtio.HashTCPv6 | virtio.HashTCPv6Ex,
	"udp":  virtio.HashUDPv4 | virtio.HashUDPv6 | virtio.HashUDPv6Ex,
	"ipv4": virtio.HashIPv4, "ipv4-tcp": virtio.HashTCPv4, "ipv4-udp": virtio.HashUDPv4,
	"ipv6": virtio.HashIPv6, "ipv6-tcp": virtio.HashTCPv6, "ipv6-udp": virtio.HashUDPv6,
	"ipv6-ex": virtio.HashIPv6Ex, "ipv6-tcp-ex": virtio.HashTCPv6Ex, "ipv6-udp-ex": virtio.HashUDPv6Ex,
}

// flowTypes are the names that testpmd shows for them.
var flowTypes = []struct {
	types virtio.HashTypes
	name  string
}{
	{virtio.HashIPv4, "ipv4"}, {virtio.HashTCPv4, "ipv4-tcp"}, {virtio.HashUDPv4, "ipv4-udp"},
	{virtio.HashIPv6, "ipv6"}, {virtio.HashTCPv6, "ipv6-tcp"}, {virtio.HashUDPv6, "ipv6-udp"},
	{virtio.HashIPv6Ex, "ipv6-ex"}, {virtio.HashTCPv6Ex, "ipv6-tcp-ex"}, {virtio.HashUDPv6Ex, "ipv6-udp-ex"},
}

func writeFlowTypes(b *strings.Builder, types virtio.HashTypes) {
	for _, f := range flowTypes {
		if types&f.types != 0 {
			b.WriteString("  " + f.name)
		}
	}
	b.WriteString("\n")
}

// writeHashTypes shows over what the device of a port can compute a hash.
func writeHashTypes(b *strings.Builder, p *port) {
	limits := p.dev.RSSLimits()
	if limits.TableSize == 0 {
		b.WriteString("No RSS offload flow type is supported.\n")
		return
	}
	fmt.Fprintf(b, "Hash key size in bytes: %d\nRedirection table size: %d\nSupported RSS offload flow types:\n", limits.KeySize, limits.TableSize)
	writeFlowTypes(b, limits.Types)
}

func (t *tester) setHashTypes(which, word string) error {
	return t.each(which, func(p *port) error {
		if err := t.spread(p, hashTypes[word]); err != nil {
			return hashError(p, err)
		}
		return nil
	})
}

// hashError is the error of a change of RSS in the words of testpmd.
func hashError(p *port, err error) error {
	number, word := unix.EINVAL, "Invalid argument"
	if errors.Is(err, errors.ErrUnsupported) {
		number, word = unix.EOPNOTSUPP, notSupported
	}
	return fmt.Errorf("Configuration of RSS hash at ethernet port %d failed with error (%d): %s.\n  %w", p.number, int(number), word, err) //nolint:staticcheck // the words of testpmd
}

// spread has the device of a port spread packets by a hash. If RSS was not negotiated, the port is
// opened again.
func (t *tester) spread(p *port, types virtio.HashTypes) error {
	r, has := p.dev.RSS()
	switch {
	case !has && !p.offers(virtio.NetRSS):
		return missing("the device does not offer RSS")
	case !has && t.forwards(p):
		return textError("the device has to be set up again for that, and packets are being forwarded; stop first")
	case !has:
		spec := p.wanted()
		spec.RSS = types
		return t.reopen(p, spec)
	}
	if r.Types = types & p.dev.RSSLimits().Types; r.Types == 0 {
		r.Types = types // the device says why not
	}
	return p.dev.SetRSS(t.ctx, r)
}

var (
	tableForm = regexp.MustCompile(`^\([0-9]+,[0-9]+\)(,\([0-9]+,[0-9]+\))*$`)
	tablePair = regexp.MustCompile(`\(([0-9]+),([0-9]+)\)`)
)

func (t *tester) setTable(m grammar.Match) error {
	p, r, err := t.spreading(m.Words[2])
	if err != nil {
		return err
	}
	table := append([]uint16(nil), r.Table...)
	for _, pair := range tablePair.FindAllStringSubmatch(m.Words[5], -1) {
		i, _ := strconv.Atoi(pair[1])
		q, _ := strconv.Atoi(pair[2])
		switch {
		case i >= len(table):
			return fmt.Errorf("Invalid RETA hash index=%d: the table has %d entries", i, len(table)) //nolint:staticcheck // the words of testpmd
		case q >= p.dev.ActivePairs():
			return fmt.Errorf("Invalid RETA queue=%d: port %d uses %d", q, p.number, p.dev.ActivePairs()) //nolint:staticcheck // as testpmd
		}
		table[i] = uint16(q)
	}
	r.Table = table
	if err := p.dev.SetRSS(t.ctx, r); err != nil {
		return hashError(p, err)
	}
	return nil
}

// spreading returns how a port that has negotiated RSS spreads packets.
func (t *tester) spreading(word string) (*port, driver.RSS, error) {
	p, err := t.port(word)
	if err != nil {
		return nil, driver.RSS{}, err
	}
	r, ok := p.dev.RSS()
	if !ok {
		return nil, driver.RSS{}, fmt.Errorf("RSS disabled\n  port config %d rss all switches it on, if the device offers it", p.number)
	}
	return p, r, nil
}

func (t *tester) setKey(m grammar.Match) error {
	p, r, err := t.spreading(m.Words[2])
	if err != nil {
		return err
	}
	if r.Key, err = hex.DecodeString(m.Words[5]); err != nil {
		return fmt.Errorf("invalid key %s: %w", m.Words[5], err)
	}
	if err := p.dev.SetRSS(t.ctx, r); err != nil {
		return fmt.Errorf("rte_eth_dev_rss_hash_update: %s", because(err))
	}
	return nil
}

// masksForm is that of the masks of show port rss reta: each chooses 64 entries.
var masksForm = regexp.MustCompile(`^\((0x)?[0-9a-fA-F]+(,(0x)?[0-9a-fA-F]+)*\)$`)

func (t *tester) showTable(m grammar.Match) error {
	_, r, err := t.spreading(m.Words[2])
	if err != nil {
		return err
	}
	size := m.Int(5)
	if size < 1 || size > len(r.Table) {
		return fmt.Errorf("Invalid redirection table size: %d (1-%d)", size, len(r.Table)) //nolint:staticcheck // the words of testpmd
	}
	var b strings.Builder
	for group, text := range strings.Split(strings.Trim(m.Words[6], "()"), ",") {
		bits, err := dpdk.Mask(text)
		if err != nil {
			continue // no entry of these
		}
		for _, bit := range bits {
			if i := group*64 + bit; bit < 64 && i < size {
				fmt.Fprintf(&b, "RSS RETA configuration: hash index=%d, queue=%d\n", i, r.Table[i])
			}
		}
	}
	fmt.Fprint(t.screen, b.String())
	return nil
}

func (t *tester) showHash(m grammar.Match) error {
	_, r, err := t.spreading(m.Words[2])
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("RSS functions:\n")
	writeFlowTypes(&b, r.Types)
	if m.Has(4, "key") {
		fmt.Fprintf(&b, "RSS key:\n%X\n", r.Key)
	}
	fmt.Fprint(t.screen, b.String())
	return nil
}
