package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// ruleFile is the udev rule of one function. It comes after the rules that load modules by ids.
func ruleFile(a pci.Address) string {
	return "/etc/udev/rules.d/82-virtio-pmd-" + a.String() + ".rules"
}

// rule has udev bind a function to a driver whenever it appears, as driverctl does: it sets
// driver_override, takes the function from the driver that may have it, and has the kernel probe it
// again. The ids are compared, so that another device at the same address is left alone.
func rule(info sysfs.Info, driver string) []byte {
	const run = `/bin/sh -c 'modprobe -q %[1]s; cd /sys/bus/pci/devices/%[2]s && echo %[1]s > driver_override && ` +
		`{ [ ! -e driver ] || echo %[2]s > driver/unbind; } && echo %[2]s > /sys/bus/pci/drivers_probe'`
	return fmt.Appendf(nil, "# devbind bind --persist wrote this; devbind restore and devbind unbind remove it.\n"+
		`ACTION=="add", SUBSYSTEM=="pci", KERNEL=="%s", ATTR{vendor}=="0x%04x", ATTR{device}=="0x%04x", `+
		`DRIVER!="%s", RUN+="%s"`+"\n",
		info.Address, info.Vendor, info.Device, driver, fmt.Sprintf(run, driver, info.Address))
}

// checkUdev returns an error on a machine without udev, where no one would read the rule.
func checkUdev(f *files) error {
	for _, dir := range []string{"/etc/udev", "/usr/lib/udev", "/lib/udev"} {
		if _, err := os.Stat(f.path(dir)); err == nil {
			return nil
		}
	}
	return errors.New("--persist: this machine has no udev (neither /etc/udev nor /usr/lib/udev), which " +
		"would read the rule; bind without --persist when the machine starts")
}

// persistent reports whether a function has a rule.
func persistent(root string, a pci.Address) bool {
	f := &files{root: root}
	_, err := os.Stat(f.path(ruleFile(a)))
	return err == nil
}
