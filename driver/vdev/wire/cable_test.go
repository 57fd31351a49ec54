package wire_test

import (
	"errors"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
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
}
