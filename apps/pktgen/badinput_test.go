package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadInput: what cannot be meant is refused with status 2 before a port is opened, and the
// error names the option, the value and what to do.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	scenario := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return file
	}
	good := scenario("good.yaml", "streams:\n  - name: a\n    packet: [ethernet: {}, ipv4: {}, udp: {}]\n")
	taken := filepath.Join(dir, "taken.json")
	if err := os.Mkdir(taken, 0o777); err != nil {
		t.Fatal(err)
	}
	bad := scenario("bad.yaml", "streams:\n  - name: a\n    rats: 1kpps\n")
	small := scenario("small.yaml", "streams:\n  - name: a\n    size: 59\n    packet: [ethernet: {}, ipv4: {}, udp: {}]\n")
	far := scenario("far.yaml", "streams:\n  - name: a\n    port: 5\n    packet: [ethernet: {}, ipv4: {}, udp: {}]\n")
	missing := scenario("missing.yaml", "streams:\n  - name: a\n    replay: {file: none.pcap}\n")
	garbage := scenario("garbage.yaml", "streams:\n  - name: a\n    replay: {file: bad.yaml}\n")
	for _, c := range []struct {
		args  string
		words string // of the error, in their order, separated by |
	}{
		{"--rate=", "--rate|pps"},
		{"--rate=0", "--rate 0"},
		{"--rate=-1Mpps", "--rate -1Mpps"},
		{"--rate=fast", "--rate fast"},
		{"--rate=1Mfoo", "--rate 1Mfoo"},
		{"--rate=50%", "--rate 50%|line"},
		{"--rate=200% --line-rate=1Gbps", "--rate 200%"},
		{"--rate=2Gbps --line-rate=1Gbps", "--rate 2Gbps|line rate"},
		{"--rate=NaNpps", "--rate NaNpps"},
		{"--rate=1e400pps", "--rate 1e400pps"},
		{"--line-rate=fast", "--line-rate fast"},
		{"--line-rate=1Mpps", "--line-rate 1Mpps"},
		{"--line-rate=0", "--line-rate 0"},
		{"--pattern=sometimes", "--pattern sometimes|continuous, poisson"},
		{"--pattern=burst", "--pattern burst|burst:PACKETS"},
		{"--pattern=burst:0", "--pattern burst:0"},
		{"--pattern=burst:x", "--pattern burst:x"},
		{"--pattern=multi-burst:1:2", "--pattern multi-burst:1:2|multi-burst:PACKETS:COUNT:GAP"},
		{"--pattern=multi-burst:1:2:3", "--pattern multi-burst:1:2:3"},
		{"--pattern=multi-burst:1:2:-1ms", "--pattern multi-burst:1:2:-1ms"},
		{"--size=59", "--size 59|60"},
		{"--size=70000", "--size 70000"},
		{"--size=x", "--size x"},
		{"--size=", "--size"},
		{"--size=100-60", "--size 100-60"},
		{"--size=imix:0:0:0", "--size imix:0:0:0"},
		{"--size=60 --ipv6 --verify", "--size 60"},
		{"--size=60 --sizes=60,64", "--sizes 60,64|--size"},
		{"--sizes=60,59", "--sizes 60,59|60"},
		{"--sizes=60,,64", "--sizes 60,,64"},
		{"--flows=0", "--flows 0|not between 1 and "},
		{"--flows=99999999", "--flows 99999999"},
		{"--flows=many", "many"},
		{"--flows=2 --l4=icmp", "--flows 2|udp"},
		{"--flows=60000 --src-port=60000", "--flows 60000|5536|use fewer"},
		{"--l4=sctp", "--l4 sctp|udp, tcp or icmp"},
		{"--vlan=4096", "--vlan 4096|100,200"},
		{"--vlan=1,2,3", "--vlan 1,2,3"},
		{"--vlan=x", "--vlan x"},
		{"--dst-mac=x", "--dst-mac x|02:00:00:00:00:01"},
		{"--src-mac=1:2:3", "--src-mac 1:2:3"},
		{"--src-ip=300.0.0.1", "--src-ip 300.0.0.1"},
		{"--dst-ip=2001:db8::1", "--dst-ip 2001:db8::1|--ipv6"},
		{"--ipv6 --dst-ip=10.0.0.1", "--dst-ip 10.0.0.1"},
		{"--src-port=65536", "--src-port 65536"},
		{"--dst-port=-1", "--dst-port -1"},
		{"--payload=noise", "--payload noise|"},
		{"--payload=keep --ipv6 --size=100", "--payload keep|zeros"},
		{"--payload=keep --l4=tcp --size=100", "--payload keep|UDP"},
		{"--payload=hex:zz", "--payload"},
		{"--payload=text:" + strings.Repeat("x", 100), "--payload"},
		{"--latency=x", "--latency x"},
		{"--latency=1Gbps", "--latency 1Gbps|1kpps"},
		{"--latency=max", "--latency max"},
		{"--max-loss=-1", "--max-loss -1|0.1%"},
		{"--max-loss=101%", "--max-loss 101%"},
		{"--max-loss=x", "--max-loss x"},
		{"--max-p99=0", "--max-p99 0|50us"},
		{"--max-p99=-1ms", "--max-p99 -1ms"},
		{"--max-p99=50", "--max-p99 50|50us"},
		{"--max-p99=1ms --latency=0", "--max-p99 1ms|--latency"},
		{"--report=x.txt", "--report x.txt|.html, .json or .csv"},
		{"--report=" + dir + "/none/x.json", "--report|no directory"},
		{"--search=fastest", "--search fastest|csit-ndr"},
		{"--search=csit-ndr --rate=1Mpps", "--rate 1Mpps|--max-rate"},
		{"--search=csit-ndr --duration=1s", "--duration 1s|--trial-duration"},
		{"--search=csit-ndr --pattern=poisson", "--pattern poisson"},
		{"--search=csit-ndr --min-rate=max", "--min-rate max"},
		{"--search=csit-ndr --min-rate=x", "--min-rate x"},
		{"--search=csit-ndr --max-rate=x", "--max-rate x"},
		{"--search=csit-ndr --min-rate=2kpps --max-rate=1kpps", "--min-rate"},
		{"--search=csit-ndr --trial-duration=0", "--trial-duration 0|1s or 60s"},
		{"--search=csit-ndr --trial-duration=x", "--trial-duration x"},
		{"--search=csit-ndr --repeat=0", "--repeat 0"},
		{"--search=csit-ndr --max-loss=0", "--max-loss 0"},
		{"--search=csit-ndr --max-rate=50%", "--max-rate 50%|--line-rate"},
		{"--search=csit-ndr,csit-ndr", "--search csit-ndr,csit-ndr|twice|--repeat"},
		{"--search=csit-ndr --latency=2kpps", "--latency 2kpps|--latency-at-load"},
		{"--search=csit-ndr --latency=0 --latency-at-load", "--latency-at-load true|--latency"},
		{"--search=csit-ndr --latency-at-load --scenario=" + good, "--latency-at-load true|scenario"},
		{"--loss-curve --repeat=2", "--repeat 2|--search"},
		{"--back-to-back=1 --scenario=" + good, "--back-to-back 1|options"},
		{"--max-p99=1ms --scenario=" + good, "--max-p99 1ms|scenario"},
		{"--sizes=60,100", "--sizes 60,100|--duration"},
		{"--l4=icmp --src-port=5", "--src-port 5|udp"},
		{"--dry-run --report=" + dir + "/x.json", "--report " + dir + "/x.json: nothing|--dry-run"},
		{"--report=" + taken, "--report|is a directory"},
		{"--search=mrr --latency-at-load", "--latency-at-load|csit-ndr"},
		{"--max-rate=1Mpps", "--max-rate 1Mpps|--search"},
		{"--repeat=2", "--repeat 2|--search"},
		{"--latency-at-load", "--latency-at-load|--search"},
		{"--trial-duration=1s", "--trial-duration 1s|--search"},
		{"--back-to-back=-1", "--back-to-back -1"},
		{"--scenario=" + dir + "/none.yaml", "none.yaml|no such file"},
		{"--scenario=" + far, "far.yaml:3: streams[0].port: 5|there are 2 ports"},
		{"--scenario=" + bad, "bad.yaml:3:|rats"},
		{"--scenario=" + small, "small.yaml:3:|59"},
		{"--scenario=" + missing, "missing.yaml:3:|none.pcap"},
		{"--scenario=" + garbage, "garbage.yaml:3:|bad.yaml"},
		{"--scenario=" + bad + " --size=60", "--size 60|--scenario"},
		{"--scenario=" + bad + " --one-way", "--one-way|--scenario"},
		{"--write=x.pcap", "--write x.pcap|--dry-run"},
		{"--packets=0 --dry-run", "--packets 0"},
		{"--burst=0", "--burst 0"},
		{"--cpus=x", "x"},
		{"--duration=-1", "--duration -1"},
		{"--log-level=loud", "--log-level loud"},
		{"--nonsense", "nonsense"},
	} {
		t.Run(c.args, func(t *testing.T) {
			// The first port makes a file when it is opened, the second one fails.
			trace := filepath.Join(t.TempDir(), "trace.pcap")
			o := pktgen(append(strings.Fields(c.args), "emu:pcap=:"+trace, "emu:pcap="+dir+"/none.pcap")...)
			if o.status != 2 || o.stdout != "" {
				t.Errorf("%v", o)
			}
			rest := o.stderr
			for word := range strings.SplitSeq(c.words, "|") {
				_, after, ok := strings.Cut(rest, word)
				if !ok {
					t.Errorf("the error does not say %q: %s", word, o.stderr)
					break
				}
				rest = after
			}
			if n := strings.Count(strings.TrimSpace(o.stderr), "\n"); n > 0 || strings.Contains(o.stderr, "goroutine") {
				t.Errorf("more than a line: %s", o.stderr)
			}
			if _, err := os.Stat(trace); err == nil {
				t.Error("the port was opened")
			}
		})
	}
}
