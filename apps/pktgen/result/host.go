package result

// Host is the machine, or the guest, that the report was made on. CollectHost fills it
// in; what cannot be read is Unknown.
type Host struct {
	CPUModel string `json:"cpu_model"`
	CPUs     string `json:"cpus"` // online, as a list: "0-3"
	// Governor is the frequency governor; several if they differ.
	Governor string `json:"governor"`
	SMT      string `json:"smt"`      // "on", "off", "notsupported" …
	IsolCPUs string `json:"isolcpus"` // a list of CPUs, or "none"
	NoHzFull string `json:"nohz_full"`
	CPUSet   string `json:"cpuset"` // the CPUs that the process may use
	// NUMANodes, Hugepages and Mitigations are empty if they could not be read; then Unread
	// names them.
	NUMANodes   []NUMANode   `json:"numa_nodes,omitempty"`
	Hugepages   []Hugepages  `json:"hugepages,omitempty"`
	Kernel      string       `json:"kernel"`
	KernelLine  string       `json:"kernel_command_line"`
	Hypervisor  string       `json:"hypervisor"` // "none" on bare metal
	Clocksource string       `json:"clocksource"`
	Memory      int64        `json:"memory_bytes"` // 0 if unknown
	Mitigations []Mitigation `json:"mitigations,omitempty"`
	Unread      []string     `json:"unread,omitempty"` // lists that could not be read
}

// NUMANode is a NUMA node of the host.
type NUMANode struct {
	ID     int    `json:"id"`
	CPUs   string `json:"cpus"`
	Memory int64  `json:"memory_bytes"`
}

// Hugepages is the pool of one size of hugepages on one node.
type Hugepages struct {
	Node  int   `json:"node"`
	Size  int64 `json:"size_bytes"`
	Total int64 `json:"total"`
	Free  int64 `json:"free"`
}

// Mitigation is what the kernel does about a weakness of the CPU.
type Mitigation struct {
	Name  string `json:"name"`
	State string `json:"state"`
}
