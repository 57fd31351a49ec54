package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/version"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// operation is what a command does to functions.
type operation struct {
	plan func(fs sysfs.FS, driver string, functions []pci.Address) (sysfs.Plan, error)
	// suits returns an error for a function that it is not for, unless a userspace
	// driver has the function. nil suits every function.
	suits func(sysfs.Info) error
}

func bind() operation {
	plan := func(fs sysfs.FS, driver string, functions []pci.Address) (sysfs.Plan, error) {
		return fs.Bind(driver, functions...)
	}
	return operation{plan: plan, suits: checkUsable}
}

func unbind() operation {
	plan := func(fs sysfs.FS, _ string, functions []pci.Address) (sysfs.Plan, error) {
		return fs.Unbind(functions...)
	}
	return operation{plan: plan, suits: checkVirtioNet}
}

// restore suits every function: the kernel may have them all back.
func restore() operation {
	plan := func(fs sysfs.FS, driver string, functions []pci.Address) (sysfs.Plan, error) {
		return fs.Restore(driver, functions...)
	}
	return operation{plan: plan}
}

// change checks, plans, and carries the plan out unless it is only to be shown.
func change(c *cli.Context, env environment, op operation) error {
	functions, err := addresses(c)
	if err != nil {
		return err
	}
	if len(functions) == 0 {
		return &usageError{reason: fmt.Sprintf(
			"%s which function? Give its address, for example: devbind %s 0000:00:03.0",
			c.Command.Name, c.Command.Name)}
	}
	if err := weigh(env, c.Bool("force"), checkSuits(env.fs, functions, op)); err != nil {
		return err
	}
	plan, err := op.plan(env.fs, c.String("driver"), functions)
	if err != nil {
		return err
	}
	if err := weigh(env, c.Bool("force"), checkUse(env, plan)); err != nil {
		return err
	}
	if !c.Bool("dry-run") {
		if err := apply(c.Context, env, plan); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return writeChanges(env.stdout, c.Command.Name, c.Bool("dry-run"), plan)
	}
	show(env.stdout, plan, c.Bool("dry-run"))
	return nil
}

// apply carries the plan out and completes it with the drivers that the kernel
// chose.
func apply(ctx context.Context, env environment, plan sysfs.Plan) error {
	if err := env.fs.Apply(ctx, plan); err != nil {
		return err
	}
	for i, c := range plan {
		info, err := env.fs.Function(c.Address)
		if err != nil {
			return err
		}
		plan[i].To = info.Driver
		warnBlocked(env, info)
	}
	return nil
}

// weigh returns the errors that were found. With force, those that are refusals
// become warnings.
func weigh(env environment, force bool, found []error) error {
	err := errors.Join(found...)
	for _, f := range found {
		var refused *refusedError
		if !errors.As(f, &refused) {
			return err
		}
	}
	if err != nil && force {
		fmt.Fprintf(env.stderr, "devbind: forced, although: %s\n",
			strings.ReplaceAll(err.Error(), "\n", "\ndevbind: and: "))
		return nil
	}
	return err
}

// checkSuits finds the functions that the operation is not for, all at once.
func checkSuits(fs sysfs.FS, functions []pci.Address, op operation) (found []error) {
	for _, a := range functions {
		info, err := fs.Function(a)
		if err == nil && op.suits != nil && !info.UserDriver() {
			err = op.suits(info)
		}
		if err != nil {
			found = append(found, err)
		}
	}
	return found
}

// checkUse finds the functions of the plan that are in use, all at once. Those that
// nothing is written for do not count.
func checkUse(env environment, plan sysfs.Plan) (found []error) {
	use := newUsage(env)
	for _, c := range plan {
		if len(c.Writes) == 0 {
			continue
		}
		info, err := env.fs.Function(c.Address)
		if err != nil {
			found = append(found, err)
		} else if reasons := use.reasons(info); reasons != nil {
			found = append(found, inUse(c.Address, reasons))
		}
	}
	return found
}

// warnBlocked warns of other members of an IOMMU group that keep user space from
// using a function that is bound to vfio-pci.
func warnBlocked(env environment, info sysfs.Info) {
	if info.Driver != "vfio-pci" || info.Group == nil {
		return
	}
	blocking, err := env.fs.Blocking(info)
	if err != nil {
		fmt.Fprintf(env.stderr, "devbind: whether IOMMU group %d can be used: %v\n", info.Group.Number, err)
	}
	for _, b := range blocking {
		fmt.Fprintf(env.stderr, "devbind: PCI function %s cannot be opened yet: "+
			"%s of the same IOMMU group %d is with %s; bind or unbind that too\n",
			info.Address, b.Address, info.Group.Number, b.Driver)
	}
}

// show prints what was done, or would be, for people. The writes are printed so
// that a shell understands them.
func show(w io.Writer, plan sysfs.Plan, dryRun bool) {
	for _, c := range plan {
		prefix := ""
		if dryRun {
			prefix = "# "
		}
		if len(c.Writes) == 0 {
			fmt.Fprintf(w, "%s%s: %s already\n", prefix, c.Address, driverName(c.To))
			continue
		}
		fmt.Fprintf(w, "%s%s: %s -> %s\n", prefix, c.Address, driverName(c.From), driverName(c.To))
		if !dryRun {
			continue
		}
		for _, write := range c.Writes {
			if write.Value == "" {
				fmt.Fprintf(w, "echo > %s\n", write.Path)
			} else {
				fmt.Fprintf(w, "echo %s > %s\n", write.Value, write.Path)
			}
		}
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
}

type changeObject struct {
	Address string        `json:"address"`
	From    string        `json:"from"`
	To      string        `json:"to"`
	Writes  []sysfs.Write `json:"writes"`
}

func writeChanges(w io.Writer, command string, dryRun bool, plan sysfs.Plan) error {
	o := changesObject{App: "devbind", Version: version.String(), Command: command, DryRun: dryRun}
	for _, c := range plan {
		writes := c.Writes
		if writes == nil {
			writes = []sysfs.Write{}
		}
		o.Functions = append(o.Functions, changeObject{c.Address.String(), c.From, c.To, writes})
	}
	return writeJSON(w, o)
}

func writeJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(v)
}
