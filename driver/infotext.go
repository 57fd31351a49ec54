package driver

import (
	"fmt"
	"io"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// The columns of a page: lines are at most pageWidth characters long, unless a word is
// longer, and values begin at pageIndent.
const (
	pageWidth  = 80
	pageIndent = 16
)

// String returns the page that Fprint prints.
func (i Info) String() string {
	p := page{}
	i.print(&p)
	return p.String()
}

// Fprint prints a page about the port, for terminals of 80 columns.
func (i Info) Fprint(w io.Writer) error {
	_, err := io.WriteString(w, i.String())
	return err
}

// page is text in the making.
type page struct{ strings.Builder }

// line adds a name and its value, in as many lines as that takes.
func (p *page) line(name, value string) { p.wrapped("  "+name, value, pageIndent) }

// wrapped adds words behind a title, each line from column indent on.
func (p *page) wrapped(title, value string, indent int) {
	fmt.Fprintf(p, "%-*s", indent-1, title)
	at := max(len(title), indent-1)
	for i, word := range strings.Fields(value) {
		if i > 0 && at+1+len(word) > pageWidth {
			p.WriteString("\n" + strings.Repeat(" ", indent-1))
			at = indent - 1
		}
		p.WriteString(" " + word)
		at += 1 + len(word)
	}
	p.WriteString("\n")
}

func (i Info) print(p *page) {
	fmt.Fprintf(p, "port %s\n", i.Name)
	p.line("transport", i.Transport)
	for _, d := range i.Details {
		p.line("  "+d.Name, d.Value)
	}
	p.line("state", i.State)
	status := fmt.Sprintf("%#02x %v", uint8(i.DeviceStatus), i.DeviceStatus)
	if i.Unread != "" {
		status = "not read: " + i.Unread
	} else if i.DeviceStatus != i.DriverStatus {
		status += fmt.Sprintf(" (the driver wrote %#02x %v)", uint8(i.DriverStatus), i.DriverStatus)
	}
	p.line("device status", status)
	p.line("link", i.Link.String())
	p.line("MAC, MTU", fmt.Sprintf("%s, %d", i.MAC, i.MTU))
	p.line("queue pairs", fmt.Sprintf("%d of %d", i.Pairs, i.MaxPairs))
	p.line("pool", fmt.Sprintf("%d buffers of %d bytes, %d free", i.Pool.Buffers, i.Pool.DataRoom, i.Pool.Free))
	p.line("receive path", i.Path.Rx)
	p.line("transmit path", i.Path.Tx)
	for _, r := range i.Path.Rejected {
		p.line("", "no "+r.Path+": "+r.Reason)
	}
	i.printFeatures(p)
	if len(i.Config) > 0 {
		p.WriteString("device configuration\n")
		for _, f := range i.Config {
			p.wrapped("  "+f.Name, f.Value, 38)
		}
	}
	if len(i.Settings) > 0 {
		p.WriteString("settings\n")
		for _, s := range i.Settings {
			p.wrapped("  "+s.Name, s.Value, 24)
		}
	}
	i.printQueues(p)
}

// printFeatures prints three lists. The device offers what is in the first and the last.
func (i Info) printFeatures(p *page) {
	var negotiated, missing []string
	for _, f := range i.Features {
		switch {
		case f.Negotiated:
			negotiated = append(negotiated, fmt.Sprintf("%v(%d)", f.Feature, f.Bit))
		case !f.Offered:
			missing = append(missing, fmt.Sprintf("%v(%d)", f.Feature, f.Bit))
		}
	}
	p.WriteString("features\n")
	p.line("negotiated", strings.Join(negotiated, " "))
	if missing != nil {
		p.line("not offered", "of those wanted: "+strings.Join(missing, " "))
	}
	title := "  offered by the device and not negotiated:\n"
	for _, f := range i.Features {
		if f.Offered && !f.Negotiated {
			p.WriteString(title)
			title = ""
			p.wrapped(fmt.Sprintf("    %v(%d)", f.Feature, f.Bit), f.Reason, 30)
		}
	}
}

func (i Info) printQueues(p *page) {
	p.WriteString("virtqueues\n")
	p.WriteString("    #  name     size  format  vector      kicks  suppressed  posted  in use\n")
	for _, q := range i.Queues {
		vector, inUse := "none", "-"
		if q.Vector >= 0 {
			vector = fmt.Sprint(q.Vector)
		}
		if q.Positions != nil {
			inUse = fmt.Sprint(q.Positions.InUse)
		}
		fmt.Fprintf(p, "%5d  %-7s %5d  %-6s  %6s %10d  %10d  %6d  %6s\n",
			q.Virtqueue, q.Name, q.Size, q.Format, vector, q.Kicks, q.Suppressed, q.Posted, inUse)
	}
	for _, q := range i.Queues {
		if q.Size == 0 {
			continue
		}
		fmt.Fprintf(p, "virtqueue %d (%s)\n", q.Virtqueue, q.Name)
		p.line("areas", fmt.Sprintf("descriptors %#x, driver %#x, device %#x",
			q.DescriptorArea, q.DriverArea, q.DeviceArea))
		if q.State != inUse {
			p.line("state", q.State)
		}
		if q.Broken != "" {
			p.line("broken", q.Broken)
		}
		if q.Positions != nil {
			q.Positions.print(p, q.Format == "packed")
		} else {
			p.line("positions", "not read: its poller is in the middle of a burst")
		}
		q.printDescriptors(p)
	}
}

func (r *RingPositions) print(p *page, packed bool) {
	if !packed {
		p.line("driver", fmt.Sprintf("avail.idx %d, used up to %d, flags %#x, used_event %d",
			r.Avail, r.Used, r.DriverFlags, r.DriverEvent))
		p.line("device", fmt.Sprintf("used.idx %d, flags %#x, avail_event %d",
			r.DeviceUsed, r.DeviceFlags, r.DeviceEvent))
		return
	}
	p.line("driver", fmt.Sprintf("next available %s, next used %s, events %s",
		wrapText(r.Avail, r.AvailWrap), wrapText(r.Used, r.UsedWrap),
		eventText(r.DriverFlags, r.DriverEvent, r.DriverWrap)))
	p.line("device", "events "+eventText(r.DeviceFlags, r.DeviceEvent, r.DeviceWrap))
}

func wrapText(at uint16, wrap bool) string {
	if wrap {
		return fmt.Sprintf("%d (wrap counter 1)", at)
	}
	return fmt.Sprintf("%d (wrap counter 0)", at)
}

func eventText(flags, event uint16, wrap bool) string {
	switch flags {
	case virtio.EventEnable:
		return "enabled"
	case virtio.EventDisable:
		return "disabled"
	case virtio.EventDesc:
		return "at " + wrapText(event, wrap)
	}
	return fmt.Sprintf("reserved flags %d", flags)
}

func (q *QueueInfo) printDescriptors(p *page) {
	if len(q.Descriptors) == 0 {
		return
	}
	last := "next"
	if q.Format == "packed" {
		last = "buffer"
	}
	fmt.Fprintf(p, "  %5s  %-18s  %10s  %6s  %s\n", "#", "address", "length", last, "flags")
	for i := 0; i < len(q.Descriptors); i++ {
		d, first := q.Descriptors[i], i
		for ; i < len(q.Descriptors) && q.Descriptors[i] == (Descriptor{}); i++ {
		}
		if i > first {
			i--
			fmt.Fprintf(p, "  %5s  never written\n", fmt.Sprintf("%d-%d", first, i))
			continue
		}
		fmt.Fprintf(p, "  %5d  %#018x  %10d  %6d  %#04x%s\n", i, d.Address, d.Len, d.ID, d.Flags,
			strings.Join(d.flagNames(q.Format == "packed"), " "))
	}
}

// flagNames returns the names of the flags that are set, the first after a space.
func (d Descriptor) flagNames(packed bool) []string {
	flags := []struct {
		bit  uint16
		name string
	}{{virtio.DescNext, "NEXT"}, {virtio.DescWrite, "WRITE"}, {virtio.DescIndirect, "INDIRECT"}}
	if packed {
		flags = append(flags, []struct {
			bit  uint16
			name string
		}{{virtio.DescAvail, "AVAIL"}, {virtio.DescUsed, "USED"}}...)
	}
	var names []string
	for _, f := range flags {
		if d.Flags&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	if names != nil {
		names[0] = " " + names[0]
	}
	return names
}
