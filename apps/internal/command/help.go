package command

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
)

// portHelp explains ports in brief, for the help of a command.
func portHelp(name string) string {
	return `PORT is a device, then any number of ,key=value:
    0000:00:03.0         a PCI function bound to vfio-pci (devbind binds it)
    vhost-user:SOCKET    a device behind a vhost-user socket
    emu:BACKEND          a device in software; BACKEND is gen, null, loop, cable=NAME,
                         tap=IFNAME, pcap=FILE or vhost=SOCKET
The keys are
    ` + wrap(devargs.Keys(), 76, "\n    ") + `
For example:
    ` + name + ` --duration 10 0000:00:03.0,queues=2 vhost-user:/run/vm0.sock,packed=0
"` + name + ` help ports" explains every device and key.`
}

// AddTopic has a command that New made answer "help NAME" with a text.
func AddTopic(app *cli.App, name string, text func() string) {
	if app.Metadata == nil {
		app.Metadata = map[string]any{}
	}
	app.Metadata["help "+name] = text
}

// help answers "help", "help ports" and the topics that were added.
func help(c *cli.Context) error {
	switch topic := c.Args().Get(1); {
	case c.NArg() == 1:
		return cli.ShowAppHelp(c)
	case topic == "ports" && c.NArg() == 2:
		_, err := io.WriteString(c.App.Writer, devargs.Grammar())
		return err
	default:
		if text, ok := c.App.Metadata["help "+topic].(func() string); ok && c.NArg() == 2 {
			_, err := io.WriteString(c.App.Writer, text())
			return err
		}
		return &UsageError{Reason: fmt.Sprintf("no help on %q: there is %s", topic, topics(c.App))}
	}
}

// topics names what there is help on.
func topics(app *cli.App) string {
	names := []string{"help", "help ports"}
	for name := range app.Metadata {
		if strings.HasPrefix(name, "help ") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// wrap breaks a list into lines of at most width bytes, which sep separates.
func wrap(list string, width int, sep string) string {
	var lines []string
	for word := range strings.SplitSeq(list, " ") {
		if last := len(lines) - 1; last >= 0 && len(lines[last])+1+len(word) <= width {
			lines[last] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return strings.Join(lines, sep)
}
