package image

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// entry is one entry of an archive as the kernel reads it.
type entry struct {
	mode uint64
	data string
}

// unpack reads an archive by the format's description: numbers of eight
// hexadecimal digits behind a magic of six bytes, everything on four bytes.
func unpack(t *testing.T, b []byte) ([]string, map[string]entry) {
	t.Helper()
	var names []string
	entries := map[string]entry{}
	padded := func(n int) int { return (n + 3) &^ 3 }
	for at := 0; ; {
		if string(b[at:at+6]) != "070701" {
			t.Fatalf("no magic at %d", at)
		}
		field := func(i int) uint64 {
			v, err := strconv.ParseUint(string(b[at+6+8*i:at+14+8*i]), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		size, length := int(field(6)), int(field(11))
		name := string(b[at+110 : at+110+length-1])
		data := padded(at + 110 + length)
		if name == "TRAILER!!!" {
			return names, entries
		}
		names = append(names, name)
		entries[name] = entry{mode: field(1), data: string(b[data : data+size])}
		at = padded(data + size)
	}
}

func TestArchive(t *testing.T) {
	var b bytes.Buffer
	err := writeArchive(&b, map[string]File{
		"/init":             {Mode: 0o755, Data: []byte("12345")},
		"/lib/modules/a.ko": {Mode: 0o644, Data: []byte("abcd")}, "/lib/b": {Mode: 0o600},
	})
	if err != nil {
		t.Fatal(err)
	}
	names, entries := unpack(t, b.Bytes())
	if got := strings.Join(names, " "); got != "lib lib/modules init lib/b lib/modules/a.ko" {
		t.Errorf("entries: %s; a directory must come before what is in it", got)
	}
	want := map[string]entry{
		"lib": {0o40755, ""}, "lib/modules": {0o40755, ""}, "init": {0o100755, "12345"},
		"lib/b": {0o100600, ""}, "lib/modules/a.ko": {0o100644, "abcd"},
	}
	if fmt.Sprint(entries) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", entries, want)
	}
}

func TestNoKernel(t *testing.T) {
	_, err := FindKernel(t.TempDir())
	var none *NoKernelError
	if !errors.As(err, &none) || !strings.Contains(err.Error(), "scripts/guest-kernel.sh") {
		t.Errorf("got %v, want a *NoKernelError that names the script", err)
	}
}

func TestModules(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"kernel/a-b.ko", "kernel/sub/c.ko", "kernel/sub/notes"} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("no module"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m, err := findModules(dir)
	if err != nil || len(m) != 2 || m["a_b"] != filepath.Join(dir, "kernel/a-b.ko") ||
		m["c"] == "" {
		t.Errorf("found %v, %v", m, err)
	}
	if _, err := m.closure([]string{"d-e"}); err == nil || !strings.Contains(err.Error(), `"d_e"`) {
		t.Errorf("a module that does not exist: %v", err)
	}
	if _, err := m.closure([]string{"a-b"}); err == nil ||
		!strings.Contains(err.Error(), "a-b.ko") {
		t.Errorf("a file that is no module: %v", err)
	}
}
