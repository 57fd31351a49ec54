package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTelemetry talks to a stand-in for a DPDK program, with replies that one
// gave.
func TestTelemetry(t *testing.T) {
	dir := t.TempDir()
	answers := []string{
		`{"/ethdev/stats":{"ipackets":7,"opackets":115328,"ibytes":0,"obytes":7380992,"q_ipackets":[0,0]}}`,
		`{"/ethdev/stats":null}`,
		`not JSON`,
	}
	serve(t, dir, `{"version":"DPDK 22.11.11","pid":18493,"max_output_len":16384}`, answers)
	tel, hello, err := dialTelemetry(dir, "backend1")
	if err != nil {
		t.Fatal(err)
	}
	if hello.Version != "DPDK 22.11.11" {
		t.Errorf("%+v", hello)
	}
	if s, err := tel.port(0); err != nil || s != (portStats{7, 115328}) {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := tel.port(0); err == nil || !strings.Contains(err.Error(), "no counters") {
		t.Errorf("a port that is not there: %v", err)
	}
	if _, err := tel.port(0); err == nil || !strings.Contains(err.Error(), "not JSON") {
		t.Errorf("a reply that is no JSON: %v", err)
	}
	if _, err := tel.port(0); err == nil {
		t.Error("a program that ended has counters")
	}
	if err := tel.close(); err != nil {
		t.Error(err)
	}
	if _, _, err := dialTelemetry(dir, "other"); err == nil {
		t.Error("a program that is not there was reached")
	}
}

// serve answers one client.
func serve(t *testing.T, dir, hello string, answers []string) {
	t.Helper()
	dir = filepath.Join(dir, "dpdk", "backend1")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unixpacket",
		&net.UnixAddr{Name: filepath.Join(dir, "dpdk_telemetry.v2"), Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.AcceptUnix()
		if err != nil {
			return
		}
		defer conn.Close()
		question := make([]byte, 100)
		for _, text := range append([]string{hello}, answers...) {
			if _, err := conn.Write([]byte(text)); err != nil {
				return
			}
			if n, err := conn.Read(question); err != nil ||
				string(question[:n]) != "/ethdev/stats,0" {
				return
			}
		}
	}()
}
