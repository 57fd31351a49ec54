// Command vhostdev serves the software device as a vhost-user back end, which a
// QEMU guest, DPDK's virtio-user or another process of this project connects to.
//
//	vhostdev --socket /run/vm0.sock --backend loop
//
// What the device's wire ends in:
//
//	gen           there is always a frame to receive; what is sent is dropped
//	null          nothing is received; what is sent is dropped
//	loop          what is sent is received
//	tap=IFNAME    a TAP interface of the kernel
//	pcap=FILE     the frames of a capture are received; FILE:OUT records what is sent
//
// With a tap or a loop the device offers checksum and segmentation offloads: a guest leaves
// them to the kernel of the TAP interface, and gets large packets from it. The others have
// frames as they are on a network, and no offloads. With --offloads the device offers those
// that are listed, and does by itself what the wire does not: csum, checksums of what is sent
// and received; tso and uso, cutting TCP segments and UDP messages that are sent; lro,
// receiving them joined. off: none, as for a guest whose packets are to be as they are on a
// network.
//
// With --raw the back end costs next to nothing: gen writes header and frame
// into each receive buffer, null reads 64 bytes of each packet, and both mark
// them used. It is made to measure the driver at the other side, which has to
// poll: the back end sends no interrupts. With csum, tso or uso it takes packets on which
// that is left to be done, as they are: it does not do it, and checks no header.
//
// With --state FILE a vhostdev that takes the place of one that was killed or stopped goes
// on with the packed rings of a QEMU guest, for which QEMU has to connect again
// (-chardev socket,...,reconnect=1). Split rings go on without it.
//
// With --strict it judges the driver at the other end: which rules of the specification that
// broke, where and how often, is said at the end, and makes the exit status 1.
//
// Counters are in the words of that driver: RX is what it receives, TX what it
// sends. Rates are averages over the time in which packets could flow.
package main

import (
	"os"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
)

func main() { os.Exit(command.Run(app(), os.Args, os.Stdout, os.Stderr)) }

func app() *cli.App {
	own := []cli.Flag{
		&cli.StringFlag{Name: "socket", Usage: "`PATH` of the socket"},
		&cli.BoolFlag{Name: "client", DefaultText: "listen",
			Usage: "connect to a front end that listens there"},
		&cli.StringFlag{Name: "socket-mode", DefaultText: "what the umask leaves",
			Usage: "`PERMISSIONS` of the socket, like 0660; connecting takes write permission"},
		&cli.StringFlag{Name: "socket-group", DefaultText: "that of the process",
			Usage: "`GROUP` of the socket, a name or a number"},
		&cli.StringFlag{Name: "state", DefaultText: "none",
			Usage: "`FILE` that keeps positions in packed rings, so that QEMU's guests go on after a restart; best in /run"},
		&cli.StringFlag{Name: "backend", Value: "loop",
			Usage: "`BACKEND`: what the wire ends in: gen, null, loop, tap=IFNAME or pcap=FILE[:RECORD]"},
		&cli.StringFlag{Name: "record-limit", DefaultText: "none",
			Usage: "`SIZE` of the recording of pcap=FILE:RECORD, in bytes or like 100M, 10G"},
		&cli.BoolFlag{Name: "raw",
			Usage: "cost next to nothing, with --backend gen or null: for measuring drivers that poll"},
		&cli.StringFlag{Name: "offloads", DefaultText: "all with tap and loop, off with others",
			Usage: "`LIST` of what the device offers to do for the driver: csum,tso,uso,lro, all or off; with --raw " +
				"packets for csum, tso and uso are taken and nothing is done on them"},
		&cli.IntFlag{Name: "queues", Value: 1, Usage: "`N` queue pairs, 1 to 128"},
		&cli.IntFlag{Name: "size", Value: 64, Usage: "`BYTES` of the frames of gen, without checksum"},
		&cli.IntFlag{Name: "mtu", Value: 1500, Usage: "`BYTES` of the largest payload of a frame, 68 to 65535"},
		&cli.StringFlag{Name: "mac", Usage: "`ADDRESS` of the device", DefaultText: "02:00:00:00:00:01"},
		&cli.StringFlag{Name: "cpus", Usage: "the `CPU` that polls and never sleeps",
			DefaultText: "any, and sleeps when idle"},
		&cli.BoolFlag{Name: "strict", Usage: "list at the end which rules of the specification the driver at the other " +
			"end broke; the exit status is 1 if there are any"},
		command.XStatsFlag(),
	}
	flags := append(own, command.OutputFlags("how long to serve, 0 until Ctrl-C")...)
	const usage = "serve a network device in software as a vhost-user back end"
	return command.NewBare("vhostdev", usage, flags, serve)
}

// serve serves as the command line says.
func serve(c *cli.Context) error {
	o, err := read(c)
	if err != nil {
		return err
	}
	ctx, stop := command.Until(o.Duration)
	defer stop()
	return o.run(ctx, c.App.Writer, c.App.ErrWriter)
}
