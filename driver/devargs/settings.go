package devargs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// maxVLAN is the largest ID of a VLAN.
const maxVLAN = 4094

// vlans reads the IDs of VLANs.
func (s *Spec) vlans(key, value string) *Error {
	s.VLANs = nil
	for word := range strings.SplitSeq(value, "+") {
		id, err := strconv.ParseUint(word, 10, 16)
		switch {
		case err != nil || id > maxVLAN:
			return &Error{Key: key, Value: value, Reason: "not IDs of VLANs, 0 to 4094",
				Remedy: "write vlan=100, or vlan=100+200"}
		case slices.Contains(s.VLANs, uint16(id)):
			return &Error{Key: key, Value: value, Reason: fmt.Sprintf("VLAN %d is there twice", id),
				Remedy: "write it once"}
		}
		s.VLANs = append(s.VLANs, uint16(id))
	}
	return nil
}

func (s *Spec) vlanText() string { return joined(s.VLANs) }

// hashTypes are the packets that a hash can be of, by the names that DPDK's testpmd has for
// them.
var hashTypes = []struct {
	name  string
	types virtio.HashTypes
}{
	{"all", virtio.HashAll},
	{"ip", virtio.HashIPv4 | virtio.HashIPv6 | virtio.HashIPv6Ex},
	{"tcp", virtio.HashTCPv4 | virtio.HashTCPv6 | virtio.HashTCPv6Ex},
	{"udp", virtio.HashUDPv4 | virtio.HashUDPv6 | virtio.HashUDPv6Ex},
	{"ipv4", virtio.HashIPv4}, {"ipv4-tcp", virtio.HashTCPv4}, {"ipv4-udp", virtio.HashUDPv4},
	{"ipv6", virtio.HashIPv6}, {"ipv6-tcp", virtio.HashTCPv6}, {"ipv6-udp", virtio.HashUDPv6},
	{"ipv6-ex", virtio.HashIPv6Ex}, {"ipv6-tcp-ex", virtio.HashTCPv6Ex}, {"ipv6-udp-ex", virtio.HashUDPv6Ex},
}

// rssTypes reads what packets are spread by their hash.
func (s *Spec) rssTypes(key, value string) *Error {
	s.RSS = 0
	for word := range strings.SplitSeq(value, "+") {
		i := slices.IndexFunc(hashTypes, func(t struct {
			name  string
			types virtio.HashTypes
		}) bool {
			return t.name == word
		})
		if i < 0 {
			return &Error{Key: key, Value: value, Reason: fmt.Sprintf("%q is no kind of packets", word),
				Remedy: "write rss=all, or rss=ip+tcp; help ports lists all"}
		}
		s.RSS |= hashTypes[i].types
	}
	return nil
}

func (s *Spec) rssText() string {
	var words []string
	left := s.RSS
	for _, t := range hashTypes {
		if left != 0 && t.types&^left == 0 {
			words = append(words, t.name)
			left &^= t.types
		}
	}
	return strings.Join(words, "+")
}

func (s *Spec) rssKey(key, value string) *Error {
	b, err := hex.DecodeString(strings.ReplaceAll(value, ":", ""))
	if err != nil || len(b) == 0 || len(b) > 255 {
		return &Error{Key: key, Value: value, Reason: "not 1 to 255 bytes in hexadecimal",
			Remedy: "write 40 bytes, which every device takes, as 80 digits"}
	}
	s.RSSKey = b
	return nil
}

func (s *Spec) rssTable(key, value string) *Error {
	s.RSSTable = nil
	for word := range strings.SplitSeq(value, "+") {
		q, err := strconv.ParseUint(word, 10, 15)
		if err != nil {
			return &Error{Key: key, Value: value, Reason: fmt.Sprintf("%q is no queue", word),
				Remedy: "write numbers of queues from 0 on, as 0+1+2+3"}
		}
		s.RSSTable = append(s.RSSTable, uint16(q))
	}
	if n := len(s.RSSTable); n&(n-1) != 0 {
		return &Error{Key: key, Value: value, Reason: fmt.Sprintf("%d entries, which is no power of two", n),
			Remedy: "repeat some of the queues"}
	}
	return nil
}

// Offload is work that a device does for a program. Values are joined by |.
type Offload int

const (
	TxChecksum Offload = 1 << iota // checksums of what is sent are completed
	RxChecksum                     // checksums of what is received are checked
	TSO                            // long TCP segments are cut
	USO                            // long UDP messages are cut
	LRO                            // TCP segments are joined
)

// offloadFeatures are the features that an offload requires, and those that improve it.
var offloadFeatures = []struct {
	offload          Offload
	require, request virtio.Features
}{
	{TxChecksum, virtio.FeatureSet(virtio.NetCSUM), virtio.Features{}},
	{RxChecksum, virtio.FeatureSet(virtio.NetGuestCSUM), virtio.Features{}},
	{TSO, virtio.FeatureSet(virtio.NetCSUM, virtio.NetHostTSO4, virtio.NetHostTSO6),
		virtio.FeatureSet(virtio.NetHostECN, virtio.NetGuestHdrLen)},
	{USO, virtio.FeatureSet(virtio.NetCSUM, virtio.NetHostUSO), virtio.FeatureSet(virtio.NetGuestHdrLen)},
	{LRO, virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetGuestTSO4, virtio.NetGuestTSO6),
		virtio.FeatureSet(virtio.NetGuestECN, virtio.NetGuestUSO4, virtio.NetGuestUSO6)},
}

// Features returns what a device offers that does the work, or can be relieved of it.
func (o Offload) Features() virtio.Features {
	var f virtio.Features
	for _, x := range offloadFeatures {
		if o&x.offload != 0 {
			f = f.Or(x.require).Or(x.request)
		}
	}
	return f
}

func offloadKey(name string, o Offload) key {
	return key{name: name,
		set: func(s *Spec, key, value string) *Error {
			on, err := flag(key, value)
			if on {
				s.Offloads |= o
			}
			return err
		},
		text: func(s *Spec) string {
			if s.Offloads&o == 0 {
				return ""
			}
			return "1"
		}}
}

// csum reads which checksums the device deals with.
func (s *Spec) csum(key, value string) *Error {
	switch value {
	case "0":
	case "1":
		s.Offloads |= TxChecksum | RxChecksum
	case "tx":
		s.Offloads |= TxChecksum
	case "rx":
		s.Offloads |= RxChecksum
	default:
		return &Error{Key: key, Value: value, Reason: "neither 0, 1, tx nor rx", Remedy: "write csum=1 for both"}
	}
	return nil
}

func (s *Spec) csumText() string {
	return map[Offload]string{TxChecksum: "tx", RxChecksum: "rx", TxChecksum | RxChecksum: "1"}[s.Offloads&(TxChecksum|RxChecksum)]
}

// coalesce reads when the device interrupts.
func (s *Spec) coalesce(key, value string) *Error {
	packets, span, ok := strings.Cut(value, "/")
	n, err := strconv.ParseUint(packets, 10, 31)
	d, err2 := time.ParseDuration(span)
	if !ok || err != nil || err2 != nil || n == 0 || d < 0 || d%time.Microsecond != 0 {
		return &Error{Key: key, Value: value, Reason: "not packets and a time in whole microseconds",
			Remedy: "write coalesce=32/50us"}
	}
	s.Coalesce = &driver.Coalescing{Packets: int(n), Delay: d}
	return nil
}

func (s *Spec) coalesceText() string {
	if s.Coalesce == nil {
		return ""
	}
	return fmt.Sprintf("%d/%v", s.Coalesce.Packets, s.Coalesce.Delay)
}

// checkSettings refuses settings that do not go together.
func (s *Spec) checkSettings() *Error {
	if s.Pairs > max(s.Queues, 1) {
		return &Error{Key: "pairs", Value: strconv.Itoa(s.Pairs), Reason: "more than there are queues",
			Remedy: fmt.Sprintf("give queues=%d as well", s.Pairs)}
	}
	if s.RSS == 0 && s.RSSTable != nil {
		return &Error{Key: "rss_table", Value: joined(s.RSSTable), Reason: "packets are not spread by a hash",
			Remedy: "give rss=all as well"}
	}
	if s.RSS == 0 && !s.Hash && s.RSSKey != nil {
		return &Error{Key: "rss_key", Value: hexText(s.RSSKey), Reason: "there is no hash that it could be for",
			Remedy: "give rss=all or hash=1 as well"}
	}
	for _, q := range s.RSSTable {
		if used := max(s.Pairs, s.Queues, 1); int(q) >= used {
			return &Error{Key: "rss_table", Value: joined(s.RSSTable), Reason: fmt.Sprintf("there is no queue %d", q),
				Remedy: fmt.Sprintf("use 0 to %d, or more queues", used-1)}
		}
	}
	return nil
}

// nameKeys adds to the error of a port without features that keys ask for which keys those are.
func (s *Spec) nameKeys(err error) error {
	var bad *driver.Error
	if !errors.As(err, &bad) {
		return err
	}
	missing, ok := bad.Value.(virtio.Features)
	if !ok || !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	var asking []string
	for k := range keys {
		value := k.text(s)
		if value == "" {
			continue
		}
		only := Spec{Kind: s.Kind}
		if k.set(&only, k.name, value) != nil {
			continue
		}
		if require, _ := only.features(); !require.And(missing).Empty() {
			asking = append(asking, k.name+"="+value)
		}
	}
	if asking == nil {
		return err
	}
	return fmt.Errorf("%w (on a command line, leave out %s)", err, strings.Join(asking, ", "))
}

// features returns what the keys take of the device, and what they would like to have.
func (s *Spec) features() (require, request virtio.Features) {
	for _, o := range offloadFeatures {
		if s.Offloads&o.offload != 0 {
			require, request = require.Or(o.require), request.Or(o.request)
		}
	}
	for _, c := range []struct {
		given bool
		f     virtio.Feature
	}{
		{s.Promiscuous != nil || s.AllMulticast != nil, virtio.NetCtrlRx},
		{s.VLANs != nil, virtio.NetCtrlVLAN}, {s.RSS != 0, virtio.NetRSS}, {s.Hash, virtio.NetHashReport},
		{s.Coalesce != nil, virtio.NetNotfCoal},
	} {
		if c.given {
			require = require.With(c.f)
		}
	}
	return require, request
}

// offer is what an emulated device offers: what the keys ask for, even if the device has to
// do by itself what its wire does not, and otherwise what suits it.
func (s *Spec) offer(pairs int) virtio.Features {
	if s.Offloads == 0 {
		return virtio.Features{}
	}
	f := vdev.Implemented()
	if pairs == 1 {
		f = f.Without(virtio.NetMQ)
	}
	return f
}

// apply sets on an open port what the keys say. What the device cannot do was refused when
// the port was opened.
func (s *Spec) apply(ctx context.Context, p *driver.Port) error {
	var steps []func() error
	step := func(given bool, do func() error) {
		if given {
			steps = append(steps, do)
		}
	}
	step(s.Pairs != 0, func() error { return p.SetQueuePairs(ctx, s.Pairs) })
	step(s.RSS != 0, func() error {
		types := s.RSS
		if types == virtio.HashAll {
			types = 0 // all that the device can hash
		}
		return p.SetRSS(ctx, driver.RSS{Key: s.RSSKey, Table: s.RSSTable, Types: types})
	})
	step(s.RSS == 0 && s.RSSKey != nil, func() error {
		return p.SetHash(ctx, driver.HashConfig{Key: s.RSSKey})
	})
	step(s.Promiscuous != nil, func() error { return p.SetPromiscuous(ctx, *s.Promiscuous) })
	step(s.AllMulticast != nil, func() error { return p.SetAllMulticast(ctx, *s.AllMulticast) })
	for _, id := range s.VLANs {
		step(true, func() error { return p.AddVLAN(ctx, id) })
	}
	step(s.Coalesce != nil, func() error { return p.SetRxCoalescing(ctx, *s.Coalesce) })
	step(s.Coalesce != nil, func() error { return p.SetTxCoalescing(ctx, *s.Coalesce) })
	for _, do := range steps {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}
