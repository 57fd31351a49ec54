package devargs

import (
	"context"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
)

// maxSocket is the longest path of a socket in bytes: the address has 108, the
// last of them zero.
const maxSocket = 107

const (
	longSocket  = "longer than the 107 bytes that the address of a socket holds"
	shortSocket = "use a shorter or a relative path"
)

// socket reads the path of a vhost-user port.
func (s *Spec) socket(path string) *Error {
	switch {
	case path == "":
		return &Error{Value: "vhost-user:", Reason: "no socket is named",
			Remedy: "write vhost-user:/run/vm0.sock"}
	case len(path) > maxSocket:
		return &Error{Value: path, Reason: longSocket, Remedy: shortSocket}
	}
	s.Kind, s.Socket = VhostUser, path
	return nil
}

// server reads whether a port listens at its socket or connects.
func (s *Spec) server(value string) *Error {
	on, err := flag("server", value)
	if err == nil && s.Kind != VhostUser && !s.isVhost() {
		err = &Error{Key: "server", Value: value, Remedy: "leave it out",
			Reason: "only a vhost-user port has a socket to listen on or to connect to"}
	}
	s.Server, s.Client = on, !on && s.isVhost()
	return err
}

// openVhostUser opens a device behind a socket. A server waits for its back end
// until ctx ends.
func (s Spec) openVhostUser(ctx context.Context, cfg driver.Config, o Options) (*driver.Port, error) {
	t, err := vhostuser.Open(ctx, s.Socket, vhostuser.Options{
		Server: s.Server, MAC: s.MAC, MTU: s.MTU, Logger: o.Logger,
		// Not as many as the back end offers: some offer 128 and serve fewer.
		Queues: max(s.Queues, 1),
	})
	if err != nil {
		return nil, err
	}
	return driver.Open(t, cfg)
}
