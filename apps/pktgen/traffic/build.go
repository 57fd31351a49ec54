package traffic

// This file and decode.go are the only ones of the package that know the packet library.
// The maintained fork has the same packages under github.com/gopacket/gopacket.
import (
	"encoding/binary"
	"fmt"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// The protocol numbers that headers follow from.
const (
	etherVLAN = 0x8100
	etherQinQ = 0x88a8
)

// build returns the packet with a payload. Its lengths are right, and so are its
// checksums, except those that are left out.
func (s *stack) build(payload []byte) ([]byte, error) {
	b := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.Payload(payload).SerializeTo(b, options); err != nil {
		return nil, err
	}
	for i := len(s.layers) - 1; i >= 0; i-- {
		parts, err := s.parts(i)
		if err != nil {
			return nil, err
		}
		for k := len(parts) - 1; k >= 0; k-- {
			o := options
			if u, ok := s.layers[i].(UDP); ok {
				o.ComputeChecksums = u.Checksum != ChecksumNone
			}
			if err := parts[k].SerializeTo(b, o); err != nil {
				return nil, &Error{Field: fmt.Sprintf("packet[%d].%s", i, s.layers[i].Kind()),
					Reason: "it cannot be built", Err: err}
			}
		}
	}
	return b.Bytes(), nil
}

// parts returns header i for the packet library, which has two for some.
func (s *stack) parts(i int) ([]gopacket.SerializableLayer, error) {
	one := func(l gopacket.SerializableLayer) ([]gopacket.SerializableLayer, error) {
		return []gopacket.SerializableLayer{l}, nil
	}
	switch l := s.layers[i].(type) {
	case Ethernet:
		t, err := s.etherType(i, l.Type)
		if err != nil {
			return nil, err
		}
		// The library's own header pads what follows to 60 bytes, also inside a tunnel.
		header := append(append([]byte{}, l.Dst[:]...), l.Src[:]...)
		return one(gopacket.Payload(binary.BigEndian.AppendUint16(header, t)))
	case VLAN:
		t, err := s.etherType(i, l.Type)
		return []gopacket.SerializableLayer{&layers.Dot1Q{VLANIdentifier: l.ID, Priority: l.Priority,
			DropEligible: l.DEI, Type: layers.EthernetType(t)}}, err
	case ARP:
		return one(&layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4,
			HwAddressSize: 6, ProtAddressSize: 4, Operation: l.Op,
			SourceHwAddress: l.SenderMAC[:], SourceProtAddress: l.SenderIP.AsSlice(),
			DstHwAddress: l.TargetMAC[:], DstProtAddress: l.TargetIP.AsSlice()})
	case IPv4:
		ip, err := s.ipv4(i, l)
		return []gopacket.SerializableLayer{ip}, err
	case IPv6:
		ip, err := s.ipv6(i, l)
		return []gopacket.SerializableLayer{ip}, err
	case UDP:
		udp := &layers.UDP{SrcPort: layers.UDPPort(l.Src), DstPort: layers.UDPPort(l.Dst)}
		return []gopacket.SerializableLayer{udp}, s.pseudo(i, udp)
	case TCP:
		tcp := &layers.TCP{SrcPort: layers.TCPPort(l.Src), DstPort: layers.TCPPort(l.Dst), Seq: l.Seq, Ack: l.Ack,
			Window: l.Window, Urgent: l.Urgent,
			FIN: l.Flags&1 != 0, SYN: l.Flags&2 != 0, RST: l.Flags&4 != 0, PSH: l.Flags&8 != 0,
			ACK: l.Flags&16 != 0, URG: l.Flags&32 != 0, ECE: l.Flags&64 != 0, CWR: l.Flags&128 != 0}
		return []gopacket.SerializableLayer{tcp}, s.pseudo(i, tcp)
	case ICMP:
		return one(&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(l.Type, l.Code), Id: l.ID, Seq: l.Seq})
	case ICMPv6:
		icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(l.Type, l.Code)}
		echo := &layers.ICMPv6Echo{Identifier: l.ID, SeqNumber: l.Seq}
		return []gopacket.SerializableLayer{icmp, echo}, s.pseudo(i, icmp)
	case VXLAN:
		return one(&layers.VXLAN{ValidIDFlag: true, VNI: l.VNI})
	case Raw:
		return one(gopacket.Payload(l.Bytes))
	}
	return nil, &Error{Field: fmt.Sprintf("packet[%d]", i), Value: fmt.Sprintf("%T", s.layers[i]),
		Reason: "an unknown header", Remedy: "use those of this package, not pointers to them"}
}

// ipv4 returns an IPv4 header for the packet library.
func (s *stack) ipv4(i int, l IPv4) (*layers.IPv4, error) {
	p, err := s.protocol(i, l.Protocol, "protocol")
	ip := &layers.IPv4{Version: 4, TOS: l.TOS, Id: l.ID, TTL: l.TTL, Protocol: layers.IPProtocol(p),
		SrcIP: l.Src.AsSlice(), DstIP: l.Dst.AsSlice()}
	if l.DontFragment {
		ip.Flags = layers.IPv4DontFragment
	}
	return ip, err
}

// ipv6 returns an IPv6 header for the packet library.
func (s *stack) ipv6(i int, l IPv6) (*layers.IPv6, error) {
	p, err := s.protocol(i, l.NextHeader, "next_header")
	return &layers.IPv6{Version: 6, TrafficClass: l.TrafficClass, FlowLabel: l.FlowLabel, HopLimit: l.HopLimit,
		NextHeader: layers.IPProtocol(p), SrcIP: l.Src.AsSlice(), DstIP: l.Dst.AsSlice()}, err
}

// pseudo gives header i the addresses that its checksum covers.
func (s *stack) pseudo(i int, l interface {
	SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
}) error {
	n := s.network(i)
	switch ip := s.layers[n].(type) {
	case IPv4:
		header, err := s.ipv4(n, ip)
		if err != nil {
			return err
		}
		return l.SetNetworkLayerForChecksum(header)
	case IPv6:
		header, err := s.ipv6(n, ip)
		if err != nil {
			return err
		}
		return l.SetNetworkLayerForChecksum(header)
	}
	return nil
}

// next returns the header behind header i, nil if the payload follows.
func (s *stack) next(i int) Layer {
	if i+1 < len(s.layers) {
		return s.layers[i+1]
	}
	return nil
}

// etherType returns the EtherType of header i: the given one, or that of the next header.
func (s *stack) etherType(i int, given uint16) (uint16, error) {
	if given != 0 {
		return given, nil
	}
	switch next := s.next(i).(type) {
	case VLAN:
		if next.TPID != 0 {
			return next.TPID, nil
		}
		if _, tagged := s.next(i + 1).(VLAN); tagged {
			return etherQinQ, nil
		}
		return etherVLAN, nil
	case ARP:
		return uint16(layers.EthernetTypeARP), nil
	case IPv4:
		return uint16(layers.EthernetTypeIPv4), nil
	case IPv6:
		return uint16(layers.EthernetTypeIPv6), nil
	}
	return 0, s.noType(i, "type", "set it; 0x88b5 is for experiments")
}

// protocol returns the protocol of IP header i: the given one, or that of the next header.
func (s *stack) protocol(i int, given uint8, field string) (uint8, error) {
	if given != 0 {
		return given, nil
	}
	switch s.next(i).(type) {
	case IPv4:
		return uint8(layers.IPProtocolIPv4), nil
	case IPv6:
		return uint8(layers.IPProtocolIPv6), nil
	case UDP:
		return uint8(layers.IPProtocolUDP), nil
	case TCP:
		return uint8(layers.IPProtocolTCP), nil
	case ICMP:
		return uint8(layers.IPProtocolICMPv4), nil
	case ICMPv6:
		return uint8(layers.IPProtocolICMPv6), nil
	}
	return 0, s.noType(i, field, "set it; 253 is for experiments")
}

func (s *stack) noType(i int, field, remedy string) error {
	return &Error{Field: fmt.Sprintf("packet[%d].%s.%s", i, s.layers[i].Kind(), field),
		Reason: "no header follows that it could be taken from", Remedy: remedy}
}
