package vhostback

import (
	"errors"
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/unixsock"
)

// maxPath is the longest path of a socket: struct sockaddr_un has 108 bytes, one
// of which is the zero at the end.
const maxPath = 107

func checkPath(path string) error {
	switch {
	case path == "":
		return socketError(path, "no path", "name a file, like /run/vm0.sock", nil)
	case len(path) > maxPath:
		return socketError(path,
			fmt.Sprintf("the path has %d bytes, a socket's has at most %d", len(path), maxPath),
			"take a shorter one", nil)
	}
	return nil
}

// listen listens at a path. It replaces a socket on which no process listens, which
// a killed process left, and no other file.
func listen(path string, access unixsock.Access) (*unixsock.Listener, error) {
	l, err := unixsock.Listen(path, access)
	var cause *unixsock.Error
	if errors.As(err, &cause) {
		return nil, socketError(path, cause.Reason, cause.Remedy, cause.Err)
	}
	return l, err
}
