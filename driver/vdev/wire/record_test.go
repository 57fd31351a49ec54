package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/gopacket/pcapgo"
	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

// newRecording opens a recording whose log goes into the buffer.
func newRecording(t *testing.T, cfg wire.CaptureConfig) (*wire.Capture, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	c, err := wire.OpenCapture(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c, &log
}

// transmitAll transmits n frames of 100 bytes in bursts of 32, and has them written.
func transmitAll(t *testing.T, c *wire.Capture, n int) {
	t.Helper()
	gen, frames := wire.Gen(100), make([][]byte, 32)
	for sent := 0; sent < n; {
		k := gen.Receive(0, frames[:min(len(frames), n-sent)])
		if c.Transmit(0, frames[:k]) != k {
			t.Fatal("frames were refused")
		}
		sent += k
	}
	c.Receive(0, nil)
	c.Receive(0, nil) // as a device without work does
}

// recorded returns how many frames a recording has. Each is whole, and in order; and
// another reader than ours thinks so as well.
func recorded(t *testing.T, name string) int {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	n, size := 0, 24
	for ; size < len(b); n++ {
		frame, _, err := r.ReadPacketData()
		if _, seq, ok := wire.SeqFrame(frame); err != nil || !ok || seq != uint64(n) {
			t.Fatalf("frame %d of %s: %v, number %d, valid %v", n, name, err, seq, ok)
		}
		size += 16 + len(frame)
	}
	if size != len(b) {
		t.Errorf("%s has %d bytes, its frames %d", name, len(b), size)
	}
	return n
}

// smallDisk mounts a file system that is soon full.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 && os.Getenv("CI") == "" { // in CI it fails instead
		t.Skip("to mount a file system takes root; CI has it")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestRecordFullDisk: when a recording fails, that is said at once and once; what is in
// the file is whole; every other frame counts as lost, and closing says how many and why.
func TestRecordFullDisk(t *testing.T) {
	for _, c := range []struct {
		name   string
		open   func(t *testing.T) (*wire.Capture, *bytes.Buffer, string)
		is     error
		remedy string
	}{
		{"disk", func(t *testing.T) (*wire.Capture, *bytes.Buffer, string) {
			name := filepath.Join(smallDisk(t), "r.pcap")
			c, log := newRecording(t, wire.CaptureConfig{Record: name})
			return c, log, name
		}, unix.ENOSPC, "make room"},
		{"limit of the process", func(t *testing.T) (*wire.Capture, *bytes.Buffer, string) {
			// Only while the recording is opened: no other file of this process is to
			// meet it.
			var old unix.Rlimit
			err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old)
			if err == nil {
				err = unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 60000, Max: old.Max})
			}
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Setrlimit(unix.RLIMIT_FSIZE, &old)
			name := filepath.Join(t.TempDir(), "r.pcap")
			c, log := newRecording(t, wire.CaptureConfig{Record: name})
			return c, log, name
		}, unix.EFBIG, "ulimit -f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, log, name := c.open(t)
			const before, sent = 320, 2000
			transmitAll(t, w, before)
			if lost, _ := w.Lost(); lost != 0 || log.Len() != 0 {
				t.Errorf("%d lost before the disk was full, logged: %s", lost, log)
			}
			transmitAll(t, w, sent-before)
			if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "frames are lost from now on") {
				t.Errorf("%d warnings:\n%s", n, log)
			}
			lost, size := w.Lost()
			err := w.Close()
			var e *wire.Error
			if !errors.As(err, &e) || !errors.Is(err, c.is) || e.Name != name || !strings.Contains(e.Remedy, c.remedy) ||
				!strings.HasPrefix(e.Reason, fmt.Sprint(lost, " transmitted frames")) {
				t.Errorf("close: %v", err)
			}
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if in := uint64(info.Size()-24) / 116; in+lost != sent || size != 100*lost || (info.Size()-24)%116 != 0 {
				t.Errorf("%d frames in the file of %d bytes, %d lost (%d bytes)", in, info.Size(), lost, size)
			}
		})
	}
}

// TestRecordFault: a frame whose memory is taken away while it is recorded leaves no
// trace in the file.
func TestRecordFault(t *testing.T) {
	gone, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(gone)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	name := filepath.Join(t.TempDir(), "r.pcap")
	w, _ := newRecording(t, wire.CaptureConfig{Record: name})
	frames := make([][]byte, 3)
	wire.Gen(100).Receive(0, frames)
	for i, burst := range [][][]byte{frames[:1], {frames[1], gone[:100]}, frames[2:]} {
		func() {
			defer func() {
				if (recover() != nil) != (i == 1) {
					t.Errorf("burst %d did not fault, or another did", i)
				}
			}()
			w.Transmit(0, burst)
		}()
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if n := recorded(t, name); n != 3 {
		t.Errorf("%d frames", n)
	}
}

// TestRecordLimit: a recording ends at its limit, complete, and nothing counts as lost.
func TestRecordLimit(t *testing.T) {
	name := filepath.Join(t.TempDir(), "r.pcap")
	for _, limit := range []int64{1 << 10, 24 + 116*7, 24 + 116*32, 24 + 116*40 - 1} {
		w, log := newRecording(t, wire.CaptureConfig{Record: name, RecordLimit: limit})
		transmitAll(t, w, 100)
		transmitAll(t, w, 100)
		if lost, _ := w.Lost(); lost != 0 || strings.Count(log.String(), "reached its limit") != 1 {
			t.Errorf("limit %d: %d lost, logged:\n%s", limit, lost, log)
		}
		if err := w.Close(); err != nil {
			t.Errorf("limit %d: %v", limit, err)
		}
		if n, want := recorded(t, name), int(limit-24)/116; n != want {
			t.Errorf("limit %d: %d frames, want %d", limit, n, want)
		}
	}
}

// TestRecordOneFile: a file is recorded into once at a time, under whatever name, and
// the recording that is there stays as it is; nor is it played meanwhile.
func TestRecordOneFile(t *testing.T) {
	dir := t.TempDir()
	name, soft, hard := filepath.Join(dir, "r.pcap"), filepath.Join(dir, "soft"), filepath.Join(dir, "hard")
	w, _ := newRecording(t, wire.CaptureConfig{Record: name})
	transmitAll(t, w, 10)
	if err := errors.Join(os.Symlink(name, soft), os.Link(name, hard)); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []wire.CaptureConfig{{Record: name}, {Record: soft}, {Record: hard}, {Play: soft}} {
		_, err := wire.OpenCapture(cfg)
		var e *wire.Error
		if !errors.As(err, &e) || !strings.Contains(e.Reason, "another port or program") || e.Remedy == "" {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	if n := recorded(t, name); n != 10 {
		t.Errorf("%d frames are left", n)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := wire.OpenCapture(wire.CaptureConfig{Play: name, Record: soft}); err == nil || recorded(t, name) != 10 {
		t.Errorf("a recording over the file that is played: %v", err)
	}
	// Another process with a lock of its own.
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := wire.OpenCapture(wire.CaptureConfig{Record: name}); err == nil || recorded(t, name) != 10 {
		t.Errorf("a recording into a locked file: %v", err)
	}
	for range 2 { // has no size, and takes any number of recordings
		null, _ := newRecording(t, wire.CaptureConfig{Record: os.DevNull})
		transmitAll(t, null, 10)
		defer null.Close()
	}
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := wire.OpenCapture(wire.CaptureConfig{Record: pipe}); err == nil {
		t.Error("a recording into a pipe")
	}
}
