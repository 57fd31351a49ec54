package command

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
)

func helpOf(t *testing.T, args ...string) string {
	t.Helper()
	app := New("app", "usage", nil, func(*cli.Context, Options) error {
		t.Errorf("%q is not taken for help", args)
		return nil
	})
	var stdout, stderr bytes.Buffer
	if status := Run(app, append([]string{"app"}, args...), &stdout, &stderr); status != 0 || stderr.Len() != 0 {
		t.Errorf("%q: status %d, %s", args, status, stderr.String())
	}
	return stdout.String()
}

// TestHelp: --help and help explain ports with each device and key and an example that
// is valid; help ports is the grammar.
func TestHelp(t *testing.T) {
	text := helpOf(t, "--help")
	if helpOf(t, "help") != text || helpOf(t, "-h") != text {
		t.Error("help, -h and --help differ")
	}
	for _, want := range append(devices(t), strings.Split(devargs.Keys(), ", ")...) {
		if !strings.Contains(text, want) {
			t.Errorf("--help lacks %q", want)
		}
	}
	_, example, _ := strings.Cut(text, "For example:")
	example, _, _ = strings.Cut(strings.TrimSpace(example), "\n")
	ports := 0
	for _, word := range strings.Fields(example) {
		if strings.Contains(word, ":") {
			ports++
			if _, err := devargs.Parse(word); err != nil {
				t.Error(err)
			}
		}
	}
	if ports != 2 || !strings.Contains(text, "app help ports") {
		t.Errorf("the example %q has %d ports", example, ports)
	}
	if got := helpOf(t, "help", "ports"); got != devargs.Grammar() {
		t.Errorf("help ports is %q", got)
	}
}

// TestReadme: the README of the commands has every device and every key.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices(t) {
		if !regexp.MustCompile("\\n\\| `(emu:|\\[pci:\\])?" + regexp.QuoteMeta(d)).Match(text) {
			t.Errorf("the README lacks device %q", d)
		}
	}
	for key := range strings.SplitSeq(devargs.Keys(), ", ") {
		if !bytes.Contains(text, []byte("| `"+key)) && !bytes.Contains(text, []byte(", `"+key+"`")) {
			t.Errorf("the README lacks key %q", key)
		}
	}
}

// devices returns the devices of the grammar, without "[pci:]" and "emu:".
func devices(t *testing.T) []string {
	t.Helper()
	var list []string
	_, text, _ := strings.Cut(devargs.Grammar(), "\nDEVICE ")
	text, _, _ = strings.Cut(text, "\nKEY ")
	for line := range strings.Lines(text) {
		if word, _, _ := strings.Cut(line, " "); strings.ContainsAny(word, ":") {
			list = append(list, strings.TrimPrefix(word, "emu:"))
		}
	}
	if len(list) < 8 {
		t.Fatalf("the grammar has %q", list)
	}
	for i, d := range list {
		list[i] = strings.TrimPrefix(d, "[pci:]")
	}
	return list
}
