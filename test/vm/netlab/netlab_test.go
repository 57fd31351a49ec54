package netlab

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

// cable joins the first queues of two namespaces, as a guest that forwards
// would.
func cable(a, b *Namespace) {
	pass := func(from, to *os.File) {
		buf := make([]byte, 70000)
		for {
			n, err := from.Read(buf)
			if err != nil {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
	}
	go pass(a.Queues[0], b.Queues[0])
	go pass(b.Queues[0], a.Queues[0])
}

func TestPingAndTransfer(t *testing.T) {
	if os.Geteuid() != 0 && os.Getenv("CI") == "" { // in CI it fails instead
		t.Skip("network namespaces and TAP interfaces take root")
	}
	a, err := NewNamespace("a", "10.9.0.1/24", 1, 1500)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := NewNamespace("b", "10.9.0.2/24", 1, 1500)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := a.Ping(b, 1, 200*time.Millisecond); err == nil {
		t.Fatal("ping got a reply although nothing joins the two hosts")
	}
	cable(a, b)
	if err := a.Ping(b, 20, 2*time.Second); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := Transfer(ctx, a, b, 8<<20); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.AddIPv6("fd00:9::1/64"), b.AddIPv6("fd00:9::2/64")); err != nil {
		t.Fatal(err)
	}
	if err := TransferIPv6(ctx, a, b, 1<<20); err != nil {
		t.Fatal(err)
	}
}
