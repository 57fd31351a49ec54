package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

func TestCables(t *testing.T) {
	var cables wire.Cables
	a, err := cables.End("x")
	if err != nil {
		t.Fatal(err)
	}
	if s := cables.Single(); len(s) != 1 || s[0] != "x" {
		t.Errorf("cables with one end: %v", s)
	}
	b, err := cables.End("x")
	if err != nil {
		t.Fatal(err)
	}
	other, err := cables.End("y")
	if err != nil {
		t.Fatal(err)
	}
	_, err = cables.End("x")
	var e *wire.Error
	if !errors.As(err, &e) || e.Name != "x" {
		t.Errorf("third end: %v", err)
	}
	frames := make([][]byte, 4)
	a.Transmit(0, [][]byte{{1}, {2}})
	if other.Receive(0, frames) != 0 || b.Receive(0, frames) != 2 || frames[0][0] != 1 || frames[1][0] != 2 || a.Receive(0, frames) != 0 {
		t.Error("frames went the wrong way")
	}
	if err := a.Close(); err != nil { // an end that is closed can be had again, and is the same one
		t.Fatal(err)
	}
	again, err := cables.End("x")
	if err != nil {
		t.Fatal(err)
	}
	b.Transmit(0, [][]byte{{3}})
	if again.Number() != 0 || b.Number() != 1 || again.Receive(0, frames) != 1 || frames[0][0] != 3 {
		t.Error("it is not the end that was closed")
	}
}

// A cable holds fewer large frames than small ones, wakes who has more of them, and gets
// none mixed up with the offloads of those that were in the same place.
func TestLargeFramesInCable(t *testing.T) {
	a, b := wire.Cable()
	defer a.Close()
	defer b.Close()
	woken := 0
	if err := a.Attach(func() { woken++ }); err != nil {
		t.Fatal(err)
	}
	var frames [][]byte
	var offloads []vdev.Offload
	for i := range 200 {
		n := 60000
		if i%10 == 9 {
			n = 60
		}
		frames = append(frames, bytes.Repeat([]byte{byte(i)}, n))
		offloads = append(offloads, vdev.Offload{GSOSize: uint16(i)})
	}
	in, with := make([][]byte, 7), make([]vdev.Offload, 7)
	for lap := range 8 {
		sent, got := 0, 0
		for got < len(frames) {
			if lap%2 == 0 {
				sent += a.TransmitOffloads(0, frames[sent:], offloads[sent:])
			} else {
				sent += a.Transmit(0, frames[sent:])
			}
			if most := 8<<20/60000 + 2; got == 0 && (sent < most/2 || sent > 2*most) {
				t.Fatalf("%d frames fit", sent)
			}
			before := woken
			n := b.ReceiveOffloads(0, in, with)
			for i, f := range in[:n] {
				want := vdev.Offload{}
				if lap%2 == 0 {
					want = offloads[got]
				}
				if !bytes.Equal(f, frames[got]) || with[i] != want {
					t.Fatalf("lap %d: frame %d of %d bytes came as %d bytes with %+v", lap, got, len(frames[got]), len(f), with[i])
				}
				got++
			}
			if got > len(in) && sent < len(frames) && woken == before {
				t.Fatalf("not woken after %d frames", got)
			}
		}
	}
	features := virtio.FeatureSet(virtio.NetGuestCSUM)
	if b.SetOffloads(features); a.Takes() != features || !b.Takes().Empty() {
		t.Error("an end takes what is not the other's")
	}
	if b.Close() != nil || !a.Takes().Empty() {
		t.Error("an end without a device takes offloads")
	}
}
