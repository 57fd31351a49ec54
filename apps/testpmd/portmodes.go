package main

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// writeReceiveModes shows which packets a port receives beside its own.
func (t *tester) writeReceiveModes(b *strings.Builder, p *port) {
	fmt.Fprintf(b, "Promiscuous mode: %s\nAllmulticast mode: %s\n", "enabled", "disabled")
}

// maxMACs returns how many addresses a port can have.
func (t *tester) maxMACs(*port) int { return 1 }

// writeHashTypes shows over what the device computes a hash.
func writeHashTypes(b *strings.Builder, _ driver.Info) {
	b.WriteString("No RSS offload flow type is supported.\n")
}
