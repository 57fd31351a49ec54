package main

import "github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"

// refused returns the commands of dpdk-testpmd that are not carried out here.
func refused() []grammar.Command {
	var list []grammar.Command
	for _, group := range refusals {
		for _, form := range group.forms {
			list = append(list, grammar.Command{Form: form, Section: group.section, Refused: group.reason})
		}
	}
	return list
}

// refusals are the reasons why commands are not carried out, and the commands of each.
var refusals = []struct {
	section string
	reason  string
	forms   []string
}{
	{inConfig, "the link of a virtio device is set at its other end: in QEMU by set_link, on a TAP interface by ip link", []string{
		"set (link-up|link-down) port PORT",
	}},
	{inPorts, "the speed of a virtio link cannot be set", []string{
		"port config (PORT|all) speed ...", "port config (PORT|all) loopback ...", "set tx loopback PORT (on|off)",
	}},
	{inPorts, "an offload is one of all queues of a port: port config PORT rx_offload or tx_offload, or vlan set", []string{
		"port PORT (rxq|txq) QUEUE (rx_offload|tx_offload) ...",
		"port config all (hw-vlan|hw-vlan-filter|hw-vlan-strip|hw-vlan-extend|hw-qinq-strip|crc-strip|scatter|rx-cksum) (on|off)",
		"vlan set (qinq_strip|extend) (on|off) PORT", "vlan set (inner|outer) tpid N PORT",
	}},
	{inPorts, "a virtio queue has no thresholds of its own", []string{
		"set all queues drop PORT (on|off)",
		"set port PORT rxq QUEUE avail_thresh N", "port config PORT (rxq|txq) QUEUE ...",
		"port PORT (rxq|txq) QUEUE deferred_start (on|off)",
	}},
	{inConfig, "a virtio device does not split packets", []string{
		"set (rxoffs|rxpkts|rxhdrs) ...", "show config (rxoffs|rxpkts|rxhdrs)",
	}},
	{inConfig, "packets are made in the segments of set txpkts, and without times", []string{
		"set txsplit (off|on|rand)", "set txtimes ...",
	}},
	{inConfig, "a receive queue belongs to one port", []string{"set fwd shared_rxq"}},
	{inConfig, "the level of messages is that of --log-level", []string{"set log ..."}},
	{inConfig, "a port that is attached is set up at once", []string{"set port setup on (iterator|event)"}},
	{inConfig, "a virtio device has no flow control", []string{
		"set flow_ctrl ...", "set pfc_ctrl ...", "set pfc_queue_ctrl ...", "show port PORT flow_ctrl",
	}},
	{inConfig, "a port has no virtual functions of its own", []string{
		"set vf ...", "show vf stats ...", "clear vf stats ...", "set port PORT vf ...", "mac_addr add port PORT vf N MAC",
		"rx_vlan (add|rm) VLAN port PORT vf MASK", "port config PORT udp_tunnel_port ...",
	}},
	{inConfig, "a virtio device has no unicast hash table; mac_addr add gives it addresses", []string{"set port PORT uta ..."}},
	{inConfig, "a virtio device knows no tunnels", []string{
		"rx_vxlan_port (add|rm) N PORT", "tx_vlan set pvid PORT VLAN (on|off)", "set (vxlan|vxlan-with-vlan|vxlan-tos-ttl|nvgre|nvgre-with-vlan) ...",
		"set (vxlan-gpe|l2_encap|l2_decap|l2_encap-with-vlan|l2_decap-with-vlan|mplsogre_encap|mplsogre_decap|mplsoudp_encap|mplsoudp_decap) ...",
	}},
	{inConfig, "queues have counters of their own: show port xstats", []string{"set stat_qmap (tx|rx) PORT QUEUE N"}},
	{inConfig, "a virtio device does not limit rates; pktgen sends at one", []string{"set port PORT queue QUEUE rate N", "set queue rate ..."}},
	{inConfig, "packet types are found by software and cannot be masked", []string{"set port PORT ptype_mask N"}},
	{inConfig, "a virtio device has no forward error correction", []string{
		"set port PORT fec_mode WORD", "show port PORT fec capabilities", "show port PORT fec_mode",
	}},
	{inDisplay, "a virtio device has neither a module nor an EEPROM", []string{"show port PORT (module_eeprom|eeprom)"}},
	{inDisplay, "a virtio device has no representors", []string{"show port info PORT representor"}},
	{inDisplay, "a virtio device has no flow director and no DCB", []string{
		"show port (fdir|dcb_tc) (PORT|all)", "clear port fdir (PORT|all)", "port config PORT dcb ...", "flow_director_filter ...",
		"show port PORT tx_metadata", "port config PORT tx_metadata N", "port config PORT dynf ...",
	}},
	{inDisplay, "a virtio device has no meters and no traffic management", []string{
		"show port meter ...", "add port meter ...", "del port meter ...", "create port meter ...", "enable port meter ...",
		"disable port meter ...", "set port meter ...",
	}},
	{inTraffic, "a virtio device has no traffic management", []string{
		"show port tm ...", "add port tm ...", "del port tm ...", "set port tm ...", "suspend port tm ...", "resume port tm ...",
		"port tm ...",
	}},
	{inFilters, "a virtio device has no flow table; the modes and filters of set promisc, mac_addr and rx_vlan are what it has", []string{
		"flow ...", "set (raw_encap|raw_decap|sample_actions) ...", "show port PORT flow transfer proxy",
		"show (raw_encap|raw_decap) ...", "global_config ...", "create|destroy ...",
	}},
	{inPorts, "there are no programs between a queue and the application", []string{"bpf-load ...", "bpf-unload ..."}},
	{inDrivers, "there are no bonded devices", []string{
		"set bonding ...", "show bonding ...", "add bonding ...", "remove bonding ...", "create bonded ...",
	}},
	{inDrivers, "it is of another driver than virtio's", []string{
		"set port PORT queue-region ...", "show port PORT queue-region", "set tx strict-link-priority ...", "ddp ...",
		"port config PORT pctype ...", "ptype mapping ...", "show port PORT pctype mapping", "set macsec ...", "set tc ...",
		"port config bypass ...", "port config PORT bypass ...", "set bypass ...", "show bypass ...", "mlx5 ...",
		"port config all pctype ...", "port config N pctype ...",
	}},
	{inDisplay, "there are no dumps of the EAL; show port info and show device info show what there is", []string{
		"dump_physmem", "dump_memzone", "dump_socket_mem", "dump_struct_sizes", "dump_ring ...", "dump_mempool ...", "dump_devargs",
		"dump_lcores", "dump_trace", "dump_log_types",
	}},
}
