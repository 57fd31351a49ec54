package capture

import (
	"bytes"
	"testing"
	"time"
)

// FuzzReader: no file makes the reader fail otherwise than by an error, or play
// what is no Ethernet frame or more than the file has; and frames that were recorded are
// read back.
func FuzzReader(f *testing.F) {
	w := NewWriter()
	w.Add(time.Unix(1, 2), make([]byte, 60))
	f.Add(w.Buf.Bytes())
	f.Add([]byte("\n\r\r\n\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x1c\x00\x00\x00" +
		"\x01\x00\x00\x00\x20\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x0d\x00\x01\x00\x04\x00\x00\x00\x00\x00\x00\x00\x20\x00\x00\x00" +
		"\x03\x00\x00\x00\x24\x00\x00\x00\x12\x00\x00\x00" + string(make([]byte, 20)) + "\x24\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > 1 && file[0] == 0x1f {
			return // compressed files can be as long as they like
		}
		w, total := NewWriter(), 0
		r := Reader{Frame: func(f Frame) error {
			frame := f.Data
			if len(frame) < MinFrame || len(frame) > MaxFrame {
				t.Fatalf("a frame of %d bytes", len(frame))
			}
			total += len(frame)
			w.Add(time.Now(), frame)
			return nil
		}}
		err := r.Read(bytes.NewReader(file))
		if n, why := r.Skipped(); total > len(file) || n < 0 || (n == 0) != (why == "") {
			t.Fatalf("%d bytes of frames in a file of %d, %d skipped: %q", total, len(file), n, why)
		}
		if err != nil {
			return
		}
		again := Reader{Frame: func(Frame) error { return nil }}
		err = again.Read(&w.Buf)
		if n, _ := again.Skipped(); err != nil || n != 0 || again.frames != r.frames {
			t.Fatalf("%d of %d frames are read back, %d skipped: %v", again.frames, r.frames, n, err)
		}
	})
}
