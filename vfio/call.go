package vfio

import (
	"encoding/binary"
	"os"
)

// maxReply bounds the buffer for the reply to a request. The replies of Linux are some hundred
// bytes long.
const maxReply = 1 << 20

// encode returns a structure of abi.go in the layout of the kernel.
func encode(v any) []byte {
	b, err := binary.Append(nil, binary.NativeEndian, v)
	if err != nil { // only if the size of v is not fixed
		return nil
	}
	return b
}

// decode fills a structure of abi.go from the start of b. It fails if b is too short.
func decode(b []byte, v any) error {
	_, err := binary.Decode(b, binary.NativeEndian, v)
	return err
}

// argument returns a structure of abi.go followed by tail in the layout of the kernel, with the
// length of both in the first field, argsz.
func argument(v any, tail ...byte) []byte {
	b := append(encode(v), tail...)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	return b
}

// exchange makes a request with a structure and decodes what the kernel wrote into it.
func exchange(file *os.File, r request, v any) error {
	b := argument(v)
	if _, err := ioctlBytes(file, r, b); err != nil {
		return err
	}
	return decode(b, v)
}

// query makes a request whose reply may be longer than the structure v, which contains the inputs.
// The kernel then writes the length it needs into argsz, and the request is repeated.
func query(file *os.File, r request, v any) ([]byte, error) {
	reply := argument(v)
	for range 4 {
		if _, err := ioctlBytes(file, r, reply); err != nil {
			return nil, err
		}
		need := binary.NativeEndian.Uint32(reply)
		if need <= uint32(len(reply)) {
			return reply, nil
		}
		if need > maxReply {
			return nil, replyError(r.String(), uint64(need), "it needs an implausible amount of memory")
		}
		fixed := binary.Size(v)
		reply = argument(v, make([]byte, int(need)-fixed)...)
	}
	return nil, replyError(r.String(), uint64(len(reply)), "it needs more memory each time")
}

// callError is a request on the descriptor fd that the kernel refused. A closed [os.File] has no
// descriptor.
func callError(r request, fd uintptr, err error) *Error {
	if fd == ^uintptr(0) {
		err = os.ErrClosed
	}
	return &Error{Op: r.String(), Err: err}
}
