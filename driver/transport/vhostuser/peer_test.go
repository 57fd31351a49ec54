package vhostuser_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// peer is one connection as the back end has it.
type peer struct {
	b        *backend
	conn     *net.UnixConn
	protocol uint64
	status   uint64
	kicks    map[uint64]int // eventfds by ring; guarded by b.mu
	errs     map[uint64]int
	files    []int // that came
}

// msg is a message of the front end.
type msg struct {
	id, flags uint32
	payload   []byte
	fds       []int
}

func (m msg) number() uint64 { return binary.NativeEndian.Uint64(m.payload) }

func (p *peer) close() {
	_ = p.conn.Close()
	for _, fd := range p.files {
		_ = unix.Close(fd)
	}
}

// read reads one message and checks what every message has to be like.
func (p *peer) read() (msg, error) {
	head := make([]byte, 12)
	oob := make([]byte, unix.CmsgSpace(4*16))
	n, oobn, _, _, err := p.conn.ReadMsgUnix(head, oob)
	if err != nil || n == 0 {
		return msg{}, io.EOF
	}
	if n < 12 {
		if _, err := io.ReadFull(p.conn, head[n:]); err != nil {
			return msg{}, err
		}
	}
	m := msg{id: binary.NativeEndian.Uint32(head), flags: binary.NativeEndian.Uint32(head[4:])}
	if scms, err := unix.ParseSocketControlMessage(oob[:oobn]); err == nil {
		for _, scm := range scms {
			fds, _ := unix.ParseUnixRights(&scm)
			m.fds = append(m.fds, fds...)
		}
	}
	p.files = append(p.files, m.fds...)
	m.payload = make([]byte, binary.NativeEndian.Uint32(head[8:]))
	if _, err := io.ReadFull(p.conn, m.payload); err != nil {
		return msg{}, err
	}
	p.check(m)
	return m, nil
}

// check finds what no message may be like.
func (p *peer) check(m msg) {
	want := descriptors[m.id]
	if want == -1 {
		want = int(binary.NativeEndian.Uint32(m.payload))
	}
	if (m.id == 12 || m.id == 13) && m.number()&0x100 != 0 {
		want = 0
	}
	switch {
	case m.flags&3 != 1 || m.flags&4 != 0:
		p.wrong("%s has flags %#x", names[m.id], m.flags)
	case m.flags&8 != 0 && p.protocol>>replyAck&1 == 0:
		p.wrong("%s wants an answer and REPLY_ACK was not negotiated", names[m.id])
	case len(m.fds) != want:
		p.wrong("%s came with %d descriptors, not %d", names[m.id], len(m.fds), want)
	case names[m.id] == "":
		p.wrong("message %d", m.id)
	}
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	switch m.id {
	case 16:
		p.protocol = m.number()
	case 12:
		if len(m.fds) != 0 {
			p.kicks[m.number()] = m.fds[0]
		}
	case 14:
		p.errs[m.number()] = m.fds[0]
	}
}

func (p *peer) wrong(format string, args ...any) {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	p.b.wrong = append(p.b.wrong, fmt.Sprintf(format, args...))
}

// respond is what a good back end does.
func (p *peer) respond(m msg) {
	switch m.id {
	case 1:
		p.reply(m.id, u64(p.b.features))
	case 15:
		p.reply(m.id, u64(p.b.protocols))
	case 17:
		p.reply(m.id, u64(p.b.pairs))
	case 36:
		p.reply(m.id, u64(p.b.slotCount))
	case 40:
		p.reply(m.id, u64(p.status))
	case 11:
		p.reply(m.id, m.payload[:8])
	case 24:
		n := binary.NativeEndian.Uint32(m.payload[4:])
		answer := append([]byte(nil), m.payload...)
		copy(answer[12:], p.b.config[:n])
		p.reply(m.id, answer)
	case 39:
		p.status = m.number()
		p.acknowledge(m, 0)
	default:
		p.acknowledge(m, 0)
	}
}

func (p *peer) acknowledge(m msg, code uint64) {
	if m.flags&8 != 0 {
		p.reply(m.id, u64(code))
	}
}

func (p *peer) reply(id uint32, payload []byte) { p.send(id, 1|4, uint32(len(payload)), payload) }

// send writes any message, with any descriptors.
func (p *peer) send(id, flags, size uint32, payload []byte, fds ...int) {
	b := binary.NativeEndian.AppendUint32(nil, id)
	b = binary.NativeEndian.AppendUint32(b, flags)
	b = binary.NativeEndian.AppendUint32(b, size)
	var oob []byte
	if len(fds) != 0 {
		oob = unix.UnixRights(fds...)
	}
	_, _, _ = p.conn.WriteMsgUnix(append(b, payload...), oob, nil)
}

func u64(v uint64) []byte { return binary.NativeEndian.AppendUint64(nil, v) }
