package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestFromDPDK: command lines of DPDK's l2fwd, and what they are here.
func TestFromDPDK(t *testing.T) {
	for line, want := range map[string]string{
		"--duration 1 emu:gen emu:null":                                       "--duration 1 emu:gen emu:null",
		"-l 0-3 -n 4 --no-pci --vdev net_null0 --vdev net_null1 -- -q 8 -p 3": "--stats-period=10 --portmap=(0,1) --cpus=0 emu:gen,queues=1 emu:gen,queues=1",
		"-l 0,1 -n 4 -a 0000:00:03.0 -a 00:04.0 -- -p 0x3 -T 1 -P":            "--stats-period=10 --stats-period=1 --portmap=(0,1) --cpus=0,1 0000:00:03.0,promisc=1,queues=1 0000:00:04.0,promisc=1,queues=1",
		"-c 6 --no-pci --vdev=net_null0 --vdev=net_null1 --vdev=net_null2 --vdev=net_null3 -- -p f --portmap=(0,2)(1,3) --no-mac-updating": "--stats-period=10 --portmap=(0,2)(1,3) --no-mac-updating --cpus=1,2 emu:gen,queues=1 emu:gen,queues=1 emu:gen,queues=1 emu:gen,queues=1",
		"--no-pci --vdev net_null0 --vdev net_null1 --vdev net_null2 -- -p 7 --mac-updating -T 0":                                          "--stats-period=10 --stats-period=0 --portmap=(0,1)(2,2) emu:gen,queues=1 emu:gen,queues=1 emu:gen,queues=1",
		"-l 0 --no-pci --vdev net_virtio_user0,path=/tmp/s,queues=4,queue_size=1024,packed_vq=1 -- -p1":                                    "--stats-period=10 --portmap=(0,0) --cpus=0 vhost-user:/tmp/s,rx_queue_size=1024,tx_queue_size=1024,packed=1,queues=1",
		"-l 0-2 -n 2 --no-pci --vdev net_null0 --vdev net_null1 --vdev net_null2 -- -p 7 -q 2":                                             "--stats-period=10 --portmap=(0,1)(2,2) --cpus=0,1 emu:gen,queues=1 emu:gen,queues=1 emu:gen,queues=1",
	} {
		var messages bytes.Buffer
		got, err := fromDPDK(append([]string{"l2fwd"}, strings.Fields(line)...), &messages)
		if err != nil || strings.Join(got[1:], " ") != want {
			t.Errorf("%s\ngot  %q, %v\nwant %q", line, got, err, want)
		}
		if strings.Contains(line, "-n ") && !strings.Contains(messages.String(), "without a meaning here: -n") {
			t.Errorf("%s: %q", line, messages.String())
		}
	}
	for line, want := range map[string]string{
		"--no-pci --vdev net_null0 -- -p 3":     "no port 1 among the 1 of the command line",
		"--no-pci --vdev net_null0 -- -p x":     "not a hexadecimal mask of ports",
		"--no-pci --vdev net_null0 -- -q 16":    "not between 1 and 15",
		"--no-pci --vdev net_null0 -- -z":       "neither an option of DPDK's EAL nor of this command",
		"--no-pci --vdev net_null0,speed=1 --":  "unknown key",
		"-l x --no-pci --vdev net_null0 -- -p1": "not a list of cores",
	} {
		if _, err := fromDPDK(append([]string{"l2fwd"}, strings.Fields(line)...), new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
