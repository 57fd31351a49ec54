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
    emu:BACKEND          a device in software; BACKEND is gen, null, loop,
                         cable=NAME, tap=IFNAME, pcap=FILE or vhost=SOCKET
The keys are
    ` + wrap(devargs.Keys(), 70, "\n    ") + `
For example:
    ` + name + ` --duration 10 0000:00:03.0,queues=2 vhost-user:/run/vm0.sock
"` + name + ` help ports" explains every device and key.`
}

// AddTopic has a command answer "help NAME" with a text.
func AddTopic(app *cli.App, name string, text func() string) {
	if app.Metadata == nil {
		app.Metadata = map[string]any{}
	}
	app.Metadata[topicPrefix+name] = text
}

const topicPrefix = "help "

// help answers "help" and "help TOPIC".
func help(c *cli.Context) error {
	if c.NArg() == 1 {
		return cli.ShowAppHelp(c)
	}
	topic := c.Args().Get(1)
	if text, ok := c.App.Metadata[topicPrefix+topic].(func() string); ok && c.NArg() == 2 {
		_, err := io.WriteString(c.App.Writer, text())
		return err
	}
	there := "there is help"
	for _, name := range topics(c.App) {
		there += ", help " + name
	}
	return &UsageError{Reason: fmt.Sprintf("no help on %q: %s", topic, there)}
}

// topics names what there is help on, beside the options.
func topics(app *cli.App) []string {
	var names []string
	for name := range app.Metadata {
		if topic, ok := strings.CutPrefix(name, topicPrefix); ok {
			names = append(names, topic)
		}
	}
	slices.Sort(names)
	return names
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
