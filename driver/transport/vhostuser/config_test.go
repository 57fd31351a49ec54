package vhostuser_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

func TestConfigOfOurOwn(t *testing.T) {
	b := newBackend(t).listen()
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	d := open(t, b, vhostuser.Options{MAC: mac, MTU: 9000})
	got := make([]byte, 12)
	if err := d.ReadConfig(0, 1, got); err != nil {
		t.Fatal(err)
	}
	want := append(append([]byte(nil), mac...), 1, 0, 2, 0, 0x28, 0x23)
	if !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	for _, log := range b.messages() {
		if log == "GET_CONFIG" {
			t.Error("the configuration of the back end was requested")
		}
	}
	for _, c := range []struct{ off, width, n int }{{-1, 1, 1}, {1, 2, 2}, {0, 3, 3}, {12, 4, 8},
		{17, 1, 1}, {1 << 62, 1, 1}} {
		if err := d.ReadConfig(c.off, c.width, make([]byte, c.n)); !is[*transport.Error](err) {
			t.Errorf("%+v: %T %v", c, err, err)
		}
	}
}

func TestConfigOfTheBackEnd(t *testing.T) {
	b := full(t)
	b.features |= 1<<5 | 1<<16 | 1<<3 | 1<<63
	copy(b.config, []byte{2, 0, 0, 0, 0, 9, 0, 0, 1, 0, 0xdc, 5, 0x10, 0x27, 0, 0, 1})
	b.listen()
	d := open(t, b, vhostuser.Options{})
	f := features(t, d)
	if !f.Has(virtio.NetMAC) || !f.Has(virtio.NetMTU) || !f.Has(virtio.NetSpeedDuplex) ||
		f.Has(virtio.NetMQ) {
		t.Errorf("features %v", f)
	}
	got := make([]byte, 17)
	if err := d.ReadConfig(0, 1, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.config[:17]) {
		t.Errorf("%x, want %x", got, b.config[:17])
	}
}

// The reply to GET_CONFIG has the offset and the size of the request. Its flags mean
// nothing: those of a request say what the front end writes.
func TestConfigReplyHead(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    int // in the payload
		value uint32
		valid bool
	}{
		{"as requested", 8, 0, true},
		{"flags", 8, 0x30303030, true},
		{"flags of a migration", 8, 1, true},
		{"offset", 0, 1, false},
		{"larger size", 4, 256, false},
		{"no size", 4, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := full(t)
			b.answer = func(p *peer, m msg) bool {
				if m.id != 24 {
					return false
				}
				binary.NativeEndian.PutUint32(m.payload[c.at:], c.value)
				copy(m.payload[12:], b.config)
				p.reply(m.id, m.payload)
				return true
			}
			b.listen()
			d, err := tryOpen(b.path, vhostuser.Options{})
			if err == nil {
				err = errors.Join(d.ReadConfig(0, 1, make([]byte, 17)), d.Close())
			}
			if c.valid && err != nil || !c.valid && !isProtocol(err) {
				t.Errorf("%T %v", err, err)
			}
		})
	}
}

// A back end that offers its configuration and answers with nothing.
func TestConfigRefused(t *testing.T) {
	b := full(t)
	b.answer = func(p *peer, m msg) bool {
		if m.id == 24 {
			p.reply(m.id, nil)
		}
		return m.id == 24
	}
	b.listen()
	d := open(t, b, vhostuser.Options{})
	var link [2]byte
	if err := d.ReadConfig(virtio.NetConfigStatus, 2, link[:]); err != nil ||
		link[0] != virtio.NetStatusLinkUp {
		t.Errorf("link %v, %v", link, err)
	}
}
