package devargs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

// TestFullDisk: a frame that is not in the recording counts as dropped and not as sent,
// and closing the port fails.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 && os.Getenv("CI") == "" { // in CI it fails instead
		t.Skip("to mount a file system takes root; CI has it")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	file := filepath.Join(dir, "r.pcap")
	port, err := Open(t.Context(), "emu:pcap=:"+file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	for sent < 3000 {
		sent += sendSome(port, 32)
	}
	recorded := func() uint64 {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		return uint64(info.Size()-24) / (16 + 60)
	}
	waitStats(t, port, "every frame is in the file or counted as dropped", func(s driver.Stats) bool {
		return s.TxPackets+s.TxDropped == uint64(sent) && s.TxDropped > 0 &&
			s.TxPackets == recorded() && s.TxBytes == 60*s.TxPackets
	})
	var bad *wire.Error
	if err := port.Close(); !errors.As(err, &bad) || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("close: %v", err)
	}
}

// TestTwoRecordings: two ports do not record into one file.
func TestTwoRecordings(t *testing.T) {
	dir := t.TempDir()
	open(t, "emu:pcap=:"+dir+"/r.pcap", Options{})
	if err := os.Symlink("r.pcap", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	var bad *wire.Error
	if _, err := Open(t.Context(), "emu:pcap=:"+dir+"/link", Options{}); !errors.As(err, &bad) {
		t.Errorf("the second: %v", err)
	}
	open(t, `emu:pcap=:`+dir+`/a\,b:c\\d`, Options{})
	if _, err := os.Stat(dir + `/a,b:c\d`); err != nil {
		t.Error(err)
	}
}
