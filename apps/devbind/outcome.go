package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/version"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// outcome is what bind, unbind or restore did, or would do.
type outcome struct {
	command string
	dryRun  bool
	plan    sysfs.Plan
	groups  [][]neighbour // of each change of the plan
	rules   []ruleChange
}

// neighbour is another member of the IOMMU group of a function.
type neighbour struct {
	Address string `json:"address"`
	Driver  string `json:"driver"`
	// Blocking is a driver that keeps user space from the whole group.
	Blocking bool `json:"blocking"`
}

// neighbours lists the other members of the groups of the functions of a plan, with the drivers
// they have when the plan was carried out.
func neighbours(fs sysfs.FS, plan sysfs.Plan) ([][]neighbour, error) {
	all := make([][]neighbour, len(plan))
	for i, c := range plan {
		info, err := fs.Function(c.Address)
		if err != nil {
			return nil, err
		}
		blocking, err := fs.Blocking(info)
		if err != nil {
			return nil, err
		}
		for _, a := range info.Group.Others(c.Address) {
			n := neighbour{Address: a.String()}
			planned := slices.IndexFunc(plan, func(c sysfs.Change) bool { return c.Address == a })
			if planned >= 0 {
				n.Driver = plan[planned].To
			} else if other, err := fs.Function(a); err == nil {
				n.Driver = other.Driver
				n.Blocking = slices.ContainsFunc(blocking, func(i sysfs.Info) bool { return i.Address == a })
			}
			all[i] = append(all[i], n)
		}
	}
	return all, nil
}

// show prints the outcome for people. The writes are printed so that a shell understands them.
func (o outcome) show(w io.Writer) {
	prefix := ""
	if o.dryRun {
		prefix = "# "
	}
	for i, c := range o.plan {
		if len(c.Writes) == 0 {
			fmt.Fprintf(w, "%s%s: %s already\n", prefix, c.Address, driverName(c.To))
		} else {
			fmt.Fprintf(w, "%s%s: %s -> %s\n", prefix, c.Address, driverName(c.From), driverName(c.To))
		}
		if !o.dryRun {
			continue
		}
		if c.LateGroup() {
			fmt.Fprintln(w, "# its IOMMU group is known when it is bound; without one, all is undone")
		}
		for _, n := range o.groups[i] {
			fmt.Fprintf(w, "# its IOMMU group also has %s with %s%s\n", n.Address, driverName(n.Driver), n.advice(o))
		}
		for _, write := range c.Writes {
			if write.Value == "" {
				fmt.Fprintf(w, "echo > %s\n", write.Path)
			} else {
				fmt.Fprintf(w, "echo %s > %s\n", write.Value, write.Path)
			}
		}
	}
	for _, r := range o.rules {
		o.showRule(w, r)
	}
}

// advice says what to do about a neighbour whose driver is in the way of vfio-pci.
func (n neighbour) advice(o outcome) string {
	if !n.Blocking || o.command != "bind" {
		return ""
	}
	return ": bind or unbind that too"
}

func (o outcome) showRule(w io.Writer, r ruleChange) {
	switch {
	case o.dryRun && r.Text != "":
		fmt.Fprintf(w, "cat > %s <<'EOF'\n%sEOF\n", r.Path, r.Text)
	case o.dryRun:
		fmt.Fprintf(w, "rm %s\n", r.Path)
	case r.Text != "":
		fmt.Fprintf(w, "wrote %s: bound at every start until devbind restore or unbind\n", r.Path)
	default:
		fmt.Fprintf(w, "removed %s: no longer bound at every start\n", r.Path)
	}
}

func driverName(name string) string {
	if name == "" {
		return "no driver"
	}
	return name
}

// changesObject is what --json prints for bind, unbind and restore.
type changesObject struct {
	App       string         `json:"app"`
	Version   string         `json:"version"`
	Command   string         `json:"command"`
	DryRun    bool           `json:"dry_run"`
	Functions []changeObject `json:"functions"`
	Rules     []ruleChange   `json:"udev_rules,omitempty"` // written, or removed if without text
}

type changeObject struct {
	Address   string        `json:"address"`
	From      string        `json:"from"`
	To        string        `json:"to"`
	Writes    []sysfs.Write `json:"writes"`
	GroupWith []neighbour   `json:"group_members"` // the others
}

func (o outcome) writeJSON(w io.Writer) error {
	object := changesObject{App: "devbind", Version: version.String(), Command: o.command,
		DryRun: o.dryRun, Rules: o.rules}
	for i, c := range o.plan {
		object.Functions = append(object.Functions, changeObject{c.Address.String(), c.From, c.To,
			append([]sysfs.Write{}, c.Writes...), append([]neighbour{}, o.groups[i]...)})
	}
	return writeJSON(w, object)
}
