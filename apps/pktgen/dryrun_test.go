package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire/capture"
)

// dry runs the command without ports.
func dry(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = command.Run(app(), append([]string{"pktgen", "--dry-run"}, args...), &out, &errs)
	return status, out.String(), errs.String()
}

// TestDryRunOfExamples prints packets of the scenarios beside the command, and writes them
// into capture files.
func TestDryRunOfExamples(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		status, out, errs := dry("--line-rate", "10Gbps", "--packets", "2", "--scenario", file)
		if status != 0 || !strings.Contains(out, "packet 1: ") || strings.Contains(out, "packet 2: ") {
			t.Errorf("%s: status %d: %s%s", file, status, out, errs)
		}
		written := filepath.Join(t.TempDir(), "x.pcapng")
		if status, _, errs := dry("--line-rate", "10Gbps", "--write", written, "--scenario", file); status != 0 {
			t.Errorf("%s: status %d: %s", file, status, errs)
			continue
		}
		frames := 0
		r := capture.Reader{Frame: func(capture.Frame) error { frames++; return nil }}
		f, err := os.Open(written)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Read(f); err != nil || frames < 4 {
			t.Errorf("%s: %d frames, %v", file, frames, err)
		}
		_ = f.Close()
	}
}

// TestDryRunOfBadScenario: what is wrong is named with file, line and field, and nothing is
// printed.
func TestDryRunOfBadScenario(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(file, []byte("streams:\n- name: a\n  packt: [ethernet]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, errs := dry("--scenario", file)
	if want := file + ":3: streams[0].packt: unknown field; use one of name, port"; status == 0 || out != "" || !strings.Contains(errs, want) {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
}
