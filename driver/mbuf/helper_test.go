package mbuf

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// smallPages lets tests run without hugepages.
var smallPages = hugepages.Options{PageSize: 4096, Name: "mbuf-test"}

func newPool(t testing.TB, cfg Config) *Pool {
	t.Helper()
	if cfg.Memory.PageSize == 0 {
		cfg.Memory = smallPages
	}
	p, err := NewPool(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.memory.Release() })
	return p
}

// get takes n buffers, all of which must be there.
func get(t testing.TB, from interface{ Get([]*Buf) int }, n int) []*Buf {
	t.Helper()
	bufs := make([]*Buf, n)
	if got := from.Get(bufs); got != n {
		t.Fatalf("%d of %d buffers", got, n)
	}
	return bufs
}

// chain links buffers into one packet.
func chain(bufs []*Buf) *Buf {
	for i := 1; i < len(bufs); i++ {
		bufs[i-1].SetNext(bufs[i])
	}
	return bufs[0]
}
