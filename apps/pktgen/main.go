// Command pktgen sends packets over its ports and measures what comes back.
//
//	pktgen --duration 10 --rate 1Mpps --flows 1000 0000:00:03.0 0000:00:04.0
//	pktgen --search csit-ndr --report result.html vhost-user:/run/a.sock vhost-user:/run/b.sock
//	pktgen compare before.json after.json
//
// Ports are paired in their order, 0 with 1; an odd last one with itself. What a port sends
// is expected at the other one of its pair.
//
// Packets are those of the options, or of the streams of a scenario. Each that has room
// carries a signature, by which loss, reordering and duplicates are counted exactly, and
// the packets of a slow stream beside the load carry the times that latency is measured by.
package main

import (
	"os"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/output"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

func main() { os.Exit(command.Run(app(), os.Args, os.Stdout, os.Stderr)) }

func app() *cli.App {
	app := command.New("pktgen", "send packets at a rate and measure what comes back", flags(), generate)
	app.UsageText = "pktgen [options] PORT...\npktgen [--json] compare BEFORE.json AFTER.json"
	app.Description += "\n\"pktgen help scenario\" explains scenario files."
	command.AddTopic(app, "scenario", traffic.Reference)
	return app
}

// generate does what the command line says.
func generate(c *cli.Context, o command.Options) error {
	if c.Args().First() == "compare" {
		return compare(c)
	}
	p, err := newPlan(c, o)
	if err != nil {
		return err
	}
	if p.dry.wanted {
		return p.dry.run(p, output.Result(c.App.Writer))
	}
	ctx, stop := command.Until(0)
	defer stop()
	return p.run(ctx, c.App.Writer, c.App.ErrWriter)
}
