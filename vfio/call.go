package vfio

import (
	"encoding/binary"
	"os"
)

// maxReply bounds the room made for the answer to a request. The largest that
// a kernel gives today are some hundred bytes.
const maxReply = 1 << 20

// encode returns a structure of abi.go as the kernel wants it.
func encode(v any) []byte {
	b, err := binary.Append(nil, binary.NativeEndian, v)
	if err != nil { // only if v is no structure of fixed size
		return nil
	}
	return b
}

// decode fills a structure of abi.go from the front of b. It fails if b is too
// short.
func decode(b []byte, v any) error {
	_, err := binary.Decode(b, binary.NativeEndian, v)
	return err
}

// argument returns a structure of abi.go and what follows it as the kernel
// wants it: with the length of both in the first field, argsz.
func argument(v any, tail ...byte) []byte {
	b := append(encode(v), tail...)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	return b
}

// exchange makes a request with a structure and takes back what the kernel
// wrote into it.
func exchange(file *os.File, r request, v any) error {
	b := argument(v)
	if _, err := ioctlBytes(file, r, b); err != nil {
		return err
	}
	return decode(b, v)
}

// query makes a request whose reply may be longer than the structure v, which
// has its inputs filled in. The kernel then writes the length it needs into
// argsz and is asked again.
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
			return nil, &ReplyError{Call: r.String(), Value: uint64(need), Reason: "it asks for more room than makes sense"}
		}
		fixed := binary.Size(v)
		reply = argument(v, make([]byte, int(need)-fixed)...)
	}
	return nil, &ReplyError{Call: r.String(), Value: uint64(len(reply)), Reason: "it asks for more room again and again"}
}
