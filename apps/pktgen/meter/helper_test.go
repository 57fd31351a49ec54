package meter

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newReceiver returns a receiver.
func newReceiver(t testing.TB, c Config) *Receiver {
	t.Helper()
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// source makes packets in buffers of a pool.
type source struct {
	t    testing.TB
	pool *mbuf.Pool
}

func newSource(t testing.TB, buffers int) *source {
	t.Helper()
	pool, err := mbuf.NewPool(mbuf.Config{
		Count: buffers, Memory: hugepages.Options{PageSize: os.Getpagesize(), Name: "meter-test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Release(); err != nil {
			t.Error(err)
		}
	})
	return &source{t, pool}
}

// raw returns a packet of these bytes.
func (s *source) raw(data []byte) *mbuf.Buf {
	s.t.Helper()
	b := s.pool.GetOne()
	if b == nil || !b.AppendBytes(data) {
		s.t.Fatal("the pool has no buffer")
	}
	return b
}

// packet returns a packet of a length with a signature.
func (s *source) packet(length int, id uint16, seq uint32, sent int64) *mbuf.Buf {
	s.t.Helper()
	data := make([]byte, length)
	sign(data, id, seq, sent)
	return s.raw(data)
}

// sign writes a signature to the end of a packet.
func sign(data []byte, id uint16, seq uint32, sent int64) {
	traffic.PutSignature(data, traffic.Signature{Stream: id, Sequence: seq, Time: sent})
}

// receive gives packets to a receiver in one burst and frees them.
func receive(r *Receiver, now int64, bufs ...*mbuf.Buf) {
	r.Receive(bufs, now)
	mbuf.Free(bufs)
}
