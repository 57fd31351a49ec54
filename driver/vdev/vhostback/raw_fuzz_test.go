package vhostback

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// FuzzRawRings: the loops of raw mode go by pointers, so nothing but their own
// checks keeps them inside the memory that is shared. Here it lies between two
// strips that nobody may touch, and rings and descriptors are what the bytes say.
func FuzzRawRings(f *testing.F) {
	const (
		strip  = 1 << 12
		size   = 1 << 14
		guest  = 0x10000
		ringAt = 0
	)
	f.Add([]byte{0, 3, 0, 0}, []byte{0, 0, 1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 2, 0})
	f.Add([]byte{1, 8, 0x80, 0}, []byte{0, 0, 1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0x82, 0})
	f.Add([]byte{3, 200, 0x80, 0}, bytes.Repeat([]byte{0xf0, 0x3f, 1, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0x80, 0}, 200))
	f.Fuzz(func(t *testing.T, shape, content []byte) {
		if len(shape) < 4 {
			return
		}
		features := virtio.FeatureSet(virtio.Version1)
		if shape[0]&1 != 0 {
			features = features.With(virtio.RingPacked)
		}
		if shape[0]&2 != 0 {
			features = features.With(virtio.InOrder)
		}
		packed := features.Has(virtio.RingPacked)
		n := 1 << (shape[1] % 9)
		if packed {
			n = 1 + int(shape[1])
		}
		var failures int
		r, err := newRaw(RawConfig{Generate: true}, 1, func() { failures++ })
		if err != nil {
			t.Fatal(err)
		}
		// Words of 8 bytes at the beginning keep everything aligned.
		all := make([]uint64, (size+2*strip)/8)
		memory := asBytes(all)
		for i := range memory {
			memory[i] = 0xa5
		}
		mem := memory[strip : strip+size : strip+size]
		clear(mem)
		for i := 0; i+len(content) <= size && len(content) > 0; i += len(content) {
			copy(mem[i:], content)
		}
		shared := table{{regionInfo: regionInfo{guest: guest, size: size}, mem: mem}}
		if err := r.remap(shared, nil); err != nil {
			t.Fatal(err)
		}
		r.begin(features)
		for i := range 2 {
			v := vdev.Vring{Size: n, Position: binary.LittleEndian.Uint16(shape[2:])}
			at := ringAt
			for a := range v.Areas {
				length := vdev.AreaSize(packed, vdev.Area(a), n)
				v.Areas[a] = mem[at : at+length : at+length]
				at = (at + length + 15) &^ 15
			}
			r.enable(i, true)
			if err := r.start(i, v); err != nil {
				var ring *RingError
				if !errors.As(err, &ring) {
					t.Fatalf("%v (%T)", err, err)
				}
			}
		}
		for range 8 {
			r.poll()
		}
		if err := r.failure(); err != nil {
			if ring := err.(*RingError); ring.Rule == "x/device/panic" {
				t.Fatal(err)
			}
		}
		for i := range 2 {
			r.stop(i)
		}
		for i, b := range memory {
			if b != 0xa5 && (i < strip || i >= strip+size) {
				t.Fatalf("byte %d behind the shared memory was written", i-strip)
			}
		}
	})
}
