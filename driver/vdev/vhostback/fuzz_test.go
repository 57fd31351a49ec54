package vhostback_test

import (
	"encoding/binary"
	"errors"
	"net"
	"runtime/debug"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// tape returns the bytes of the fuzzer, zeros at the end.
type tape struct{ b []byte }

func (p *tape) more() bool { return len(p.b) > 0 }

func (p *tape) byte() byte {
	if len(p.b) == 0 {
		return 0
	}
	v := p.b[0]
	p.b = p.b[1:]
	return v
}

// number returns a number that is likely to be valid somewhere.
func (p *tape) number() uint64 {
	v := uint64(p.byte())
	switch kind := v >> 4; kind {
	case 0, 1, 2:
		return v
	case 3:
		return 1 << (v & 15)
	case 4:
		return 1 << (v&15 + 16)
	case 5:
		return bits(bitVersion1, bitProtocol) | 1<<(v&15+20)
	case 6, 7:
		return guestBase + (v&31)<<12
	case 8, 9, 10, 11:
		return userBase + (v&63)<<10
	case 12:
		return ^uint64(0) - v&15
	case 13:
		return shared
	case 14:
		return 0x80008000
	}
	return uint64(p.byte())<<8 | uint64(p.byte())
}

// sizes of the payloads of requests, in numbers of 4 and of 8 bytes.
var payloads = map[byte][2]int{
	setFeatures: {0, 1}, setVringNum: {2, 0}, setVringAddr: {2, 4}, setVringBase: {2, 0}, getVringBase: {2, 0},
	setVringKick: {0, 1}, setVringCall: {0, 1}, setVringErr: {0, 1}, setProtocolFeatures: {0, 1}, setVringEnable: {2, 0},
	netSetMTU: {0, 1}, getConfig: {4, 0}, setConfig: {4, 0}, addMemReg: {0, 5}, remMemReg: {0, 5}, setStatus: {0, 1},
	setMemTable: {2, 4}, getInflight: {5, 0}, setInflight: {5, 0}, sendRARP: {0, 1},
}

// play makes a front end do what the bytes say, until the connection or they end.
func play(f *front, p *tape, kickFD int) {
	for p.more() {
		op := p.byte()
		switch {
		case op < 48:
			n := payloads[op]
			var b []byte
			for range n[0] {
				b = binary.NativeEndian.AppendUint32(b, uint32(p.number()))
			}
			for range n[1] {
				b = binary.NativeEndian.AppendUint64(b, p.number())
			}
			how := p.byte()
			if how&0x40 != 0 {
				b = append(b, how) // one byte too many
			}
			var fds []int
			for range how & 3 {
				fds = append(fds, []int{f.fd, kickFD}[how>>2&1])
			}
			if f.try(encode(uint32(op), uint32(how>>3&1)*needReply, b), fds...) != nil {
				return
			}
		case op < 64: // bytes as they are
			n := min(int(op&15), len(p.b))
			if f.try(p.b[:n]) != nil {
				return
			}
			p.b = p.b[n:]
		case op < 128: // something in a ring
			binary.LittleEndian.PutUint64(f.mem[int(op&63)<<10+int(p.byte())*4:], p.number())
		case op < 200: // a whole set-up
			f.mem[4+2*int(op&7)] = op
			messages, fds := conversation(f, kickFD, kickFD)
			for i := range messages {
				if f.try(messages[i], fds[i]...) != nil {
					return
				}
			}
		default:
			kick(kickFD)
			f.back.Poll()
		}
	}
}

// FuzzMessages: with any messages of a peer the back end does not crash, releases
// everything, and ends the connection with one of its typed errors.
func FuzzMessages(fz *testing.F) {
	fz.Add([]byte{setOwner, 0, getFeatures, 0, setProtocolFeatures, 0xff, 1, 0, 0})
	fz.Add([]byte{150, 64, 0x40, 255, 255, getVringBase, 0, 0, 0, 255, resetDevice, 0, 255})
	fz.Add([]byte{setMemTable, 1, 0, 0x60, 0xd0, 0x80, 0, 1})
	fz.Add([]byte{getInflight, 0, 0, 0, 0, 0x52, 0})
	fz.Add([]byte{setProtocolFeatures, 0xff, 0x10, 1, 0, setInflight, 0xd0, 0, 0, 0, 0xff, 1, 2, 1, 150, 255, 255})
	fz.Add([]byte{60, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	var fronts []*front
	for _, cfg := range []vhostback.Config{
		{Stepped: true, Device: vdev.Config{Backend: wire.Gen(64)}}, {Raw: &vhostback.RawConfig{Generate: true}},
	} {
		fronts = append(fronts, newFront(fz, cfg))
	}
	kickFD := fdtest.Eventfd(fz)
	for _, f := range fronts {
		_ = f.socket.Close()
		_ = f.over()
	}
	fds, maps := resources(fz)
	fz.Fuzz(func(t *testing.T, data []byte) {
		debug.SetPanicOnFault(true)
		for _, f := range fronts {
			f.t, f.fds, f.maps = t, fds, maps
			clear(f.mem)
			c, err := net.Dial("unix", f.path)
			if err != nil {
				t.Fatal(err)
			}
			f.socket = c.(*net.UnixConn)
			go func() { // replies have to be read
				b := make([]byte, 4096)
				for {
					if _, err := c.Read(b); err != nil {
						return
					}
				}
			}()
			// A connection over which nothing was sent is no peer, and does not end.
			if err := f.try(encode(getFeatures, 0, nil)); err != nil {
				t.Fatal(err)
			}
			play(f, &tape{data}, kickFD)
			_ = f.socket.CloseWrite()
			judge(t, f.over())
			f.clean()
			if f.back.State().Up {
				t.Fatal("still up")
			}
		}
	})
}

func judge(t *testing.T, err error) {
	t.Helper()
	var other *vhostback.Error
	var ring *vhostback.RingError
	switch {
	case err == nil, errors.As(err, &other):
	case errors.As(err, &ring):
		if ring.Rule == "x/device/panic" {
			t.Fatal(err)
		}
	default:
		t.Fatalf("the connection ended with a %T: %v", err, err)
	}
}
