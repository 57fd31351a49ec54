package vhostback_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// A message that the protocol does not have ends the connection with an *Error that
// names it, and no descriptor stays open.
func TestWrongMessages(t *testing.T) {
	number := numbers(0)
	region := append(numbers(0), regionBytes(guestBase, 4096, userBase, 0)...)
	type wrong struct {
		name    string
		bytes   []byte
		fds     int
		request string // "" if the message cannot be named
	}
	var list []wrong
	add := func(name, request string, b []byte, fds int) { list = append(list, wrong{name, b, fds, request}) }
	add("version 0", "GET_FEATURES", append(words(getFeatures, 0, 0), nil...), 0)
	add("version 2", "GET_FEATURES", words(getFeatures, 2, 0), 0)
	add("a reply", "GET_FEATURES", words(getFeatures, 5, 0), 0)
	add("unknown flag", "GET_FEATURES", words(getFeatures, 0x11, 0), 0)
	add("unknown request", "request 77", encode(77, 0, nil), 0)
	add("request 0", "request 0", encode(0, 0, nil), 2)
	add("huge payload", "SET_FEATURES", words(setFeatures, 1, 0xffffffff), 0)
	add("payload one above the limit", "SET_FEATURES", words(setFeatures, 1, 513), 0)
	add("short payload", "SET_FEATURES", encode(setFeatures, 0, number[:7]), 0)
	add("long payload", "SET_FEATURES", encode(setFeatures, 0, append(number, 0)), 0)
	add("payload where none is", "GET_FEATURES", encode(getFeatures, 0, number), 0)
	add("descriptor where none is", "SET_FEATURES", encode(setFeatures, 0, number), 1)
	add("features not offered", "SET_FEATURES", encode(setFeatures, 0, numbers(1<<63|1<<33)), 0)
	add("protocol features not offered", "SET_PROTOCOL_FEATURES", encode(setProtocolFeatures, 0, numbers(1<<17)), 0)
	add("kick without descriptor", "SET_VRING_KICK", encode(setVringKick, 0, number), 0)
	add("kick with both", "SET_VRING_KICK", encode(setVringKick, 0, numbers(1<<8)), 1)
	add("kick with two descriptors", "SET_VRING_KICK", encode(setVringKick, 0, number), 2)
	add("kick with unknown flags", "SET_VRING_KICK", encode(setVringKick, 0, numbers(1<<9)), 1)
	add("call of ring 200", "SET_VRING_CALL", encode(setVringCall, 0, numbers(200)), 1)
	add("error of ring 2", "SET_VRING_ERR", encode(setVringErr, 0, numbers(2)), 1)
	add("ring size 0", "SET_VRING_NUM", encode(setVringNum, 0, words(0, 0)), 0)
	add("ring size 32769", "SET_VRING_NUM", encode(setVringNum, 0, words(0, 32769)), 0)
	add("ring log", "SET_VRING_ADDR", encode(setVringAddr, 0, append(words(0, 1), numbers(0, 0, 0, 0)...)), 0)
	add("enable 2", "SET_VRING_ENABLE", encode(setVringEnable, 0, words(0, 2)), 0)
	add("regions without descriptors", "SET_MEM_TABLE", encode(setMemTable, 0, append(words(1, 0), region[8:]...)), 0)
	add("descriptors without regions", "SET_MEM_TABLE", encode(setMemTable, 0, words(0, 0)), 3)
	add("region cut off", "SET_MEM_TABLE", encode(setMemTable, 0, append(words(1, 0), region[8:39]...)), 1)
	add("no table at all", "SET_MEM_TABLE", encode(setMemTable, 0, words(0)), 0)
	add("ten descriptors", "", encode(setMemTable, 0, words(0, 0)), 10)
	for _, m := range []struct {
		request uint32
		name    string
		payload []byte
		fds     int
	}{
		{getQueueNum, "GET_QUEUE_NUM", nil, 0}, {netSetMTU, "NET_SET_MTU", number, 0}, {getConfig, "GET_CONFIG", words(0, 0, 0), 0},
		{setConfig, "SET_CONFIG", words(0, 0, 0), 0}, {resetDevice, "RESET_DEVICE", nil, 0}, {getMaxMemSlots, "GET_MAX_MEM_SLOTS", nil, 0},
		{addMemReg, "ADD_MEM_REG", region, 1}, {remMemReg, "REM_MEM_REG", region, 0}, {setStatus, "SET_STATUS", number, 0},
		{getStatus_, "GET_STATUS", nil, 0}, {sendRARP, "SEND_RARP", number, 0},
		{getInflight, "GET_INFLIGHT_FD", make([]byte, 20), 0}, {setInflight, "SET_INFLIGHT_FD", make([]byte, 20), 1},
	} {
		add(m.name+" without its protocol feature", m.name, encode(m.request, 0, m.payload), m.fds)
	}
	add("need_reply without REPLY_ACK", "GET_FEATURES", encode(getFeatures, needReply, nil), 0)

	f := newFront(t, vhostback.Config{})
	for _, m := range list {
		t.Run(m.name, func(t *testing.T) {
			var attached []int
			for range m.fds {
				attached = append(attached, f.fd)
			}
			f.raw(m.bytes, attached...)
			err := f.over()
			if e := expectProtocol(t, err); m.request != "" && e.Op != m.request {
				t.Errorf("%v; expected one about %s", e, m.request)
			}
			if _, err := f.socket.Read(make([]byte, 1)); err == nil {
				t.Error("the connection is not closed")
			}
			f.clean()
			f.connect()
		})
	}
}

// The same for messages after a negotiation with REPLY_ACK: the peer gets the
// acknowledgement before the connection ends.
func TestWrongAfterNegotiation(t *testing.T) {
	for _, m := range []struct {
		name    string
		request uint32
		payload []byte
		answers bool
	}{
		{"status of 9 bits", setStatus, numbers(256), false},
		{"configuration that is cut off", getConfig, words(0, 4, 0), true},
		{"configuration without a head", getConfig, words(0, 4), true},
		{"other protocol features while rings run", setProtocolFeatures, numbers(0), false},
		{"other features while rings run", setFeatures, numbers(bits(bitVersion1, bitProtocol, bitMrgRxbuf)), false},
		{"size of a running ring", setVringNum, words(0, 8), false},
		{"base of a running ring", setVringBase, words(0, 8), false},
		{"address of a running ring", setVringAddr, append(words(0, 0), numbers(userBase, userBase, userBase, 0)...), false},
	} {
		t.Run(m.name, func(t *testing.T) {
			f := newFront(t, vhostback.Config{})
			f.hello(allProtocol, bits(bitVersion1))
			f.send(setStatus, numbers(15))
			f.share()
			f.place(0, newRing(f, 0, 16), 0, -1, -1)
			f.raw(encode(m.request, needReply, m.payload))
			if !m.answers {
				if b := f.answer(m.request, 8); string(b) != string(numbers(1)) {
					t.Errorf("the answer is %x", b)
				}
			}
			expectProtocol(t, f.over())
		})
	}
}

// SET_FEATURES with the features that are in force already is what QEMU sends
// for each of its queue pairs.
func TestSameFeaturesAgain(t *testing.T) {
	f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Gen(64)}})
	rx, _ := f.up(bits(bitVersion1), 16)
	f.send(setFeatures, numbers(bits(bitVersion1, bitProtocol)))
	f.send(setProtocolFeatures, numbers(noStatus))
	rx.add(guestBase+buffer(0), 0x800, write)
	f.until("a frame arrives", func() bool { _, _, ok := rx.used(); return ok })
}

// conversation is what a front end sends from the first byte to running rings.
func conversation(f *front, kickFD, callFD int) (messages [][]byte, fds [][]int) {
	add := func(request uint32, payload []byte, attached ...int) {
		messages, fds = append(messages, encode(request, 0, payload)), append(fds, attached)
	}
	add(setOwner, nil)
	add(getFeatures, nil)
	add(getProtocolFeatures, nil)
	add(setProtocolFeatures, numbers(noStatus))
	add(setVringCall, numbers(0), callFD)
	add(setFeatures, numbers(bits(bitVersion1, bitProtocol)))
	add(setMemTable, append(words(1, 0), regionBytes(guestBase, shared/2, userBase, 0)...), f.fd)
	add(addMemReg, append(numbers(0), regionBytes(guestBase+shared, shared/2, userBase+shared, shared/2)...), f.fd)
	for i := range uint32(2) {
		r := newRing(f, 0x10000*uint64(i), 16)
		a := r.areas()
		add(setVringNum, words(i, 16))
		add(setVringBase, words(i, 0))
		add(setVringAddr, append(words(i, 0), numbers(userBase+a[0], userBase+a[2], userBase+a[1], 0)...))
		add(setVringCall, numbers(uint64(i)), callFD)
		add(setVringErr, numbers(uint64(i)), callFD)
		add(setVringKick, numbers(uint64(i)), kickFD)
		add(setVringEnable, words(i, 1))
	}
	add(remMemReg, append(numbers(0), regionBytes(guestBase+shared, shared/2, userBase+shared, 0)...), f.fd)
	return messages, fds
}

// After a disconnect at any byte all resources are released, and the next peer is
// served.
func TestDisconnectAtAnyByte(t *testing.T) {
	f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Gen(64)}})
	kickFD, callFD := fdtest.Eventfd(t), fdtest.Eventfd(t)
	messages, attached := conversation(f, kickFD, callFD)
	total := 0
	for _, m := range messages {
		total += len(m)
	}
	f.fds += 2 // the eventfds
	for cut := 0; cut <= total; cut++ {
		left := cut
		for i, m := range messages {
			n := min(left, len(m))
			if n == 0 {
				break
			}
			f.raw(m[:n], attached[i]...)
			left -= n
		}
		if err := f.socket.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		var short *vhostback.Error
		switch err := f.over(); {
		case err == nil:
		case !errors.As(err, &short) || !errors.Is(err, io.ErrUnexpectedEOF):
			t.Fatalf("after %d of %d bytes: %v", cut, total, err)
		}
		f.clean()
		f.connect()
	}
	rx, _ := f.up(bits(bitVersion1), 16)
	rx.add(guestBase+buffer(0), 0x800, write)
	f.until("a frame arrives", func() bool { _, _, ok := rx.used(); return ok })
}

// The back end disconnects a peer that stops in the middle of a message, or does not
// read its replies.
func TestPeerTimeout(t *testing.T) {
	cfg := vhostback.Config{Timeout: 150 * time.Millisecond}
	for name, send := range map[string]func(f *front){
		"in the header":  func(f *front) { f.raw(encode(getFeatures, 0, nil)[:5], f.fd) },
		"in the payload": func(f *front) { f.raw(encode(setFeatures, 0, numbers(1))[:15]) },
		"answers": func(f *front) {
			many := make([]byte, 0, 12*1000)
			for range 1000 {
				many = append(many, encode(getFeatures, 0, nil)...)
			}
			for f.try(many) == nil {
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, cfg)
			if err := f.socket.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			send(f)
			if e := expectBroken(t, f.over()); e.Op == "" {
				t.Error(e)
			}
			f.clean()
		})
	}
}

// Messages may arrive in pieces of any size.
func TestMessagesInPieces(t *testing.T) {
	f := newFront(t, vhostback.Config{Device: vdev.Config{Backend: wire.Gen(64)}})
	kickFD := fdtest.Eventfd(t)
	messages, attached := conversation(f, kickFD, fdtest.Eventfd(t))
	for i, m := range messages {
		f.raw(m[:1], attached[i]...)
		for _, b := range m[1:] {
			f.raw([]byte{b})
		}
	}
	for _, r := range []uint32{getFeatures, getProtocolFeatures} {
		f.answer(r, 8)
	}
	f.fence()
	rx := newRing(f, 0, 16)
	rx.add(guestBase+buffer(0), 0x800, write)
	kick(kickFD)
	f.until("a frame arrives", func() bool { _, _, ok := rx.used(); return ok })
}

// A descriptor that is not an eventfd is refused: it would be written to, or waited
// for. A pipe is accepted where it is only written to.
func TestNotAnEventfd(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	for _, request := range []uint32{setVringKick, setVringCall, setVringErr} {
		for _, fd := range []int{pipe[1], -1} {
			f := newFront(t, vhostback.Config{})
			if fd < 0 {
				fd = f.fd
			} else if request != setVringKick {
				f.send(request, numbers(0), fd)
				f.fence()
				continue
			}
			f.raw(encode(request, 0, numbers(0)), fd)
			if e := expectProtocol(t, f.over()); e.Field != "descriptor" {
				t.Error(e)
			}
		}
	}
}

// There are no rings after those of the queue pairs, and no control queue.
func TestRingsOutOfRange(t *testing.T) {
	for pairs, ring := range map[int]uint32{1: 2, 4: 8} {
		for _, payload := range [][]byte{words(ring, 1), words(0xffffffff, 1), words(1<<16, 1), words(256, 1)} {
			for _, request := range []uint32{setVringNum, setVringBase, getVringBase, setVringEnable} {
				t.Run(fmt.Sprintf("%d pairs, request %d, %x", pairs, request, payload), func(t *testing.T) {
					f := newFront(t, vhostback.Config{Device: vdev.Config{Pairs: pairs}})
					f.raw(encode(request, 0, payload))
					if e := expectProtocol(t, f.over()); e.Field != "ring" {
						t.Error(e)
					}
				})
			}
		}
	}
}
