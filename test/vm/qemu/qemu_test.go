package qemu

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestStartFails has QEMU refuse its command line: the error shows it, and
// what QEMU said.
func TestStartFails(t *testing.T) {
	dir, err := os.MkdirTemp("", "qemu") // names of sockets have little room
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = Start(ctx, Config{Name: "broken", Kernel: "/no/such/kernel", Initrd: "/no/such/initrd",
		MemoryMiB: 64, Dir: dir})
	if err == nil {
		t.Fatal("a machine without a kernel was started")
	}
	for _, part := range []string{Program + " -name broken",
		"--- QEMU (exit status 1)\nqemu: could not "} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
}

// line is the command line of functions, as one string.
func line(iommu bool, nics ...NIC) (string, []*os.File) {
	c := Config{IOMMU: iommu, NICs: nics}
	args, files := c.arguments("/q", "/a", "/c")
	return strings.Join(args, " "), files
}

func TestArguments(t *testing.T) {
	dgram := Net{Dgram: &Dgram{QEMU: "/x", Peer: "/y"}}
	for name, c := range map[string]struct {
		iommu     bool
		nic       NIC
		has, lack []string
	}{
		"confined": {true, NIC{ID: "a", Net: dgram},
			[]string{"-device intel-iommu", "disable-legacy=on,iommu_platform=on,ats=on,addr=0x2"},
			nil},
		"unguarded": {false, NIC{ID: "a", Net: dgram}, []string{"disable-legacy=on,addr=0x2"},
			[]string{"iommu", "ats="}},
		"physical": {true, NIC{ID: "a", Net: dgram, Options: "iommu_platform=off"},
			[]string{",iommu_platform=off,addr=0x2"}, nil},
		"legacy": {false, NIC{ID: "a", Net: dgram, Options: "disable-legacy=off"},
			[]string{",disable-legacy=off,addr=0x2"}, nil},
		"port": {false, NIC{ID: "a", Net: dgram, Bus: Port},
			[]string{"pcie-root-port,id=port-a", ",bus=port-a"}, nil},
		"bridge": {false, NIC{ID: "a", Net: dgram, Bus: Bridge},
			[]string{"pcie-pci-bridge,id=conventional,addr=0x2", ",bus=conventional,addr=0x1"},
			nil},
		"vhost-user": {false, NIC{ID: "a", Net: Net{VhostUser: "/s"}},
			[]string{"-machine q35,memory-backend=memory ",
				"memory-backend-memfd,id=memory,size=0M,share=on ",
				"-chardev socket,id=vhost-a,path=/s,reconnect=1 -netdev vhost-user,id=net-a,chardev=vhost-a "},
			nil},
		"sockets": {false, NIC{ID: "a", Net: dgram}, []string{"local.path=/x,", "remote.path=/y"},
			nil},
	} {
		got, _ := line(c.iommu, c.nic)
		nic := got[strings.Index(got, "virtserialport"):]
		for _, part := range c.has {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q is not in %s", name, part, got)
			}
		}
		for _, part := range c.lack {
			if strings.Contains(nic, part) {
				t.Errorf("%s: %q is in %s", name, part, nic)
			}
		}
	}
}

// TestTaps gives every queue of every TAP interface its number.
func TestTaps(t *testing.T) {
	one, two := []*os.File{os.Stdin}, []*os.File{os.Stdout, os.Stderr}
	got, files := line(false, NIC{ID: "a", Net: Net{Taps: one}}, NIC{ID: "b", Net: Net{Taps: two}})
	if !strings.Contains(got, "tap,id=net-a,fd=3,") ||
		!strings.Contains(got, "tap,id=net-b,fds=4:5,") {
		t.Errorf("numbers of files: %s", got)
	}
	if !slices.Equal(files, append(one, two...)) {
		t.Errorf("files: %v", files)
	}
}

func TestQMP(t *testing.T) {
	near, far := net.Pipe()
	defer func() { _ = far.Close() }()
	go func() {
		in, out := json.NewDecoder(far), json.NewEncoder(far)
		_ = out.Encode(map[string]any{"QMP": map[string]any{}})
		for {
			var r struct {
				Execute string `json:"execute"`
			}
			if in.Decode(&r) != nil {
				return
			}
			switch r.Execute {
			case "device_del":
				_ = out.Encode(map[string]any{"event": "DEVICE_DELETED",
					"data": map[string]any{"device": "other"}})
				_ = out.Encode(map[string]any{"return": map[string]any{}})
				_ = out.Encode(map[string]any{"event": "DEVICE_DELETED",
					"data": map[string]any{"device": "a"}})
			case "query-pci":
				_, _ = far.Write([]byte(`{"return":[{"bus":0,"devices":[{"bus":0,"slot":2,"function":1,"qdev_id":"a"},` +
					`{"bus":0,"slot":3,"function":0,"qdev_id":"port","pci_bridge":{"devices":[{"bus":17,"slot":0,"function":0,"qdev_id":"b"}]}}]}]}`))
			case "qmp_capabilities":
				_ = out.Encode(map[string]any{"return": map[string]any{}})
			default:
				_ = out.Encode(map[string]any{"error": map[string]any{"class": "CommandNotFound",
					"desc": "no"}})
			}
		}
	}()
	q, err := newQMP(near)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	if err := q.Execute("nonsense", nil, nil); err == nil ||
		err.Error() != "qmp: nonsense: CommandNotFound: no" {
		t.Errorf("a command that does not exist: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := q.Unplug("a"); err != nil {
		t.Fatal(err)
	}
	if err := q.AwaitUnplugged(ctx, "a"); err != nil {
		t.Error(err)
	}
	got, err := q.Addresses()
	if err != nil || got["a"] != "0000:00:02.1" || got["b"] != "0000:11:00.0" || len(got) != 3 {
		t.Errorf("addresses: %v, %v", got, err)
	}
}
