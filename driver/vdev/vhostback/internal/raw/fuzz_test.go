package raw

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// FuzzRawRings: the engine goes by pointers, so only its own checks keep it inside
// the memory that is shared. Here that lies between two strips that must stay as
// they are, and rings and descriptors are what the input says.
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
		e, err := New(Config{Generate: true}, 1, func() { failures++ })
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
		if err := e.Remap([]vdev.Mapping{{Address: guest, Memory: mem}}, nil); err != nil {
			t.Fatal(err)
		}
		e.Begin(features)
		for i := range 2 {
			v := vdev.Ring{Size: n, Position: binary.LittleEndian.Uint16(shape[2:])}
			at := ringAt
			for a := range v.Areas {
				length := vdev.AreaSize(packed, vdev.Area(a), n)
				v.Areas[a] = mem[at : at+length : at+length]
				at = (at + length + 15) &^ 15
			}
			e.EnableRing(i, true)
			_ = e.StartRing(i, v) // which of them start does not matter here
		}
		for range 8 {
			e.Poll()
		}
		if v, _ := e.Failure(); v.Rule == "x/device/panic" {
			t.Fatal(v)
		}
		for i := range 2 {
			e.StopRing(i)
		}
		for i, b := range memory {
			if b != 0xa5 && (i < strip || i >= strip+size) {
				t.Fatalf("byte %d outside the shared memory was written", i-strip)
			}
		}
	})
}
