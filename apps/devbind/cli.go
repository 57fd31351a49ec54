package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"github.com/vishvananda/netlink"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/usage"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/version"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// run runs the command line and returns the exit status.
func run(ctx context.Context, args []string, env environment) int {
	args, err := fromDPDK(args)
	if err == nil {
		app := newApp(env)
		usage.Page(app, []string{"status", "bind", "unbind", "restore"}, usage.Width(env.stdout))
		if args, err = arrange(app, args); err == nil {
			err = app.RunContext(ctx, args)
		}
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(env.stderr, "devbind: %s\n", strings.ReplaceAll(err.Error(), "\n", "\ndevbind: "))
	var line *usageError
	var address *pci.AddressError
	if errors.As(err, &line) || errors.As(err, &address) {
		return 2
	}
	return 1
}

func newApp(env environment) *cli.App {
	refuse := func(_ *cli.Context, err error, _ bool) error {
		return &usageError{reason: usage.Explain(err)}
	}
	app := &cli.App{
		Name:            "devbind",
		UsageText:       "devbind COMMAND [options] [FUNCTION...]",
		Usage:           "show PCI functions and give them to user space or back to the kernel",
		Version:         version.String(),
		Description:     description,
		HideHelpCommand: true,
		Writer:          env.stdout,
		ErrWriter:       env.stderr,
		OnUsageError:    refuse,
		// run reports what went wrong, once.
		ExitErrHandler: func(*cli.Context, error) {},
		Action:         word,
		Commands: []*cli.Command{
			{
				Name: "status", ArgsUsage: "[FUNCTION...]",
				Usage: "list network functions, or those named, and what uses them",
				Flags: []cli.Flag{
					jsonFlag(), &cli.BoolFlag{Name: "all", Usage: "list functions of all classes"}, rootFlag(),
				},
				Action: func(c *cli.Context) error { return status(c, env.under(c.String("root"))) },
			},
			changing(env, "bind", "give functions to vfio-pci", bind(),
				&cli.StringFlag{Name: "driver", Value: "vfio-pci", Usage: "the `DRIVER` to bind to"},
				&cli.BoolFlag{Name: "persist",
					Usage: "also write a udev rule that binds them when the machine starts"}),
			changing(env, "unbind", "leave functions without a driver", unbind()),
			changing(env, "restore", "give functions back to the driver they had", restore(),
				&cli.StringFlag{Name: "driver", DefaultText: "the former one, or the kernel's choice",
					Usage: "the `DRIVER` to give back to"}),
		},
	}
	for _, c := range app.Commands {
		c.HideHelpCommand, c.OnUsageError = true, refuse
	}
	return app
}

func changing(env environment, name, purpose string, op operation, own ...cli.Flag) *cli.Command {
	return &cli.Command{
		Name: name, Usage: purpose, ArgsUsage: "FUNCTION...",
		Flags: append(own, jsonFlag(), rootFlag(),
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "print the writes and change nothing"},
			&cli.BoolFlag{Name: "force",
				Usage: "also functions in use, except for that with the root file system, and " +
					"those that are no virtio network devices"}),
		Action: func(c *cli.Context) error { return change(c, env.under(c.String("root")), op) },
	}
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON object; messages go to standard error"}
}

func rootFlag() cli.Flag {
	return &cli.StringFlag{Name: "root", Hidden: true, Usage: "`DIRECTORY` that has sys and proc in it"}
}

// under is the environment with another root directory, unless that is empty.
func (e environment) under(root string) environment {
	if root != "" {
		e.fs.Root = root
	}
	return e
}

// arrange moves the command before options, and these before addresses, where the flag parser
// expects them: people type "bind 00:03.0 --dry-run".
func arrange(app *cli.App, args []string) ([]string, error) {
	flags := slices.Clone(app.Flags)
	for _, c := range app.Commands {
		flags = append(flags, c.Flags...)
	}
	options, rest, err := usage.Split(args[1:], flags)
	switch {
	case err != nil:
		return nil, &usageError{reason: err.Error()}
	case rest == nil:
		return slices.Concat(args[:1], options), nil
	}
	// The first word that is no option is the command; its options follow it.
	if slices.ContainsFunc(rest[1:], func(a string) bool { return strings.HasPrefix(a, "-") }) {
		options = append(options, "--")
	}
	return slices.Concat(args[:1], rest[:1], options, rest[1:]), nil
}

// word answers a command line whose first word is none of the commands.
func word(c *cli.Context) error {
	switch name := c.Args().Get(1); {
	case !c.Args().Present():
		return cli.ShowAppHelp(c)
	case c.Args().First() != "help":
		return &usageError{reason: fmt.Sprintf("there is no command %q: use status, bind, unbind or restore", c.Args().First())}
	case name == "":
		return cli.ShowAppHelp(c)
	case c.App.Command(name) == nil:
		return &usageError{reason: fmt.Sprintf("no help on %q: the commands are status, bind, unbind and restore", name)}
	default:
		return cli.ShowCommandHelp(c, name)
	}
}

// addresses reads the functions on the command line, each once.
func addresses(c *cli.Context, env environment) ([]pci.Address, error) {
	var all []pci.Address
	for _, text := range c.Args().Slice() {
		a, err := function(env, text)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all, nil
}

// function reads an address, or the name of an interface that a function has or had.
func function(env environment, text string) (pci.Address, error) {
	a, err := pci.ParseAddress(text)
	if err == nil || strings.ContainsAny(text, ":/. ") {
		return a, err
	}
	if a, err := env.fs.ByNetdev(text); !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	if a, ok := formerOwner(env, text); ok {
		return a, nil
	}
	// Another name of an interface, like those that udev adds: sysfs does not know it.
	if link, err := netlink.LinkByName(text); err == nil && link.Attrs().Name != text {
		return function(env, link.Attrs().Name)
	}
	return a, &usageError{reason: fmt.Sprintf("%q is neither the address of a PCI function, such as 0000:00:03.0, "+
		"nor an interface of one in this network namespace; devbind status lists both", text)}
}

// description is what --help says of all commands.
const description = `FUNCTION is the address of a PCI function, such as 0000:00:03.0 or 00:03.0,
or the name of its interface, such as eth1.

devbind refuses a function that is in use: see status. --force overrides
that, also for the interface of your SSH connection or the default route,
but never for the function that carries the root file system. restore gives
a function back to the driver that devbind took it from. bind --persist
binds it again at every start; restore and unbind end that.

The options of dpdk-devbind.py are understood: -s, --status-dev net or all,
-b DRIVER FUNCTION..., -u FUNCTION..., --force. Other than there -b with a
driver of the kernel restores, -b none is -u, and --noiommu-mode is refused:
it is a setting of the kernel for all functions.`

// usageError reports a command line that cannot be used.
type usageError struct{ reason string }

func (e *usageError) Error() string {
	return strings.Replace(e.reason+"; devbind --help says more", "?;", "?", 1)
}
