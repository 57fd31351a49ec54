// Command testpmd forwards, receives or makes packets on its ports, as DPDK's
// dpdk-testpmd does without its prompt.
//
//	testpmd --forward-mode rxonly --cpus 1 --duration 8s vhost-user:/run/vm0.sock
//
// The modes mean what they mean in DPDK 22.11:
//
//	io        packets leave by the paired port as they are
//	mac       ... with source address of that port, destination 02:00:00:00:00:PP
//	macswap   ... with source and destination exchanged
//	rxonly    packets are received and freed
//	txonly    every burst is packets of one UDP flow, 198.18.0.1 to 198.18.0.2, port 9
//	flowgen   ... of 1024 UDP flows that take turns; what is received is freed
//
// Ports are paired in their order, 0 with 1; an odd last one with itself.
package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
)

func main() {
	own := []cli.Flag{
		&cli.StringFlag{Name: "forward-mode", Value: "io",
			Usage: "what is done with packets: " + modeNames()},
		&cli.StringFlag{Name: "txpkts", Value: "64",
			Usage: "`LENGTH` of the packets that are made, or of each of their segments: 64 or 64,128"},
		&cli.IntFlag{Name: "tx-first",
			Usage: "bursts of txonly's packets that every transmit queue sends first"},
		&cli.BoolFlag{Name: "record-core-cycles",
			Usage: "count the CPU cycles of bursts, shown for each packet at the end"},
	}
	app := command.New("testpmd", "forward, receive or make packets", own, test)
	os.Exit(command.Run(app, os.Args, os.Stdout, os.Stderr))
}

// test moves packets as the command line says.
func test(c *cli.Context, o command.Options) error {
	p, err := newPlan(c, o)
	if err != nil {
		return err
	}
	ctx, stop := command.Until(0)
	defer stop()
	return p.run(ctx, c.App.Writer, c.App.ErrWriter)
}

// plan is what a command line asks for, before anything is opened.
type plan struct {
	options  command.Options
	mode     *mode
	segments []int // lengths of the segments of a packet that is made
	txFirst  int   // bursts
	cycles   bool
	specs    []devargs.Spec
	cables   *devargs.Cables // set by tests, which have the other ends
}

// newPlan checks what command.New did not.
func newPlan(c *cli.Context, o command.Options) (*plan, error) {
	p := &plan{options: o, txFirst: c.Int("tx-first"), cycles: c.Bool("record-core-cycles")}
	var err error
	if p.mode, err = modeOf(c.String("forward-mode")); err != nil {
		return nil, err
	}
	if p.segments, err = parseSegments(c.String("txpkts")); err != nil {
		return nil, err
	}
	if p.mode.name == "flowgen" {
		if err := checkFlowGen(p.segments); err != nil {
			return nil, err
		}
	}
	if p.txFirst < 0 || p.txFirst > maxTxFirst {
		return nil, &command.UsageError{Option: "tx-first", Value: c.String("tx-first"),
			Reason: fmt.Sprintf("not between 0 and %d", maxTxFirst), Remedy: "a burst or two keep a loop going"}
	}
	if err := command.CheckPorts(c.NArg()); err != nil {
		return nil, err
	}
	p.specs, err = portset.Parse(c.Args().Slice())
	return p, err
}
