package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/inuse"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// operation is what a command does to functions.
type operation struct {
	plan func(env environment, driver string, functions []pci.Address) (sysfs.Plan, error)
	// suits returns an error for a function that it is not for, unless a userspace
	// driver has the function. nil suits every function.
	suits func(sysfs.Info) error
	// ends is for an operation after which a function is not bound at the next start.
	ends bool
	// returns is for an operation after which there is no former driver to remember.
	returns bool
}

func bind() operation {
	plan := func(env environment, driver string, functions []pci.Address) (sysfs.Plan, error) {
		return env.fs.Bind(driver, functions...)
	}
	return operation{plan: plan, suits: checkUsable}
}

func unbind() operation {
	plan := func(env environment, _ string, functions []pci.Address) (sysfs.Plan, error) {
		return env.fs.Unbind(functions...)
	}
	return operation{plan: plan, suits: checkVirtioNet, ends: true}
}

// restore suits every function: the kernel may have them all back.
func restore() operation { return operation{plan: planRestore, ends: true, returns: true} }

// planRestore plans for each function the driver that is named, that it had, or that the kernel
// chooses.
func planRestore(env environment, driver string, functions []pci.Address) (sysfs.Plan, error) {
	if driver != "" {
		return env.fs.Restore(driver, functions...)
	}
	var plan sysfs.Plan
	for _, a := range functions {
		info, err := env.fs.Function(a)
		if err != nil {
			return nil, err
		}
		was, _, err := recall(&files{root: env.fs.Root}, info)
		if err != nil {
			fmt.Fprintf(env.stderr, "devbind: the former driver of %s: %v; the kernel chooses one\n", a, err)
		}
		one, err := planFormer(env.fs, was, info)
		if err != nil {
			return nil, err
		}
		plan = append(plan, one...)
	}
	return plan, nil
}

// planFormer plans to give a function back. A driver that had it by override may not know its ids.
func planFormer(fs sysfs.FS, was former, info sysfs.Info) (sysfs.Plan, error) {
	if !info.UserDriver() && info.Driver != "" { // the kernel has it back already
		return fs.Restore("", info.Address)
	}
	if was.Driver != "" && was.Override == was.Driver {
		return fs.Bind(was.Driver, info.Address)
	}
	return fs.Restore(was.Driver, info.Address)
}

// change checks, plans, and carries the plan out unless it is only to be shown.
func change(c *cli.Context, env environment, op operation) error {
	functions, err := addresses(c, env)
	if err != nil {
		return err
	}
	if len(functions) == 0 {
		return &usageError{reason: fmt.Sprintf(
			"%s which function? Give its address or its interface, for example: devbind %s 0000:00:03.0",
			c.Command.Name, c.Command.Name)}
	}
	plan, planErr := op.plan(env, c.String("driver"), functions)
	// What is lost by changing a function is said before how it could be changed.
	found := append(checkUse(env, functions, plan), checkSuits(env.fs, functions, op)...)
	if err := weigh(env, c.Bool("force"), found, planErr); err != nil {
		return err
	}
	o := outcome{command: c.Command.Name, dryRun: c.Bool("dry-run"), plan: plan}
	if c.Bool("persist") {
		if err := checkUdev(&files{root: env.fs.Root}); err != nil {
			return err
		}
	}
	if o.rules, err = rules(env, op, plan, c.Bool("persist")); err != nil {
		return err
	}
	if o.groups, err = neighbours(env.fs, plan); err != nil {
		return err
	}
	if !o.dryRun {
		if err := apply(c.Context, env, op, &o); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return o.writeJSON(env.stdout)
	}
	o.show(env.stdout)
	return nil
}

// ruleChange is a udev rule that is written, or removed if it has no text.
type ruleChange struct {
	Path string `json:"path"`
	Text string `json:"text,omitempty"`
}

// rules returns how the rules of the functions change.
func rules(env environment, op operation, plan sysfs.Plan, persist bool) ([]ruleChange, error) {
	var all []ruleChange
	for _, c := range plan {
		switch {
		case persist:
			info, err := env.fs.Function(c.Address)
			if err != nil {
				return nil, err
			}
			all = append(all, ruleChange{ruleFile(c.Address), string(rule(info, c.To))})
		case op.ends && persistent(env.fs.Root, c.Address):
			all = append(all, ruleChange{Path: ruleFile(c.Address)})
		}
	}
	return all, nil
}

// apply carries the plan out and completes it with the drivers that the kernel chose.
func apply(ctx context.Context, env environment, op operation, o *outcome) error {
	f := &files{root: env.fs.Root}
	for _, c := range o.plan {
		info, err := env.fs.Function(c.Address)
		if err == nil && len(c.Writes) > 0 && !op.returns {
			if err := remember(f, info); err != nil {
				fmt.Fprintf(env.stderr, "devbind: the driver %s of %s is not remembered, to restore it "+
					"name it with --driver: %v\n", info.Driver, c.Address, err)
			}
		}
	}
	for _, r := range o.rules {
		if r.Text == "" {
			continue
		}
		if err := f.put(r.Path, []byte(r.Text)); err != nil {
			f.rollback()
			return fmt.Errorf("--persist: %w", err)
		}
	}
	if err := env.fs.Apply(ctx, o.plan); err != nil {
		f.rollback()
		return err
	}
	var failed []error
	for _, r := range o.rules {
		if r.Text == "" {
			_, err := f.remove(r.Path)
			failed = append(failed, err)
		}
	}
	for i, c := range o.plan {
		if op.returns {
			_, err := f.remove(formerFile(c.Address))
			failed = append(failed, err)
		}
		info, err := env.fs.Function(c.Address)
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		o.plan[i].To = info.Driver
		warnBlocked(env, info)
	}
	return errors.Join(failed...)
}

// weigh returns the errors that were found, and that of the plan. With force, the refusals that
// force overrides become warnings.
func weigh(env environment, force bool, found []error, planErr error) error {
	var fatal []error
	for _, f := range found {
		var refused *refusedError
		if !force || !errors.As(f, &refused) || refused.final {
			fatal = append(fatal, f)
		}
	}
	// A function that does not exist is found by every check.
	if planErr != nil && !slices.ContainsFunc(fatal, func(f error) bool { return f.Error() == planErr.Error() }) {
		fatal = append(fatal, planErr)
	}
	if len(fatal) > 0 {
		return errors.Join(fatal...)
	}
	if err := errors.Join(found...); err != nil {
		fmt.Fprintf(env.stderr, "devbind: forced, although: %s\n",
			strings.ReplaceAll(err.Error(), "\n", "\ndevbind: and: "))
	}
	return nil
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

// checkUse finds the functions that are in use, all at once. Those that nothing would be written
// for do not count. Without a plan, because there was an error, all count that there are.
func checkUse(env environment, functions []pci.Address, plan sysfs.Plan) (found []error) {
	use := inuse.New(env.fs, env.getenv)
	for _, a := range functions {
		if slices.ContainsFunc(plan, func(c sysfs.Change) bool { return c.Address == a && len(c.Writes) == 0 }) {
			continue
		}
		info, err := env.fs.Function(a)
		if err != nil {
			continue // checkSuits says so
		}
		if reasons := use.Reasons(info); reasons != nil {
			found = append(found, inUse(a, reasons))
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

func writeJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(v)
}
