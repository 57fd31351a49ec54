package wire

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// tapHeaderLen is the length of the header in front of each frame at a TAP interface:
// struct virtio_net_hdr without num_buffers, in little endian.
const tapHeaderLen = virtio.NetHeaderNumBuffers

// tapHeader is header and frame on their way to the kernel.
type tapHeader struct {
	bytes  [tapHeaderLen]byte
	pieces [2][]byte
}

func (h *tapHeader) set(o vdev.Offload, frame []byte) {
	b := h.bytes[:]
	b[virtio.NetHeaderFlags], b[virtio.NetHeaderGSOType] = o.Flags, o.GSOType
	le := binary.LittleEndian
	le.PutUint16(b[virtio.NetHeaderHdrLen:], o.HdrLen)
	le.PutUint16(b[virtio.NetHeaderGSOSize:], o.GSOSize)
	le.PutUint16(b[virtio.NetHeaderCsumStart:], o.CsumStart)
	le.PutUint16(b[virtio.NetHeaderCsumOffset:], o.CsumOffset)
	h.pieces = [2][]byte{b, frame}
}

func readTAPHeader(b []byte) vdev.Offload {
	le := binary.LittleEndian
	return vdev.Offload{
		Flags: b[virtio.NetHeaderFlags], GSOType: b[virtio.NetHeaderGSOType],
		HdrLen: le.Uint16(b[virtio.NetHeaderHdrLen:]), GSOSize: le.Uint16(b[virtio.NetHeaderGSOSize:]),
		CsumStart: le.Uint16(b[virtio.NetHeaderCsumStart:]), CsumOffset: le.Uint16(b[virtio.NetHeaderCsumOffset:]),
	}
}

// Bits of TUNSETOFFLOAD that package unix lacks.
const tunUSO4, tunUSO6 = 0x20, 0x40

// setTAPHeader says how the header of frames is, and that the kernel is to leave nothing to
// be done on them. It reports whether the kernel knows the segmentation of UDP, which takes
// Linux 6.2.
func setTAPHeader(fd int) (uso bool, err error) {
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, tapHeaderLen); err != nil {
		return false, err
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETLE, 1); err != nil {
		return false, err
	}
	uso = unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|tunUSO4|tunUSO6) == nil
	return uso, unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, 0)
}

// Takes implements [vdev.OffloadBackend].
func (t *TAPDevice) Takes() virtio.Features {
	f := virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetGuestTSO4, virtio.NetGuestTSO6, virtio.NetGuestECN)
	if t.uso {
		f = f.With(virtio.NetGuestUSO4).With(virtio.NetGuestUSO6)
	}
	return f
}

// SetOffloads implements [vdev.OffloadBackend]: what the driver does not take the kernel
// does before, and so it does for frames that come through other interfaces.
func (t *TAPDevice) SetOffloads(f virtio.Features) {
	bits := 0
	for _, o := range []struct {
		feature virtio.Feature
		bit     int
	}{
		{virtio.NetGuestCSUM, unix.TUN_F_CSUM}, {virtio.NetGuestTSO4, unix.TUN_F_TSO4},
		{virtio.NetGuestTSO6, unix.TUN_F_TSO6}, {virtio.NetGuestECN, unix.TUN_F_TSO_ECN},
	} {
		if f.Has(o.feature) {
			bits |= o.bit
		}
	}
	// Linux takes only both of these.
	if t.uso && f.Has(virtio.NetGuestUSO4) && f.Has(virtio.NetGuestUSO6) {
		bits |= tunUSO4 | tunUSO6
	}
	if bits&(unix.TUN_F_TSO4|unix.TUN_F_TSO6) == 0 {
		bits &^= unix.TUN_F_TSO_ECN
	}
	if bits&unix.TUN_F_CSUM == 0 {
		bits = 0
	}
	// It fails if the interface is gone, which readLink finds out.
	_ = unix.IoctlSetInt(t.fd, unix.TUNSETOFFLOAD, bits)
}

// TransmitOffloads implements [vdev.OffloadBackend].
func (t *TAPDevice) TransmitOffloads(_ int, frames [][]byte, offloads []vdev.Offload) int {
	for i, f := range frames {
		t.write(f, offloads[i])
	}
	return len(frames)
}

// ReceiveOffloads implements [vdev.OffloadBackend].
func (t *TAPDevice) ReceiveOffloads(_ int, frames [][]byte, offloads []vdev.Offload) int {
	return t.in.get(frames, offloads)
}
