package main

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"time"
)

// telemetry asks a running DPDK program for its counters.
type telemetry struct {
	conn *net.UnixConn
	buf  []byte
}

// greeting is what a DPDK program says first.
type greeting struct {
	Version string `json:"version"`
	Most    int    `json:"max_output_len"`
}

// dialTelemetry connects to the program with the given --file-prefix that was
// started with RUNTIME_DIRECTORY=dir.
func dialTelemetry(dir, prefix string) (*telemetry, greeting, error) {
	path := filepath.Join(dir, "dpdk", prefix, "dpdk_telemetry.v2")
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, greeting{}, err
	}
	t := &telemetry{conn: conn, buf: make([]byte, 1<<16)}
	var g greeting
	if err := t.read(&g); err != nil {
		_ = conn.Close()
		return nil, greeting{}, err
	}
	return t, g, nil
}

// portStats are the counters of a port that are of interest.
type portStats struct {
	RxPackets uint64 `json:"ipackets"`
	TxPackets uint64 `json:"opackets"`
}

// port reads the counters of a port.
func (t *telemetry) port(n int) (portStats, error) {
	command := fmt.Sprintf("/ethdev/stats,%d", n)
	if _, err := t.conn.Write([]byte(command)); err != nil {
		return portStats{}, err
	}
	var reply map[string]*portStats
	if err := t.read(&reply); err != nil {
		return portStats{}, err
	}
	stats := reply["/ethdev/stats"]
	if stats == nil {
		return portStats{}, fmt.Errorf("telemetry: no counters in the reply to %s", command)
	}
	return *stats, nil
}

func (t *telemetry) read(v any) error {
	if err := t.conn.SetReadDeadline(time.Now().Add(grace)); err != nil {
		return err
	}
	n, err := t.conn.Read(t.buf)
	if err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	if err := json.Unmarshal(t.buf[:n], v); err != nil {
		return fmt.Errorf("telemetry: %w in %q", err, tail(string(t.buf[:n])))
	}
	return nil
}

func (t *telemetry) close() error { return t.conn.Close() }
