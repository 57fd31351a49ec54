package traffic

import (
	"encoding/binary"
	"fmt"
)

// checkSums verifies the lengths and the checksums of a frame, from the Ethernet header
// on and into tunnels, without any of the package's own code.
func checkSums(frame []byte) error {
	t := binary.BigEndian.Uint16(frame[12:])
	rest := frame[14:]
	for t == 0x8100 || t == 0x88a8 {
		t, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	switch t {
	case 0x0800:
		return checkIPv4(rest)
	case 0x86dd:
		return checkIPv6(rest)
	}
	return nil
}

func checkIPv4(ip []byte) error {
	if n := int(binary.BigEndian.Uint16(ip[2:])); n != len(ip) {
		return fmt.Errorf("IPv4 length %d of %d", n, len(ip))
	}
	if s := rfc1071(ip[:20]); s != 0 {
		return fmt.Errorf("IPv4 checksum is off by %#x", s)
	}
	return checkTransport(ip[9], ip[12:20], ip[20:])
}

func checkIPv6(ip []byte) error {
	if n := int(binary.BigEndian.Uint16(ip[4:])); n != len(ip)-40 {
		return fmt.Errorf("IPv6 length %d of %d", n, len(ip)-40)
	}
	return checkTransport(ip[6], ip[8:40], ip[40:])
}

func checkTransport(protocol byte, addresses, data []byte) error {
	pseudo := append([]byte{}, addresses...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(data)))
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(protocol))
	switch protocol {
	case 4:
		return checkIPv4(data)
	case 41:
		return checkIPv6(data)
	case 1:
		pseudo = nil
	case 17:
		if n := int(binary.BigEndian.Uint16(data[4:])); n != len(data) {
			return fmt.Errorf("UDP length %d of %d", n, len(data))
		}
		if binary.BigEndian.Uint16(data[2:]) == 4789 {
			if err := checkSums(data[16:]); err != nil {
				return fmt.Errorf("in VXLAN: %w", err)
			}
		}
		if binary.BigEndian.Uint16(data[6:]) == 0 {
			return nil
		}
	case 6, 58:
	default:
		return nil
	}
	if s := rfc1071(append(pseudo, data...)); s != 0 {
		return fmt.Errorf("checksum of protocol %d is off by %#x", protocol, s)
	}
	return nil
}

// rfc1071 returns 0 if the words of b, a checksum among them, add up.
func rfc1071(b []byte) uint16 {
	sum := uint32(0)
	for i, c := range b {
		if i%2 == 0 {
			sum += uint32(c) << 8
		} else {
			sum += uint32(c)
		}
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
