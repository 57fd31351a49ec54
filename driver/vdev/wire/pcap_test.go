package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

// ngFile is a pcapng file with an interface of a link type and packets.
func ngFile(linkType uint16, packets ...[]byte) []byte {
	block := func(kind uint32, body []byte) []byte {
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		b := binary.LittleEndian.AppendUint32(nil, kind)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(body)+12))
		b = append(b, body...)
		return binary.LittleEndian.AppendUint32(b, uint32(len(body)+12))
	}
	file := block(0x0a0d0d0a, []byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255})
	file = append(file, block(1, []byte{byte(linkType), byte(linkType >> 8), 0, 0, 0, 0, 1, 0})...)
	for _, p := range packets {
		var head [20]byte
		binary.LittleEndian.PutUint32(head[12:], uint32(len(p)))
		binary.LittleEndian.PutUint32(head[16:], uint32(len(p)))
		file = append(file, block(6, append(head[:], p...))...)
	}
	return file
}

func TestCaptureFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	frames := make([][]byte, 3)
	wire.Gen(100).Receive(0, frames)
	c, err := wire.OpenCapture(wire.CaptureConfig{Play: write("ng", ngFile(1, frames[0], []byte{1, 2, 3}, frames[1])), Repeat: true})
	if err != nil || c.Frames() != 2 || c.Skipped() != 1 {
		t.Fatalf("%v, %+v", err, c)
	}
	out := make([][]byte, 5)
	if n := c.Receive(vdev.AnyPair, out); n != 5 || !bytes.Equal(out[4], frames[0]) || !bytes.Equal(out[3], frames[1]) {
		t.Errorf("%d frames, repeated", n)
	}
	for name, text := range map[string]string{
		"missing":    filepath.Join(dir, "nothing"),
		"no capture": write("text", []byte("this is no capture file")),
		"short":      write("short", []byte("ab")),
		"link type":  write("raw", ngFile(101, frames[0])),
		"directory":  ":" + dir,
		"no name":    "",
	} {
		_, err := wire.PCAP(text)
		var e *wire.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
