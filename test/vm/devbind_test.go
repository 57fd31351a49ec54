package vm

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// testDevbindRefuses has devbind refuse a function that is in use, in every
// way a function can be; --force takes it.
func (g *guest) testDevbindRefuses(t *testing.T, id string) {
	name, address := g.netdev(t, id), g.nics[id].address
	bind := []string{"/bin/devbind", "bind", address}
	use := func(words []string, command, undo []string) {
		t.Helper()
		g.must(t, append([]string{"/init"}, command...)...)
		g.refuses(t, append(words, address, name, "--force"), bind...)
		g.must(t, append([]string{"/init"}, undo...)...)
	}
	add, del := []string{"address", "add", name}, []string{"address", "del", name}
	for _, cidr := range []string{"192.0.2.1/24", "2001:db8::1/64"} {
		use([]string{cidr}, append(add, cidr), append(del, cidr))
	}
	g.must(t, "/init", "link", name, "up")
	for version, cidr := range map[string]string{"IPv4": "198.51.100.0/24",
		"IPv6": "2001:db8:1::/64"} {
		use([]string{version + " route", cidr}, []string{"route", "add", name, cidr},
			[]string{"route", "del", name, cidr})
	}
	g.must(t, "/init", "link", name, "down")
	use([]string{"br0"}, []string{"bridge", "br0", name}, []string{"delete", "br0"})

	g.must(t, append([]string{"/init"}, append(add, "192.0.2.1/24")...)...)
	g.refuses(t, []string{"SSH"}, append([]string{"/init", "env",
		"SSH_CONNECTION=192.0.2.9 40000 192.0.2.1 22"}, bind...)...)
	g.must(t, append(bind, "--force")...)
	g.must(t, "/bin/devbind", "restore", address)
}

// testDryRun has devbind say what it would do, and do nothing.
func (g *guest) testDryRun(t *testing.T, id string) {
	address := g.nics[id].address
	before := g.state(t)
	out := g.must(t, "/bin/devbind", "bind", "--dry-run", address)
	for _, write := range []string{
		"echo " + address + " > /sys/bus/pci/drivers/virtio-pci/unbind",
		"echo vfio-pci > /sys/bus/pci/devices/" + address + "/driver_override",
		"echo " + address + " > /sys/bus/pci/drivers/vfio-pci/bind",
	} {
		if !strings.Contains(out, write+"\n") {
			t.Errorf("the dry run does not print %q:\n%s", write, out)
		}
	}
	g.unchanged(t, before)
}

// testStatus compares what devbind says about a function with what is known.
func (g *guest) testStatus(t *testing.T, id, kind, driver string) {
	t.Helper()
	var status struct {
		Functions []struct {
			Address string   `json:"address"`
			Vendor  string   `json:"vendor"`
			Kind    string   `json:"kind"`
			Driver  string   `json:"driver"`
			Netdevs []string `json:"netdevs"`
			Group   *int     `json:"iommu_group"`
			NoIOMMU bool     `json:"noiommu"`
		} `json:"functions"`
	}
	out := g.must(t, "/bin/devbind", "status", "--json")
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, f := range status.Functions {
		if f.Address != g.nics[id].address {
			continue
		}
		bound := driver == "vfio-pci"
		if f.Vendor != "1af4" || f.Kind != kind || f.Driver != driver ||
			(len(f.Netdevs) == 0) != bound {
			t.Errorf("status of %s is not %s with %s:\n%s", f.Address, kind, driver, out)
		}
		// Without an IOMMU vfio makes a group of its own, for as long as it has
		// the function.
		if (f.Group != nil) != (g.iommu || bound) || f.NoIOMMU != (!g.iommu && bound) {
			t.Errorf("status of %s has IOMMU group %v, no-IOMMU %v:\n%s", f.Address, f.Group,
				f.NoIOMMU, out)
		}
		return
	}
	t.Errorf("status does not list %s:\n%s", g.nics[id].address, out)
}

// testRestore gives two functions back to the kernel, whose interfaces then
// work, and leaves nothing of the override.
func (g *guest) testRestore(t *testing.T, a, b string) {
	g.must(t, append([]string{"/bin/devbind", "restore"}, g.addresses(a, b)...)...)
	state := strings.Split(g.state(t), "\n")
	for _, address := range g.addresses(a, b) {
		if want := address + " driver=virtio-pci override=(null)"; !slices.Contains(state, want) {
			t.Errorf("not %q:\n%s", want, strings.Join(state, "\n"))
		}
	}
	g.kernelForwards(t, a, b, 2000)
}
