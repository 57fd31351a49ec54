// Command l2fwd forwards packets between pairs of ports, as DPDK's example of
// that name does.
//
//	l2fwd --duration 10s emu:gen emu:null
//
// Ports are paired in their order, or by --portmap; an odd one sends to itself.
// Unless --no-mac-updating is given a packet leaves with the address of the
// port it leaves by as source and 02:00:00:00:00:PP as destination, PP being
// the number of that port.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/session"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

func main() {
	own := []cli.Flag{
		&cli.StringFlag{Name: "portmap", DefaultText: "0 with 1, 2 with 3, ...",
			Usage: "`PAIRS` of ports by their place: (0,1)(2,3)"},
		&cli.BoolFlag{Name: "no-mac-updating", Usage: "leave the addresses of packets as they are"},
		&cli.BoolFlag{Name: "adaptive", Usage: "have pollers sleep until a device interrupts while no packets " +
			"come, instead of using a whole CPU each (intr=1 for every port)"},
		command.TimeFlag("idle", lcore.DefaultIdle, "without packets after which a poller sleeps with --adaptive, 0 for never"),
	}
	app := command.New("l2fwd", "forward packets between pairs of ports", append(command.InfoFlags(), own...), forward)
	command.AddTopic(app, "dpdk", dpdkHelp)
	args, err := fromDPDK(os.Args, os.Stderr)
	if err != nil {
		app.Action = func(*cli.Context) error { return err }
	}
	os.Exit(command.Run(app, args, os.Stdout, os.Stderr))
}

// forward forwards as the command line says.
func forward(c *cli.Context, o command.Options) error {
	p, err := newPlan(c.Args().Slice(), c.String("portmap"))
	if err != nil {
		return err
	}
	p.options, p.updateMACs = o, !c.Bool("no-mac-updating")
	if c.Bool("adaptive") {
		if p.idle, err = command.ReadTime(c, "idle"); err != nil {
			return err
		}
		p.sleepWhenIdle()
	} else if c.IsSet("idle") {
		return &command.UsageError{Option: "idle", Value: c.Generic("idle").(fmt.Stringer).String(),
			Reason: "pollers do not sleep", Remedy: "give --adaptive as well"}
	}
	ctx, stop := command.Until(0)
	defer stop()
	return p.run(ctx, c.App.Writer, c.App.ErrWriter)
}

// plan is what a command line asks for, before anything is opened.
type plan struct {
	options    command.Options
	updateMACs bool
	ports      []session.Port
	to         []int         // packets of ports[i] leave by ports[to[i]]
	skipped    []string      // ports that no pair names
	idle       time.Duration // after which pollers sleep, 0 for never
	// Tests set both: cables of which they have the other ends, and how to open a port.
	cables *devargs.Cables
	open   func(devargs.Spec, devargs.Options) (*driver.Port, error)
}

// sleepWhenIdle has the ports interrupt, unless pollers never sleep.
func (p *plan) sleepWhenIdle() {
	for i := range p.ports {
		p.ports[i].Spec.Interrupts = p.ports[i].Spec.Interrupts || p.idle > 0
	}
}

// newPlan parses ports and portmap. Ports that no pair names are left out, the
// others keep their numbers.
func newPlan(ports []string, portmap string) (*plan, error) {
	if err := command.CheckPorts(len(ports)); err != nil {
		return nil, err
	}
	specs, err := portset.Parse(ports)
	if err != nil {
		return nil, err
	}
	to := portset.Pairs(len(specs))
	if portmap != "" {
		if to, err = parsePortmap(portmap, len(specs)); err != nil {
			return nil, err
		}
	}
	p := &plan{}
	place := map[int]int{unused: unused}
	for i := range specs {
		if to[i] == unused {
			p.skipped = append(p.skipped, ports[i])
			continue
		}
		place[i] = len(p.ports)
		p.ports = append(p.ports, session.Port{
			Spec: specs[i], Number: i, Role: fmt.Sprintf("-> port %d", to[i]),
		})
	}
	for _, port := range p.ports {
		p.to = append(p.to, place[to[port.Number]])
	}
	return p, nil
}
