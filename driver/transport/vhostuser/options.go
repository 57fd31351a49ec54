package vhostuser

import (
	"log/slog"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	// maxPath is the longest path of a socket, bytes: struct sockaddr_un has
	// 108 and a zero byte at the end.
	maxPath  = 107
	maxMTU   = 65535
	macBytes = 6

	defaultTimeout      = 3 * time.Second
	defaultSetUpTimeout = 10 * time.Second
)

// complete checks the options as far as that needs no socket and sets defaults.
func (o *Options) complete(path string) error {
	switch {
	case path == "":
		return optionError("path", `""`, "no socket is named", "give the path of the socket")
	case len(path) > maxPath:
		return optionError("path", path, "longer than the 107 bytes that a socket address holds",
			"take a shorter path, or a relative one")
	case o.Queues < 0 || o.Queues > maxRings/2:
		return optionError("Queues", o.Queues,
			"not between 1 and 128, the most that the messages can number",
			"0 takes what the back end has")
	case o.MTU != 0 && (o.MTU < virtio.MinMTU || o.MTU > maxMTU):
		return optionError("MTU", o.MTU, "not between 68 and 65535", "0 is none")
	case o.MAC != nil && len(o.MAC) != macBytes:
		return optionError("MAC", o.MAC, "not 6 bytes long", "nil is none")
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.SetUpTimeout <= 0 {
		o.SetUpTimeout = defaultSetUpTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}
