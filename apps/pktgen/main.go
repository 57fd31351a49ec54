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

// description is what the help says of pktgen alone.
const description = `
"pktgen help scenario" explains scenario files, "pktgen help search"
explains searches. The exit status is 0 if all went well; 1 if something
failed, a trial sent less than was intended or exceeds --max-loss or
--max-p99, or what was asked for was interrupted before it was complete; 2
if the command line cannot be used. That of compare is 1 if a figure is
worse, and 3 if that cannot be told.`

func app() *cli.App {
	app := command.New("pktgen", "send packets at a rate and measure what comes back", flags(), generate)
	app.UsageText = "pktgen [options] PORT...\npktgen [--json] compare BEFORE.json AFTER.json"
	app.Description += description
	command.AddTopic(app, "scenario", traffic.Reference)
	command.AddTopic(app, "search", searchReference)
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
