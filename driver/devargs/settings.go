package devargs

import (
	"context"
	"errors"
	"fmt"
	"net"
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

// macs reads the addresses of a filter.
func (s *Spec) macs(key, value string) *Error {
	s.MACs = nil
	for word := range strings.SplitSeq(value, "+") {
		mac, err := net.ParseMAC(word)
		if err != nil || len(mac) != 6 {
			return &Error{Key: key, Value: value, Reason: fmt.Sprintf("%q is no Ethernet address", word),
				Remedy: "write mac_filter=02:00:00:00:00:05, or two of them with + between"}
		}
		if len(s.MACs) == driver.MaxMACs {
			return &Error{Key: key, Value: value, Reason: fmt.Sprintf("more than %d addresses", driver.MaxMACs),
				Remedy: "give promisc=1, or for multicast addresses allmulti=1, in their place"}
		}
		s.MACs = append(s.MACs, mac)
	}
	return nil
}

func (s *Spec) macText() string {
	var words []string
	for _, mac := range s.MACs {
		words = append(words, mac.String())
	}
	return strings.Join(words, "+")
}

// setMACs has a port receive packets for the addresses of the filter.
func (s *Spec) setMACs(ctx context.Context, p *driver.Port) error {
	var unicast, multicast []net.HardwareAddr
	for _, mac := range s.MACs {
		if mac[0]&1 == 0 {
			unicast = append(unicast, mac)
		} else {
			multicast = append(multicast, mac)
		}
	}
	return p.SetMACFilter(ctx, unicast, multicast)
}

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

// Offload is work that a device does for a program. Values are joined by |.
type Offload int

const (
	TxChecksum Offload = 1 << iota // checksums of what is sent are completed
	RxChecksum                     // checksums of what is received are checked
	TSO                            // long TCP segments are cut
	USO                            // long UDP messages are cut
	LRO                            // TCP segments are joined
	RSC                            // and with how many of them is said
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
	{RSC, virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetGuestTSO4, virtio.NetGuestTSO6, virtio.NetCSUM,
		virtio.NetHostTSO4, virtio.NetHostTSO6, virtio.NetRSCExt), virtio.Features{}},
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
	if s.RSS == 0 && !s.Hash && s.InnerHash != 0 {
		return &Error{Key: "inner_hash", Value: s.tunnelText(), Reason: "no hash is computed",
			Remedy: "give rss=all or hash=1 as well"}
	}
	if s.RSS == 0 && !s.Hash && s.RSSKey != nil {
		return &Error{Key: "rss_key", Value: hexText(s.RSSKey), Reason: "there is no hash that it could be for",
			Remedy: "give rss=all or hash=1 as well"}
	}
	used, more := max(s.Queues, 1), "queues"
	if s.Pairs != 0 {
		used, more = s.Pairs, "pairs"
	}
	for _, q := range s.RSSTable {
		if int(q) >= used {
			return &Error{Key: "rss_table", Value: joined(s.RSSTable), Reason: fmt.Sprintf("there is no queue %d in use", q),
				Remedy: fmt.Sprintf("use 0 to %d, or give more %s", used-1, more)}
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
	remedy := "leave out " + strings.Join(asking, ", ")
	if s.RSS != 0 && s.Queues < 2 {
		remedy = "give queues=2 or more, or " + remedy
	}
	return fmt.Errorf("%w (on a command line, %s)", err, remedy)
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
		{s.Promiscuous != nil || s.AllMulticast != nil || s.MACs != nil, virtio.NetCtrlRx},
		{s.VLANs != nil, virtio.NetCtrlVLAN}, {s.RSS != 0, virtio.NetRSS}, {s.Hash, virtio.NetHashReport},
		{s.InnerHash != 0, virtio.NetHashTunnel}, {s.Coalesce != nil, virtio.NetNotfCoal},
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
	step(s.InnerHash != 0, func() error {
		types := s.InnerHash
		if types == virtio.TunnelAll {
			types = p.RSSLimits().Tunnels
		}
		return p.SetInnerHash(ctx, types)
	})
	step(s.Promiscuous != nil, func() error { return p.SetPromiscuous(ctx, *s.Promiscuous) })
	step(s.AllMulticast != nil, func() error { return p.SetAllMulticast(ctx, *s.AllMulticast) })
	step(s.MACs != nil, func() error { return s.setMACs(ctx, p) })
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
