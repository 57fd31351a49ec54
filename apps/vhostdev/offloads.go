package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	allOffloads = devargs.TxChecksum | devargs.RxChecksum | devargs.TSO | devargs.USO | devargs.LRO
	// receiveOffloads are those of what the driver receives.
	receiveOffloads = devargs.RxChecksum | devargs.LRO
)

// offloadWords are what --offloads lists, which are the keys of ports that use them.
func offloadWords() []string { return []string{"csum", "tso", "uso", "lro"} }

// readOffloads reads which offloads the device offers.
func (o *options) readOffloads(text string) error {
	var list devargs.Offload
	switch text {
	case "":
		return nil
	case "off":
	case "all":
		list = allOffloads
	default:
		for word := range strings.SplitSeq(text, ",") {
			if !slices.Contains(offloadWords(), word) {
				return &command.UsageError{Option: "offloads", Value: text, Reason: fmt.Sprintf("%q is no offload", word),
					Remedy: "give off, all or some of " + strings.Join(offloadWords(), ",")}
			}
			spec, err := devargs.Parse("emu:null," + word + "=1")
			if err != nil {
				return asUsage("offloads", text, err)
			}
			list |= spec.Offloads
		}
	}
	if o.raw && text != "all" && list&devargs.LRO != 0 {
		return &command.UsageError{Option: "offloads", Value: text,
			Reason: "--raw makes whole frames and joins none", Remedy: "leave out lro, or --raw"}
	}
	o.offloads = &list
	return nil
}

// offer has the device offer the offloads of the list, doing the work itself where the wire
// does not, and no others. Without a list it offers all if the wire passes them on.
func (o *options) offer(d *vdev.Config) {
	if o.offloads == nil {
		return
	}
	d.Refuse = allOffloads.Features().Minus(o.offloads.Features())
	if *o.offloads == 0 {
		return
	}
	if d.Offer = vdev.Implemented(); d.Pairs == 1 {
		d.Offer = d.Offer.Without(virtio.NetMQ)
	}
}

// rawOffloads returns the offloads of a device that does not look at headers.
func (o *options) rawOffloads() virtio.Features {
	if o.offloads == nil {
		return virtio.Features{}
	}
	return (*o.offloads &^ receiveOffloads).Features()
}
