// Command testpmd forwards, receives or makes packets on its ports, as DPDK's
// dpdk-testpmd does.
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
//	csum      as mac, with checksums made anew and, after tso set, TCP cut into segments
//	icmpecho  ARP requests and echo requests are answered
//	5tswap    addresses of Ethernet and IP and ports are exchanged
//	noisy     packets are held back, and memory is read and written for each
//
// With -i it reads commands, and it takes command lines of dpdk-testpmd: package
// apps/internal/dpdk translates them.
//
// Ports are paired in their order, 0 with 1; an odd last one with itself.
package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/dpdk"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

func main() {
	os.Exit(run(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run runs a command line and returns the exit status.
func run(args []string, stdin *os.File, stdout, stderr io.Writer) int {
	var line *dpdk.Line
	app := command.New("testpmd", "forward, receive or make packets", slices.Concat(command.InfoFlags(), flags(), sleepFlags()), func(c *cli.Context, o command.Options) error {
		return test(c, o, line, stdin)
	})
	command.AddTopic(app, "dpdk", dpdkHelp)
	command.AddTopic(app, "prompt", promptHelp)
	if dpdk.Is(args[1:]) {
		var err error
		if line, args, err = translate(args); err != nil {
			app.Action = func(*cli.Context) error { return err }
			args = args[:1]
		}
	}
	return command.Run(app, args, stdout, stderr)
}

// test moves packets as the command line says.
func test(c *cli.Context, o command.Options, line *dpdk.Line, stdin *os.File) error {
	p, err := newPlan(c, o, line)
	if err != nil {
		return err
	}
	for _, r := range p.remarks {
		fmt.Fprintf(c.App.ErrWriter, "testpmd: %s\n", r)
	}
	if p.drives() && (o.Info || o.XStats) {
		return &command.UsageError{Reason: "--info and --xstats are for a run without a prompt; " +
			"the prompt has show port info all and show port xstats all"}
	}
	ctx, stop := command.Until(0)
	defer stop()
	switch {
	case p.interactive:
		return p.interact(ctx, stdin, c.App.Writer, c.App.ErrWriter)
	case p.drives():
		return p.forward(ctx, stdin, c.App.Writer, c.App.ErrWriter)
	}
	return p.run(ctx, c.App.Writer, c.App.ErrWriter)
}

// plan is what a command line asks for, before anything is opened.
type plan struct {
	options   command.Options
	mode      *mode
	modeGiven bool  // by the command line
	segments  []int // lengths of the segments of a packet that is made
	txFirst   int   // bursts
	cycles    bool
	specs     []devargs.Spec
	cables    *devargs.Cables // set by tests, which have the other ends

	chosen     []int // numbers of the ports that take part, nil for all
	topology   string
	peers      map[int]net.HardwareAddr // where packets of a port go, if it was given
	cores      int                      // pollers, 0 for all that there are
	lcores     []int                    // how a command line of DPDK calls the CPUs of the options
	rxq, txq   int                      // queues of a port, 0 for all that there are
	rxd, txd   int                      // descriptors of a queue at most, 0 for no limit
	bufferSize int                      // bytes of a packet buffer with its headroom, 0 for the default
	maxFrame   int                      // longest frame, 0 if not given

	retry      bool // what finds a transmit queue full is sent again
	retries    int
	retryDelay time.Duration
	burstStats bool              // lengths of bursts are counted
	verbose    int               // see showReceived
	screen     io.Writer         // where packets are shown
	tags       map[int]tags      // by the numbers of ports
	csum       map[int]checksums // ... of those that send
	noisy      noisyConfig
	multiFlow  bool             // txonly makes packets of many flows
	txIP       [2]netip.Addr    // source and destination of txonly's packets, if they were given
	txUDP      [2]uint16        // ... and their ports
	flows      int              // of flowgen, 0 for the default
	xstats     []string         // extended statistics that are shown with the others
	halted     bool             // ports are stopped at first
	strip      bool             // VLAN tags of all ports
	filter     bool             // of VLANs, of all ports
	keys       []string         // for all ports that do not have them: "lro=1"
	hash       virtio.HashTypes // that spreads the packets of ports, 0 for as they are set up
	flush      bool             // what was received before the start is freed
	idle       time.Duration    // after which pollers sleep, 0 for never

	interactive bool
	autoStart   bool
	cmdlineFile string
	// dpdk is set for a command line of DPDK: what is shown has the layout of its testpmd.
	dpdk    bool
	remarks []string // for the user, about the command line
}
