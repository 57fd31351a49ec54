//go:build cgo && amd64

// Command ours measures the packet path of this project's driver against the device of
// package device, both in one thread. Its arguments are KEY=VALUE; package step starts it
// and knows them all. It prints a line of JSON for each measurement, and one at the end.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/test/perf/step/device"
	"github.com/virtio-pmd/virtio-pmd/test/perf/step/internal/tsc"
)

const (
	ring      = 1024
	buffers   = 8192
	cacheSize = 256
	maxBurst  = 1024
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ours:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	args, err := parse(os.Args[1:])
	if err != nil {
		return err
	}
	if err := device.Listen(device.Config{Socket: args.socket, Frame: args.frame, Batches: args.batches, Offloads: args.offloads}); err != nil {
		return err
	}
	b, err := open(args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.port.Close()) }()
	if err := pin(args.cpu); err != nil {
		return err
	}
	if err := device.Wait(); err != nil {
		return err
	}
	runtime.GC()
	debug.SetGCPercent(-1)
	if err := b.verify(); err != nil {
		return err
	}
	mhz := clockRate()
	out := json.NewEncoder(os.Stdout)
	for _, r := range b.measureAll(args) {
		if err := out.Encode(r); err != nil {
			return err
		}
	}
	if b.problem != nil {
		return b.problem
	}
	if err := out.Encode(end{Path: b.port.Path().String(), MHz: mhz, Packets: device.Count().Filled + device.Count().Taken}); err != nil {
		return err
	}
	return b.check()
}

// pin keeps this goroutine on a CPU: the device's thread does the handshake elsewhere.
func pin(cpu int) error {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(0, &set)
}

// clockRate returns the cycles of the time-stamp counter in a microsecond.
func clockRate() float64 {
	begin, cycles := time.Now(), tsc.Start()
	for time.Since(begin) < 20*time.Millisecond {
	}
	return float64(tsc.Stop()-cycles) / float64(time.Since(begin).Nanoseconds()) * 1e3
}

// open opens a port on the device, with one cache for both queues.
func open(args arguments) (*bench, error) {
	pool, err := mbuf.NewPool(mbuf.Config{Count: buffers})
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("vhost-user:%s,rx_queue_size=%d,tx_queue_size=%d,%s", args.socket, ring, ring, args.port)
	port, err := devargs.Open(context.Background(), text, devargs.Options{Pool: pool})
	if err != nil {
		return nil, err
	}
	b := &bench{port: port, rx: port.RxQueue(0), tx: port.TxQueue(0), cache: pool.NewCache(cacheSize), frame: args.frame,
		offloads: args.offloads}
	return b, errors.Join(b.rx.SetCache(b.cache), b.tx.SetCache(b.cache))
}

// end is the last line of the output.
type end struct {
	Path    string  `json:"path"`
	MHz     float64 `json:"mhz"`
	Packets uint64  `json:"packets"`
}

type arguments struct {
	socket, port    string
	frame, cpu      int
	samples, bursts int
	sizes           []int
	batches         bool
	offloads        bool
}

func parse(list []string) (arguments, error) {
	a := arguments{frame: 64, samples: 160}
	for _, text := range list {
		key, value, _ := strings.Cut(text, "=")
		var err error
		switch key {
		case "socket":
			a.socket = value
		case "port":
			a.port = value
		case "frame":
			a.frame, err = strconv.Atoi(value)
		case "cpu":
			a.cpu, err = strconv.Atoi(value)
		case "samples":
			a.samples, err = strconv.Atoi(value)
		case "bursts":
			a.bursts, err = strconv.Atoi(value)
		case "batches":
			a.batches, err = strconv.ParseBool(value)
		case "offloads":
			a.offloads, err = strconv.ParseBool(value)
		case "sizes":
			for s := range strings.SplitSeq(value, ",") {
				n, bad := strconv.Atoi(s)
				if bad != nil || n < 1 || n > maxBurst {
					err = fmt.Errorf("want bursts of 1 to %d packets", maxBurst)
				}
				a.sizes = append(a.sizes, n)
			}
		default:
			err = errors.New("no such key")
		}
		if err != nil {
			return a, fmt.Errorf("argument %q: %w", text, err)
		}
	}
	return a, nil
}
