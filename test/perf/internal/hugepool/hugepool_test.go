package hugepool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReserve checks that with a file in place of the kernel's, the number goes up, the
// file is locked meanwhile, and all is as before afterwards.
func TestReserve(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nr_hugepages")
	if err := os.WriteFile(path, []byte("12"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := reserve(path, 30, "")
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "42" {
		t.Errorf("%q pages, want 42", text)
	}
	other, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK {
		t.Errorf("the lock is free: %v", err)
	}
	if err := p.Release(); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "12" {
		t.Errorf("%q pages, want 12", text)
	}
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Errorf("the lock is kept: %v", err)
	}
}

func TestReserveFails(t *testing.T) {
	if _, err := reserve(filepath.Join(t.TempDir(), "missing"), 1, ""); err == nil ||
		!strings.Contains(err.Error(), "root") {
		t.Errorf("%v", err)
	}
	// What cannot be mounted leaves the number as it was.
	dir := t.TempDir()
	path := filepath.Join(dir, "nr_hugepages")
	if err := os.WriteFile(path, []byte("5"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := reserve(path, 1, filepath.Join(dir, "no", "such")); err == nil {
		t.Error("mounted where there is no directory")
	}
	if text, _ := os.ReadFile(path); string(text) != "5" {
		t.Errorf("%q pages, want 5", text)
	}
	// /dev/full takes no number.
	if _, err := reserve("/dev/full", 1, ""); err == nil {
		t.Error("pages were reserved in /dev/full")
	}
}
