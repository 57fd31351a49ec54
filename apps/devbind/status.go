package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/inuse"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/version"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// statusObject is what --json prints for status.
type statusObject struct {
	App       string           `json:"app"`
	Version   string           `json:"version"`
	Functions []functionObject `json:"functions"`
}

type functionObject struct {
	Address    string   `json:"address"`
	Vendor     string   `json:"vendor"` // four hexadecimal digits
	Device     string   `json:"device"`
	Class      string   `json:"class"` // six
	Name       string   `json:"name"`
	Kind       string   `json:"kind"` // modern, transitional, legacy, "" if not virtio
	Driver     string   `json:"driver"`
	Override   string   `json:"driver_override"`
	Former     string   `json:"former_driver,omitempty"` // that restore gives it back to
	Persistent bool     `json:"persistent,omitempty"`    // a udev rule binds it
	Netdevs    []string `json:"netdevs"`
	NUMANode   int      `json:"numa_node"` // -1 when the machine does not say
	Group      *int     `json:"iommu_group"`
	NoIOMMU    bool     `json:"noiommu"`       // the group protects nothing
	GroupWith  []string `json:"group_members"` // the others
	InUse      []string `json:"in_use"`
	Fault      string   `json:"fault,omitempty"` // of its capability list
}

func status(c *cli.Context, env environment) error {
	infos, err := listed(c, env)
	if err != nil {
		return err
	}
	o := statusObject{App: "devbind", Version: version.String(), Functions: []functionObject{}}
	use, name := inuse.New(env.fs, env.getenv), names(env.fs.Root)
	for _, info := range infos {
		f := describe(info, name(info), inuse.Texts(use.Reasons(info)))
		if was, ok, _ := recall(&files{root: env.fs.Root}, info); ok {
			f.Former = was.Driver
		}
		f.Persistent = persistent(env.fs.Root, info.Address)
		o.Functions = append(o.Functions, f)
	}
	if c.Bool("json") {
		return writeJSON(env.stdout, o)
	}
	if len(infos) == 0 {
		fmt.Fprintln(env.stderr,
			"devbind: there is no PCI network function; --all lists functions of all classes")
		return nil
	}
	return table(env.stdout, o.Functions)
}

// listed returns the functions to show: those named, or all of the wanted class.
func listed(c *cli.Context, env environment) ([]sysfs.Info, error) {
	named, err := addresses(c, env)
	if err != nil {
		return nil, err
	}
	var infos []sysfs.Info
	for _, a := range named {
		info, err := env.fs.Function(a)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	if named != nil {
		return infos, nil
	}
	all, err := env.fs.Functions()
	for _, info := range all {
		if c.Bool("all") || info.Network() || info.VirtioNet() {
			infos = append(infos, info)
		}
	}
	return infos, err
}

func describe(info sysfs.Info, name string, inUse []string) functionObject {
	o := functionObject{
		Address: info.Address.String(),
		Vendor:  fmt.Sprintf("%04x", info.Vendor),
		Device:  fmt.Sprintf("%04x", info.Device),
		Class:   fmt.Sprintf("%06x", info.Class),
		Name:    name, Kind: info.Kind.String(), Driver: info.Driver, Override: info.Override,
		Netdevs: append([]string{}, info.Netdevs...), NUMANode: info.NUMANode,
		GroupWith: []string{}, InUse: append([]string{}, inUse...),
	}
	if info.Group != nil {
		o.Group, o.NoIOMMU = &info.Group.Number, info.Group.NoIOMMU
	}
	for _, a := range info.Group.Others(info.Address) {
		o.GroupWith = append(o.GroupWith, a.String())
	}
	if info.Fault != nil {
		o.Fault = info.Fault.Error()
	}
	return o
}

// table prints functions for people: columns aligned, a dash for nothing. What a function is
// used for stands below it, a line with its address for each reason.
func table(w io.Writer, functions []functionObject) error {
	var columns bytes.Buffer
	t := tabwriter.NewWriter(&columns, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ADDRESS\tID\tVIRTIO\tDRIVER\tNETDEV\tNUMA\tIOMMU\tNAME")
	for _, f := range functions {
		cells := []string{
			f.Address, f.Vendor + ":" + f.Device, f.Kind, f.Driver, strings.Join(f.Netdevs, ","),
			node(f.NUMANode), group(f), f.Name,
		}
		for i, c := range cells {
			if c == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	_ = t.Flush() // to memory
	var b bytes.Buffer
	rows := strings.SplitAfter(columns.String(), "\n")
	b.WriteString(rows[0])
	for i, f := range functions {
		b.WriteString(rows[i+1])
		if f.Fault != "" {
			fmt.Fprintf(&b, "  %s has invalid capabilities: %s\n", f.Address, f.Fault)
		}
		if f.Former != "" && f.Former != f.Driver {
			fmt.Fprintf(&b, "  %s goes back to %s with restore\n", f.Address, f.Former)
		}
		if f.Persistent {
			fmt.Fprintf(&b, "  %s is bound at every start, until restore or unbind\n", f.Address)
		}
		for _, reason := range f.InUse {
			fmt.Fprintf(&b, "  %s is in use: %s\n", f.Address, reason)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func node(n int) string {
	if n < 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func group(f functionObject) string {
	switch {
	case f.Group == nil:
		return ""
	case f.NoIOMMU:
		return fmt.Sprintf("%d (no IOMMU)", *f.Group)
	case len(f.GroupWith) == 0:
		return strconv.Itoa(*f.Group)
	}
	return fmt.Sprintf("%d with %s", *f.Group, strings.Join(f.GroupWith, ", "))
}
