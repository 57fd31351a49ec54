package pci_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

func TestParseAddress(t *testing.T) {
	for _, c := range []struct {
		text string
		want pci.Address
		form string
	}{
		{"0000:00:03.0", pci.Address{Device: 3}, "0000:00:03.0"},
		{"00:03.0", pci.Address{Device: 3}, "0000:00:03.0"},
		{"ff:1F.7", pci.Address{Bus: 0xff, Device: 0x1f, Function: 7}, "0000:ff:1f.7"},
		{"10000:e1:00.5", pci.Address{Domain: 0x10000, Bus: 0xe1, Function: 5}, "10000:e1:00.5"},
		{"FFFF:0a:00.1", pci.Address{Domain: 0xffff, Bus: 10, Function: 1}, "ffff:0a:00.1"},
	} {
		got, err := pci.ParseAddress(c.text)
		if err != nil || got != c.want || got.String() != c.form {
			t.Errorf("%q: %+v %q, %v", c.text, got, got, err)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for text, part := range map[string]string{
		"":                  "colon",
		"eth0":              "colon",
		"03.0":              "colon",
		"00:03":             "dot",
		"00:03.8":           "function",
		"00:20.0":           "device",
		"00:3.0":            "device",
		"0:03.0":            "bus",
		"100:03.0":          "bus",
		"000:00:03.0":       "domain",
		"123456789:00:03.0": "domain",
		"0000:00:03.0 ":     "function",
		"0000:00:0x.0":      "device",
		"0000:00:+3.0":      "device",
		"00_0:00:03.0":      "domain",
		"0000:0000:00:03.0": "bus",
		"virtio0:00:03.0":   "domain",
		"0000:00:03.0.1":    "function",
		"../0:00:03.0":      "domain",
	} {
		_, err := pci.ParseAddress(text)
		var wrong *pci.AddressError
		if !errors.As(err, &wrong) {
			t.Errorf("%q: got %v, want an AddressError", text, err)
			continue
		}
		if wrong.Value != text || !strings.Contains(wrong.Reason, part) {
			t.Errorf("%q: %+v does not name the %s", text, wrong, part)
		}
	}
}

func TestAddressesSortAsLspciDoes(t *testing.T) {
	var got []pci.Address
	want := []string{"0000:00:02.0", "0000:00:10.0", "0000:00:10.1", "0000:01:00.0", "ffff:00:00.0",
		"10000:00:00.0"}
	for _, s := range want {
		a, err := pci.ParseAddress(s)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
	slices.Reverse(got)
	slices.SortFunc(got, pci.Address.Compare)
	for i, a := range got {
		if a.String() != want[i] {
			t.Errorf("place %d: %s, want %s", i, a, want[i])
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("0000:00:03.0")
	f.Add("10000:e1:00.5")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := pci.ParseAddress(s)
		if err != nil {
			return
		}
		again, err := pci.ParseAddress(a.String())
		if err != nil || again != a {
			t.Fatalf("%q was read as %v, which is read as %v, %v", s, a, again, err)
		}
	})
}
