package traffic

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// MAC is an Ethernet address.
type MAC [6]byte

// String returns the address as 02:00:00:00:00:01.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// MarshalText implements [encoding.TextMarshaler].
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (m *MAC) UnmarshalText(text []byte) error {
	a, err := net.ParseMAC(string(text))
	// Twelve digits without separators could be a number.
	if err != nil || len(a) != len(m) || !strings.ContainsAny(string(text), ":-.") {
		return errors.New("not an Ethernet address; write it like 02:00:00:00:00:01")
	}
	copy(m[:], a)
	return nil
}

// Hex is bytes that are written in hexadecimal.
type Hex []byte

// MarshalText implements [encoding.TextMarshaler].
func (h Hex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. Spaces and colons between bytes
// are allowed.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", ":", "", "\n", "").Replace(string(text)))
	if err != nil {
		return errors.New("not bytes in hexadecimal; write them like 0a0b0c or 0a 0b 0c")
	}
	*h = b
	return nil
}

// Checksum says what the checksum field of a header has.
type Checksum uint8

const (
	// ChecksumRight is the right checksum of every packet.
	ChecksumRight Checksum = iota
	// ChecksumNone is 0, which for UDP means that there is none.
	ChecksumNone
	// ChecksumWrong is a wrong one in every packet.
	ChecksumWrong
)

var checksumNames = []string{"right", "none", "wrong"}

// String returns right, none or wrong.
func (c Checksum) String() string { return nameOf(checksumNames, int(c)) }

// MarshalText implements [encoding.TextMarshaler].
func (c Checksum) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Checksum) UnmarshalText(text []byte) error { return setName(c, checksumNames, string(text)) }

var trackNames = []string{"auto", "true", "false"}

// String returns auto, true or false.
func (t Track) String() string { return nameOf(trackNames, int(t)) }

// MarshalText implements [encoding.TextMarshaler].
func (t Track) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Track) UnmarshalText(text []byte) error { return setName(t, trackNames, string(text)) }

// TCPFlags are the flags of a TCP header, FIN in the lowest bit.
type TCPFlags uint8

var tcpFlagNames = []string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"}

// String returns the names of the flags that are set, with + between them, or none.
func (f TCPFlags) String() string {
	var names []string
	for i, name := range tcpFlagNames {
		if f>>i&1 != 0 {
			names = append(names, name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, "+")
}

// MarshalText implements [encoding.TextMarshaler].
func (f TCPFlags) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (f *TCPFlags) UnmarshalText(text []byte) error {
	*f = 0
	if string(text) == "none" {
		return nil
	}
	for name := range strings.SplitSeq(string(text), "+") {
		i := slices.Index(tcpFlagNames, strings.TrimSpace(name))
		if i < 0 {
			return fmt.Errorf("%q is no flag; they are %s, like syn+ack, or none", name, strings.Join(tcpFlagNames, ", "))
		}
		*f |= 1 << i
	}
	return nil
}

func nameOf(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprint(i)
}

// setName sets v to the number of a name.
func setName[T ~uint8](v *T, names []string, text string) error {
	i := slices.Index(names, text)
	if i < 0 {
		return fmt.Errorf("not one of %s", strings.Join(names, ", "))
	}
	*v = T(i)
	return nil
}
