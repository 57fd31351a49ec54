package traffic

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// PayloadKind says what the payload of packets is.
type PayloadKind uint8

const (
	// PayloadCounter is 0, 1, 2 and so on, from the first byte of the payload.
	PayloadCounter PayloadKind = iota
	// PayloadZeros is zeros.
	PayloadZeros
	// PayloadRandom is random bytes, the same in each packet.
	PayloadRandom
	// PayloadBytes is given bytes and zeros behind them.
	PayloadBytes
	// PayloadKeep is what the buffer holds, as DPDK's testpmd sends it. No checksum
	// covers it.
	PayloadKeep
)

// Payload is what follows the headers of a packet, up to its signature. As text it is
// counter, zeros, random, "random seed 7", "text hello", "hex 0a0b0c" or keep.
type Payload struct {
	Kind  PayloadKind
	Seed  uint64 // of PayloadRandom
	Bytes Hex    // of PayloadBytes
}

const payloadRemedy = "write counter, zeros, random, random seed 7, text hello, hex 0a0b0c or keep"

// String returns the text of a Payload.
func (p Payload) String() string {
	switch p.Kind {
	case PayloadCounter:
		return "counter"
	case PayloadZeros:
		return "zeros"
	case PayloadRandom:
		return "random seed " + strconv.FormatUint(p.Seed, 10)
	case PayloadBytes:
		return fmt.Sprintf("hex %x", []byte(p.Bytes))
	}
	return "keep"
}

// MarshalText implements [encoding.TextMarshaler].
func (p Payload) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Payload) UnmarshalText(text []byte) error {
	*p = Payload{}
	word, rest, _ := strings.Cut(string(text), " ")
	var err error
	switch {
	case word == "text" && rest != "":
		p.Kind, p.Bytes = PayloadBytes, Hex(rest)
	case word == "hex" && rest != "":
		p.Kind = PayloadBytes
		err = p.Bytes.UnmarshalText([]byte(rest))
	case word == "random":
		p.Kind = PayloadRandom
		if rest != "" {
			seed, ok := strings.CutPrefix(rest, "seed ")
			if p.Seed, err = strconv.ParseUint(strings.TrimSpace(seed), 0, 64); !ok || err != nil {
				return fmt.Errorf("%q does not follow random; write random seed 7", rest)
			}
		}
	case rest != "":
		err = fmt.Errorf("no payload; %s", payloadRemedy)
	case word == "counter":
	case word == "zeros":
		p.Kind = PayloadZeros
	case word == "keep":
		p.Kind = PayloadKeep
	default:
		err = fmt.Errorf("no payload; %s", payloadRemedy)
	}
	return err
}

// bytes returns the first n bytes of the payload.
func (p Payload) bytes(n int) []byte {
	b := make([]byte, n)
	switch p.Kind {
	case PayloadCounter:
		for i := range b {
			b[i] = byte(i)
		}
	case PayloadRandom:
		r := rand.New(rand.NewPCG(p.Seed, 0))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
	case PayloadBytes:
		copy(b, p.Bytes)
	}
	return b
}
