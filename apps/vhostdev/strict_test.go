package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// TestStrict: the driver of this project breaks no rule with either ring, and a driver that
// does is named the rules, one a line, each of which the list of rules has.
func TestStrict(t *testing.T) {
	for _, keys := range []string{"", ",packed=0"} {
		socket := filepath.Join(t.TempDir(), "s")
		o := &options{socket: socket, backend: "loop", queues: 1, size: 64, mtu: 1500, cpu: lcore.AnyCPU, strict: true}
		o.JSON = true
		s, stop := start(t, o)
		port, err := devargs.Open(t.Context(), "vhost-user:"+socket+keys,
			devargs.Options{Memory: hugepages.Options{PageSize: os.Getpagesize()}})
		if err != nil {
			t.Fatal(err)
		}
		exchange(t, s, port, 100, 100)
		if err := port.Close(); err != nil {
			t.Error(err)
		}
		if err := s.judge(); err != nil {
			t.Errorf("%q: %v", keys, err)
		}
		stop()
	}
	err := &brokenError{[]vdev.Violation{
		{Rule: "net/tx/3", Queue: 1, Text: "NEEDS_CSUM without the feature", Count: 5},
		{Rule: "split/avail/1", Queue: -1, Text: "17 more", Count: 1}}}
	want := "rule net/tx/3, queue 1: broken 5 times: NEEDS_CSUM without the feature\n" +
		"rule split/avail/1: broken once: 17 more\n--strict: the driver broke 2 of the rules in " + rulesFile
	if err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	list, readErr := os.ReadFile("../../" + rulesFile)
	if readErr != nil {
		t.Fatal(readErr)
	}
	for _, v := range err.rules {
		if !strings.Contains(string(list), v.Rule) {
			t.Errorf("%s is not in %s", v.Rule, rulesFile)
		}
	}
}
