package devargs

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"time"

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

func (s *Spec) serverText() string {
	switch {
	case s.Server:
		return "1"
	case s.Client:
		return "0"
	}
	return ""
}

func (s *Spec) socketModeText() string {
	if s.SocketMode == 0 {
		return ""
	}
	return fmt.Sprintf("%04o", s.SocketMode)
}

// serverTimeout reads how long a server waits for its first back end.
func (s *Spec) serverTimeout(value string) *Error {
	d, err := time.ParseDuration(value)
	if seconds, e := strconv.ParseUint(value, 10, 31); e == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || d <= 0 {
		return &Error{Key: "server_timeout", Value: value, Reason: "not a time above 0",
			Remedy: "write 30s or 5m, or leave it out to wait without limit"}
	}
	s.ServerTimeout = d
	return nil
}

// socketMode reads the permissions of a socket.
func (s *Spec) socketMode(value string) *Error {
	mode, err := strconv.ParseUint(value, 8, 32)
	if err != nil || mode == 0 || mode > uint64(fs.ModePerm) {
		return &Error{Key: "socket_mode", Value: value, Reason: "not permissions in octal",
			Remedy: "write 0660 for owner and group, or 0666 for every user"}
	}
	s.SocketMode = fs.FileMode(mode)
	return nil
}

// socketGroup reads the group of a socket. Whether there is one of that name is found
// when the socket is created.
func (s *Spec) socketGroup(value string) *Error {
	if value == "" {
		return &Error{Key: "socket_group", Value: value, Reason: "no group is named",
			Remedy: "write the name of a group, or its number"}
	}
	s.SocketGroup = value
	return nil
}

// checkSocket refuses keys about listening for a port that does not listen.
func (s *Spec) checkSocket() *Error {
	listens := s.Server || s.isVhost() && !s.Client
	for _, k := range []struct {
		key, value string
		given      bool
	}{
		{"socket_mode", fmt.Sprintf("%04o", s.SocketMode), s.SocketMode != 0},
		{"socket_group", s.SocketGroup, s.SocketGroup != ""},
	} {
		if k.given && !listens {
			return &Error{Key: k.key, Value: k.value, Reason: "this port does not listen at a socket",
				Remedy: "leave it out, or listen with server=1 (vhost-user: and emu:vhost= only)"}
		}
	}
	if s.ServerTimeout != 0 && (s.Kind != VhostUser || !s.Server) {
		return &Error{Key: "server_timeout", Value: s.ServerTimeout.String(),
			Reason: "this port does not wait for a back end to connect",
			Remedy: "leave it out, or listen with server=1 (vhost-user: only)"}
	}
	return nil
}

// openVhostUser opens a device behind a socket. A server waits for its back end
// until ServerTimeout has passed or ctx ends.
func (s Spec) openVhostUser(ctx context.Context, cfg driver.Config, o Options) (*driver.Port, error) {
	wait := ctx
	if s.ServerTimeout != 0 {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, s.ServerTimeout)
		defer cancel()
	}
	t, err := vhostuser.Open(wait, s.Socket, vhostuser.Options{
		Server: s.Server, SocketMode: s.SocketMode, SocketGroup: s.SocketGroup,
		MAC: s.MAC, MTU: s.MTU, Logger: o.Logger,
		// Not as many as the back end offers: some offer 128 and serve fewer.
		Queues: max(s.Queues, 1),
	})
	if err != nil {
		return nil, err
	}
	return s.openPort(ctx, t, cfg)
}
