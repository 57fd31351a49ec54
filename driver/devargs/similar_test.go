package devargs

import (
	"errors"
	"strings"
	"testing"
)

// TestRemedies: what is likely meant is in the remedy, and parsing that works.
func TestRemedies(t *testing.T) {
	for text, want := range map[string]string{
		"emu:gen,queus=2":        "did you mean queues?",
		"emu:gen,QUEUES=2":       "did you mean queues?",
		"emu:gen,rx_queue_sz=2":  "did you mean rx_queue_size?",
		"emu:gen,promiscuous=1":  "the keys are queues, ",
		"emu:gen,packed":         "write packed= and a value",
		"emu:gen,paked":          "write packed= and a value",
		"emu:gen,":               "leave the comma out",
		"emu:gen,,packed=0":      "leave the comma out",
		"emu:pcap=a,b.pcap":      `a comma in a name is written "\,"`,
		"emu:genn":               "did you mean emu:gen?",
		"emu:Cabel=x":            "did you mean emu:cable=x?",
		"emu:void":               "the back ends are gen, ",
		"EMU:GEN":                "did you mean emu:gen?",
		"vhostuser:/run/VM.sock": "did you mean vhost-user:/run/VM.sock?",
		"/run/vm0.sock":          "write vhost-user:/run/vm0.sock",
		"gen":                    "write emu:gen",
		"cable=a":                "write emu:cable=a",
		"eth0":                   "devbind status lists the addresses of interfaces",
		"usb:1":                  "write 0000:00:03.0, vhost-user:SOCKET or emu:BACKEND",
	} {
		_, err := Parse(text)
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(bad.Remedy, want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

// TestSimilar: a key without one of its letters, or with two of them in the wrong order, is
// recognised, and one key is not taken for another.
func TestSimilar(t *testing.T) {
	for _, key := range keyNames() {
		if meant := similar(key, keyNames()); meant != key {
			t.Errorf("%s is taken for %q", key, meant)
		}
		if len(key) < 5 {
			continue
		}
		for i := 1; i < len(key)-1; i++ {
			for _, typo := range []string{key[:i] + key[i+1:], key[:i] + key[i+1:i+2] + key[i:i+1] + key[i+2:]} {
				if meant := similar(typo, keyNames()); meant != key {
					t.Errorf("%s is taken for %q, not for %s", typo, meant, key)
				}
			}
		}
	}
}
