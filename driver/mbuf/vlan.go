package mbuf

import "encoding/binary"

const (
	macPair   = 12     // bytes of the two addresses of an Ethernet header
	vlanTag   = 4      // bytes of a tag
	etherVLAN = 0x8100 // type of a tag: IEEE 802.1Q
	etherQinQ = 0x88a8 // and of a service tag, IEEE 802.1ad
)

// InsertVLAN puts an IEEE 802.1Q tag with this control information, of which the low 12
// bits are the VLAN, into the packet that begins with b, in front of the tags that it
// has. It returns false and changes nothing if b has no 4 bytes of headroom, or is
// shorter than two Ethernet addresses.
//
// For a packet that is cut into frames, each of them has the tag.
func (b *Buf) InsertVLAN(tci uint16) bool {
	if b.Len() < macPair || b.Prepend(vlanTag) == nil {
		return false
	}
	data := b.Data()
	copy(data, data[vlanTag:][:macPair])
	binary.BigEndian.PutUint16(data[macPair:], etherVLAN)
	binary.BigEndian.PutUint16(data[macPair+2:], tci)
	return true
}

// StripVLAN takes the outermost tag, IEEE 802.1Q or 802.1ad, out of the packet that
// begins with b and returns its control information. It returns false and changes
// nothing if there is none in the first segment.
func (b *Buf) StripVLAN() (tci uint16, ok bool) {
	data := b.Data()
	if len(data) < macPair+vlanTag+2 {
		return 0, false
	}
	if t := binary.BigEndian.Uint16(data[macPair:]); t != etherVLAN && t != etherQinQ {
		return 0, false
	}
	tci = binary.BigEndian.Uint16(data[macPair+2:])
	copy(data[vlanTag:], data[:macPair]) // which overlap: copy minds that
	b.Adj(vlanTag)
	return tci, true
}
