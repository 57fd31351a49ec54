package vhostuser

import (
	"log/slog"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	// maxPath is the longest path of a socket, bytes: struct sockaddr_un has
	// 108 and a zero byte at the end.
	maxPath  = 107
	maxMTU   = 65535
	macBytes = 6
)

// complete checks what can be checked without a socket and fills in defaults.
func (o *Options) complete(path string) error {
	switch {
	case path == "":
		return &OptionError{Option: "path", Value: `""`, Reason: "no socket is named", Remedy: "give the path of the socket"}
	case len(path) > maxPath:
		return &OptionError{Option: "path", Value: path, Reason: "longer than the 107 bytes that a socket address holds",
			Remedy: "take a shorter path, or a relative one"}
	case o.Queues < 0 || o.Queues > maxRings/2:
		return &OptionError{Option: "Queues", Value: o.Queues, Reason: "not between 1 and 128, which is as far as the messages count",
			Remedy: "0 takes what the back end has"}
	case o.MTU != 0 && (o.MTU < virtio.MinMTU || o.MTU > maxMTU):
		return &OptionError{Option: "MTU", Value: o.MTU, Reason: "not between 68 and 65535", Remedy: "0 is none"}
	case o.MAC != nil && len(o.MAC) != macBytes:
		return &OptionError{Option: "MAC", Value: o.MAC, Reason: "not 6 bytes long", Remedy: "nil is none"}
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.SetUpTimeout <= 0 {
		o.SetUpTimeout = DefaultSetUpTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}
