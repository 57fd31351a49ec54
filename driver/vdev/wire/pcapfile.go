package wire

// This file is the only one that knows the capture library. The maintained fork
// has the same packages under github.com/gopacket/gopacket.
import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// sectionHeader is how a pcapng file begins, in either byte order.
var sectionHeader = [4]byte{0x0a, 0x0d, 0x0d, 0x0a}

// readCapture calls yield for each packet of a pcap or pcapng file of Ethernet
// frames; complete is false if the file has only a part of the packet. yield may
// keep the frame.
func readCapture(r *bufio.Reader, yield func(frame []byte, complete bool) error) error {
	var source interface {
		gopacket.PacketDataSource
		LinkType() layers.LinkType
	}
	magic, err := r.Peek(4)
	if err != nil {
		return fmt.Errorf("it is no capture file: %w", err)
	}
	if [4]byte(magic) == sectionHeader {
		source, err = pcapgo.NewNgReader(r, pcapgo.DefaultNgReaderOptions)
	} else {
		source, err = pcapgo.NewReader(r)
	}
	if err != nil {
		return fmt.Errorf("it is no capture file: %w", err)
	}
	if t := source.LinkType(); t != layers.LinkTypeEthernet {
		return fmt.Errorf("its link type is %v (%d); only Ethernet can be played", t, t)
	}
	for {
		data, info, err := source.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := yield(data, info.CaptureLength == info.Length); err != nil {
			return err
		}
	}
}

// captureWriter writes a pcap file.
type captureWriter struct{ w *pcapgo.Writer }

func newCaptureWriter(w io.Writer) (*captureWriter, error) {
	out := pcapgo.NewWriterNanos(w)
	return &captureWriter{out}, out.WriteFileHeader(maxFrame, layers.LinkTypeEthernet)
}

func (c *captureWriter) write(at time.Time, frame []byte) error {
	return c.w.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(frame), Length: len(frame)}, frame)
}
