package result

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// cpuDir is where Linux describes CPUs, nodeDir where it describes NUMA nodes.
const (
	cpuDir  = "sys/devices/system/cpu/"
	nodeDir = "sys/devices/system/node"
)

// CollectHost describes the machine whose root directory is root: "/", or a tree made by
// a test. What cannot be read is Unknown.
func CollectHost(root string) Host {
	m := machine{os.DirFS(root)}
	h := Host{
		CPUModel:    m.cpuModel(),
		CPUs:        m.text(cpuDir + "online"),
		Governor:    m.governor(),
		SMT:         m.text(cpuDir + "smt/control"),
		IsolCPUs:    m.cpuList("isolated", "isolcpus="),
		NoHzFull:    m.cpuList("nohz_full", "nohz_full="),
		CPUSet:      m.field("proc/self/status", "Cpus_allowed_list"),
		Kernel:      m.text("proc/sys/kernel/osrelease"),
		KernelLine:  m.text("proc/cmdline"),
		Hypervisor:  m.hypervisor(),
		Clocksource: m.text("sys/devices/system/clocksource/clocksource0/current_clocksource"),
		Memory:      m.memory("proc/meminfo"),
		NUMANodes:   m.nodes(),
		Hugepages:   m.hugepages(),
		Mitigations: m.mitigations(),
	}
	for _, list := range []struct {
		name  string
		empty bool
	}{
		{"numa_nodes", len(h.NUMANodes) == 0},
		{"hugepages", len(h.Hugepages) == 0},
		{"mitigations", len(h.Mitigations) == 0},
	} {
		if list.empty {
			h.Unread = append(h.Unread, list.name)
		}
	}
	return h
}

// machine reads the files in which Linux describes a machine.
type machine struct{ fsys fs.FS }

// read returns the content of a file without surrounding space, and whether there is one.
func (m machine) read(name string) (string, bool) {
	content, err := fs.ReadFile(m.fsys, name)
	return strings.TrimSpace(strings.TrimRight(string(content), "\x00")), err == nil
}

// text returns the content of a file that says something; else Unknown.
func (m machine) text(name string) string {
	if content, ok := m.read(name); ok && content != "" {
		return content
	}
	return Unknown
}

// field returns the first value of a key in a file of "key: value" lines.
func (m machine) field(name, key string) string {
	content, _ := m.read(name)
	for line := range strings.Lines(content) {
		k, value, found := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); found && strings.TrimSpace(k) == key && value != "" {
			return value
		}
	}
	return Unknown
}

// glob returns the paths that match a pattern, sorted.
func (m machine) glob(pattern string) []string {
	names, _ := fs.Glob(m.fsys, pattern) // the patterns are constants
	return names
}

// cpuModel returns the name of the CPU; arm64 has numbers only.
func (m machine) cpuModel() string {
	const file = "proc/cpuinfo"
	if name := m.field(file, "model name"); name != Unknown {
		return name
	}
	implementer, part := m.field(file, "CPU implementer"), m.field(file, "CPU part")
	if implementer == Unknown {
		return Unknown
	}
	return "implementer " + implementer + ", part " + part
}

// governor returns the frequency governors of all policies, each once.
func (m machine) governor() string {
	var found []string
	for _, name := range m.glob(cpuDir + "cpufreq/policy*/scaling_governor") {
		if g := m.text(name); !slices.Contains(found, g) {
			found = append(found, g)
		}
	}
	if len(found) == 0 {
		return Unknown
	}
	return strings.Join(found, ", ")
}

// cpuList returns a list of CPUs that the kernel keeps in a file of cpuDir. A kernel
// without that file has none unless its command line says otherwise.
func (m machine) cpuList(file, option string) string {
	if list, ok := m.read(cpuDir + file); ok {
		if list == "" || list == "(null)" {
			return "none"
		}
		return list
	}
	line, ok := m.read("proc/cmdline")
	if !ok {
		return Unknown
	}
	for word := range strings.FieldsSeq(line) {
		if list, found := strings.CutPrefix(word, option); found {
			return list
		}
	}
	return "none"
}

// hypervisor returns what the machine runs on. The flag of the CPU says that there is a
// hypervisor, the firmware which machine it pretends to be.
func (m machine) hypervisor() string {
	if kind := m.text("sys/hypervisor/type"); kind != Unknown {
		return kind
	}
	flags := m.field("proc/cpuinfo", "flags")
	guest := slices.Contains(strings.Fields(flags), "hypervisor")
	if flags != Unknown && !guest {
		return "none"
	}
	vendor, product := m.text("sys/class/dmi/id/sys_vendor"), m.text("sys/class/dmi/id/product_name")
	switch {
	case vendor == Unknown && product == Unknown && guest:
		return "unnamed"
	case vendor == Unknown && product == Unknown:
		return Unknown
	case vendor == Unknown:
		return product
	case product == Unknown:
		return vendor
	}
	return vendor + " " + product
}

// memory returns the MemTotal of a meminfo file in bytes; 0 if it has none.
func (m machine) memory(file string) int64 {
	content, _ := m.read(file)
	_, after, _ := strings.Cut(content, "MemTotal:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10
}

// nodes returns the NUMA nodes in ascending order.
func (m machine) nodes() []NUMANode {
	var nodes []NUMANode
	for _, dir := range m.glob(nodeDir + "/node[0-9]*") {
		id, err := strconv.Atoi(strings.TrimPrefix(path.Base(dir), "node"))
		if err != nil {
			continue
		}
		nodes = append(nodes, NUMANode{ID: id, CPUs: m.text(dir + "/cpulist"), Memory: m.memory(dir + "/meminfo")})
	}
	slices.SortFunc(nodes, func(a, b NUMANode) int { return a.ID - b.ID })
	return nodes
}

// hugepages returns the pools of all nodes; of the whole machine (node -1) if the kernel
// has no NUMA.
func (m machine) hugepages() []Hugepages {
	pools := m.glob(nodeDir + "/node[0-9]*/hugepages/hugepages-*kB")
	if len(pools) == 0 {
		pools = m.glob("sys/kernel/mm/hugepages/hugepages-*kB")
	}
	var list []Hugepages
	for _, dir := range pools {
		size := strings.TrimSuffix(strings.TrimPrefix(path.Base(dir), "hugepages-"), "kB")
		kib, err := strconv.ParseInt(size, 10, 64)
		if err != nil {
			continue
		}
		node := -1
		if rest, found := strings.CutPrefix(dir, nodeDir+"/node"); found {
			node, _ = strconv.Atoi(rest[:strings.IndexByte(rest, '/')])
		}
		total, _ := strconv.ParseInt(m.text(dir+"/nr_hugepages"), 10, 64)
		free, _ := strconv.ParseInt(m.text(dir+"/free_hugepages"), 10, 64)
		list = append(list, Hugepages{Node: node, Size: kib << 10, Total: total, Free: free})
	}
	return list
}

// mitigations returns what the kernel does about weaknesses of the CPU.
func (m machine) mitigations() []Mitigation {
	var list []Mitigation
	for _, name := range m.glob(cpuDir + "vulnerabilities/*") {
		list = append(list, Mitigation{Name: path.Base(name), State: m.text(name)})
	}
	return list
}
