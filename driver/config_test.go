package driver

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

func TestZeroConfig(t *testing.T) {
	var c Config
	if err := c.complete(); err != nil {
		t.Fatal(err)
	}
	if c.Queues != 1 || c.Logger == nil || c.ResetTimeout <= 0 || c.ControlTimeout <= 0 || c.Recovery.MaxResets <= 0 {
		t.Errorf("completed to %+v", c)
	}
}

func TestInvalidConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"Queues -1":                {Queues: -1},
		"Queues 32769":             {Queues: virtio.MaxQueuePairs + 1},
		"MTU 67":                   {MTU: 67},
		"MTU 65536":                {MTU: 65536},
		"MTU -1":                   {MTU: -1},
		"MAC 03:00:00:00:00:01":    {MAC: net.HardwareAddr{3, 0, 0, 0, 0, 1}},
		"MAC 00:00:00:00:00:00":    {MAC: make(net.HardwareAddr, 6)},
		"MAC 02:00:00:00:00:00:01": {MAC: net.HardwareAddr{2, 0, 0, 0, 0, 0, 1}},
	} {
		err := c.complete()
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), name) || bad.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInvalidQueueSizes(t *testing.T) {
	split := virtio.FeatureSet(virtio.RingPacked)
	for _, c := range []struct {
		cfg  Config
		text string
	}{
		{Config{RxQueueSize: 65536}, "RxQueueSize 65536"},
		{Config{TxQueueSize: 32769}, "TxQueueSize 32769"},
		{Config{RxQueueSize: -1}, "RxQueueSize -1"},
		{Config{TxQueueSize: 3, Refuse: split}, "TxQueueSize 3"},
		{Config{RxQueueSize: 1000, Refuse: split}, "RxQueueSize 1000"},
	} {
		err := c.cfg.complete()
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.text) || bad.Remedy == "" {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	for _, c := range []Config{{RxQueueSize: 3}, {RxQueueSize: 32768, Refuse: split}, {TxQueueSize: 1, Refuse: split}} {
		if err := c.complete(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestRandomMACIsLocalAndUnicast(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		mac := randomMAC()
		if !usable(mac) || mac[0]&2 == 0 {
			t.Fatalf("%v", mac)
		}
		seen[mac.String()] = true
	}
	if len(seen) < 100 {
		t.Errorf("only %d different addresses", len(seen))
	}
}

func TestLinkInWords(t *testing.T) {
	for _, c := range []struct {
		link Link
		want string
	}{
		{Link{}, "down"},
		{Link{Speed: 1000}, "down"},
		{Link{Up: true}, "up"},
		{Link{Up: true, Speed: 25000, Duplex: FullDuplex}, "up 25000 Mbit/s full-duplex"},
		{Link{Up: true, Duplex: HalfDuplex}, "up half-duplex"},
	} {
		if got := c.link.String(); got != c.want {
			t.Errorf("%+v: %q", c.link, got)
		}
	}
}
