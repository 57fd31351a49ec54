package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/dpdk"
	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
)

// dpdkTestpmd runs dpdk-testpmd without hugepages or devices and returns what it says.
func dpdkTestpmd(t *testing.T, commands string, options ...string) string {
	t.Helper()
	args := append([]string{"-l", "0,1", "--no-pci", "--no-huge", "-m", "128", "--no-shconf", "--no-telemetry", "--log-level", "error",
		"--vdev", "net_null0"}, options...)
	cmd := exec.Command("dpdk-testpmd", args...)
	cmd.Stdin = strings.NewReader(commands)
	out, err := cmd.CombinedOutput()
	if len(out) == 0 {
		t.Fatalf("dpdk-testpmd: %v", err)
	}
	return string(out)
}

// TestTally: every command in the help of dpdk-testpmd, in each of its forms, is carried out here
// or refused with a reason, and none is unknown.
func TestTally(t *testing.T) {
	help := dpdkTestpmd(t, "help all\nquit\n", "--", "-i", "--total-num-mbufs=2048")
	tester := &tester{plan: &plan{}}
	g := grammar.New(tester.commands(), tester.kinds())
	understood, refused := 0, 0
	var names []string
	for _, form := range helpForms(help) {
		did := map[string]int{}
		for _, line := range samples(form) {
			m, err := g.Parse(line)
			switch {
			case err != nil:
				did["unknown"]++
				t.Errorf("%q, of %q: %v", line, form, err)
			case m.Command.Refused != "":
				did["refused"]++
			default:
				did["understood"]++
			}
		}
		if did["understood"] > 0 {
			understood++
		} else {
			refused++
			names = append(names, form)
		}
	}
	t.Logf("refused:\n%s", strings.Join(names, "\n"))
	t.Logf("%d commands of dpdk-testpmd are understood, in one form at least, and %d refused", understood, refused)
	if understood < 70 || refused < 100 {
		t.Error("that is not the help of dpdk-testpmd, or it is not read as it should be")
	}
}

// helpForms returns the lines of the help that begin a command.
func helpForms(help string) []string {
	var forms []string
	start := regexp.MustCompile(`^(add|bpf-load|bpf-unload|clear|create|csum|ddp|del|device|disable|enable|flow|flow_director_filter|` +
		`mac_addr|mcast_addr|mlx5|port|ptype|quit|read|remove|resume|rx_vlan|rx_vxlan_port|set|show|start|stop|suspend|tso|tx_vlan|vlan)( |$)`)
	for line := range strings.SplitSeq(help, "\n") {
		line = strings.TrimRight(line, ":. \r")
		if i := strings.IndexAny(line, "\t"); i > 0 {
			line = line[:i]
		}
		// Some have their explanation on the same line, or no space before it.
		for _, more := range []string{"       ", "    ", "Enable/Disable"} {
			line, _, _ = strings.Cut(line, more)
		}
		if start.MatchString(line) && !strings.HasPrefix(line, "start   ") {
			forms = append(forms, strings.TrimSpace(line))
		}
	}
	return forms
}

// values are examples of what stands in the place of words of the help.
var values = map[string]string{
	"port_id": "0", "portid": "0", "port": "0", "X": "0", "queue_id": "0", "num": "1", "value": "1", "level": "1", "mask": "0x1",
	"ident": "emu:null", "identifier": "emu:null", "vlan_id": "5", "XX:XX:XX:XX:XX:XX": "02:00:00:00:00:01", "peer_addr": "02:00:00:00:00:01",
	"mac_address": "02:00:00:00:00:01", "mcast_addr": "01:00:5e:00:00:01", "segsize": "1000", "length": "1400", "size": "128",
	"mask0,mask1,...": "(0x1,0x0)", "x[,y]*": "64,128", "port_id,queue_id": "0,0", "microseconds": "5", "rxd_id": "0", "txd_id": "0",
	"udp_port": "4789", "cycles": "1", "qmapping": "1", "hash,queue": "(0,0)", "hash key": "00112233", "free_cnt": "0", "tx_port_id": "0", "desc_id": "0",
}

// samples returns lines that a form of the help stands for: each alternative, with and without
// what is optional.
func samples(form string) []string {
	// What is irregular in the help, as it is meant.
	form = strings.NewReplacer(
		"rxq|txq (queue_id) desc", "(rxq|txq) (queue_id) desc", "(port_id) macs|mcast_macs", "(port_id) (macs|mcast_macs)",
		"(hash,queue)[,(hash,queue)]", "(hash,queue)", "port_id (module", "(port_id) (module", "vlan_id[, vlan_id_outer]", "(vlan_id) [vlan_id]",
		"set pvid port_id vlan_id", "set pvid (port_id) (vlan_id)", "record-core-cycles on|off", "record-core-cycles (on|off)",
		"record-burst-stats on|off", "record-burst-stats (on|off)", "xstats-hide-zero on|off", "xstats-hide-zero (on|off)",
		"gro on|off", "gro (on|off)", "rx|tx on|off", "(rx|tx) (on|off)", "auto|off|rs|baser", "(auto|off|rs|baser)",
		"region_id (value)", "region_id 1", "<port_id>", "(port_id)", "port config port-id rss", "port config (port_id) rss", "<identifier>", "identifier", "show port X", "show port (port_id)",
		"port config mtu X value", "port config mtu (port_id) (value)", "(size) (mask0", "(size) ((mask0", "...)", "...))",
		"(0..99)>", "50", "set|clear", "(set|clear)", "rate_num):", "rate_num)", "(x, y)", "1,2", "(eth[,ipv4])*", "eth,ipv4",
	).Replace(form)
	lines := []string{""}
	for _, part := range split(form) {
		var next []string
		for _, line := range lines {
			for _, word := range expand(part) {
				next = append(next, strings.TrimSpace(line+" "+word))
			}
		}
		lines = next
	}
	return slices.Compact(lines)
}

// split splits a form at the spaces that are not in brackets.
func split(form string) []string {
	var parts []string
	depth, from := 0, 0
	for i, r := range form + " " {
		switch r {
		case '(', '[', '{', '<':
			depth++
		case ')', ']', '}', '>':
			depth--
		case ' ':
			if depth <= 0 {
				if i > from {
					parts = append(parts, form[from:i])
				}
				from = i + 1
			}
		}
	}
	return parts
}

// expand returns what a part of a form can be.
func expand(part string) []string {
	switch part[0] {
	case '[':
		return append([]string{""}, expand("("+strings.TrimSuffix(part[1:], "]")+")")...)
	case '{':
		return []string{"1"}
	case '(', '<':
	default:
		return strings.Split(part, "|")
	}
	inner := part[1 : len(part)-1]
	if v, ok := values[strings.Trim(inner, "()")]; ok {
		return []string{v}
	}
	alternatives := strings.Split(inner, "|")
	if len(alternatives) == 1 && strings.ContainsAny(inner, "_ ,[") {
		return []string{"1"} // the name of a value
	}
	for i, a := range alternatives {
		if v, ok := values[strings.Trim(a, "()")]; ok {
			alternatives[i] = v
		}
	}
	return alternatives
}

// TestTallyOptions: every option in the help of dpdk-testpmd, of the EAL and its own, is accepted
// or refused with a reason, and none is unknown.
func TestTallyOptions(t *testing.T) {
	help := dpdkTestpmd(t, "", "--", "--help")
	option := regexp.MustCompile(`^  --([a-z0-9-]+)`)
	own := map[string]bool{}
	for line := range strings.SplitSeq(help, "\n") {
		if m := option.FindStringSubmatch(line); m != nil {
			own[m[1]] = true
		}
	}
	if len(own) < 90 {
		t.Fatalf("%d options of testpmd are in its help", len(own))
	}
	known := map[string]bool{"help": true, "burst": true, "stats-period": true}
	for _, o := range options {
		known[o.name] = true
		if o.usage == "" {
			t.Errorf("--%s has no usage", o.name)
		}
	}
	for name := range own {
		if !known[name] {
			t.Errorf("--%s is unknown", name)
		}
	}
	out, _ := exec.Command("dpdk-testpmd", "--help").CombinedOutput()
	eal, _, _ := bytes.Cut(out, []byte("Usage: dpdk-testpmd [EAL options] -- "))
	n := 0
	for _, m := range regexp.MustCompile(`(?m)^  (-[a-zA-Z-]+)(?:, (--[a-z-]+))?`).FindAllSubmatch(eal, -1) {
		for _, name := range m[1:] {
			if len(name) > 0 {
				n++
				if !dpdk.Has(string(name)) {
					t.Errorf("%s of the EAL is unknown", name)
				}
			}
		}
	}
	if n < 45 {
		t.Errorf("%d options of the EAL are in its help: %s", n, eal)
	}
	fmt.Fprintf(t.Output(), "%d options of testpmd and %d of the EAL\n", len(own), n)
}
