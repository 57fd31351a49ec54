package main

import (
	"fmt"
	"slices"
	"strings"
)

// commands are the words that a command line begins with.
var commands = []string{"status", "bind", "unbind", "restore"}

// userDrivers are those that dpdk-devbind.py binds to for DPDK.
var userDrivers = []string{"vfio-pci", "igb_uio", "uio_pci_generic"}

// fromDPDK translates the options of dpdk-devbind.py, which people type from memory, into commands,
// and explains those that have no counterpart. Other command lines are returned as they are.
func fromDPDK(args []string) ([]string, error) {
	var command, driver string
	var rest []string
	shown := false // the status
	for i := 1; i < len(args); i++ {
		a := args[i]
		if command == "" && slices.Contains(commands, a) || a == "--" {
			return args, nil
		}
		name, value, hasValue := strings.Cut(a, "=")
		if driver, attached := strings.CutPrefix(a, "-b"); attached && driver != "" && !hasValue {
			name, value, hasValue = "-b", driver, true
		}
		next := func() string {
			if !hasValue && i+1 < len(args) {
				i++
				value = args[i]
			}
			return value
		}
		switch name {
		case "-s", "--status":
			shown = true
		case "--status-dev":
			shown = true
			switch class := next(); class {
			case "net":
			case "all":
				rest = append(rest, "--all")
			default:
				return nil, &usageError{reason: fmt.Sprintf(
					"--status-dev %s: devbind status lists network functions, and those of all classes with --all", class)}
			}
		case "-u", "--unbind", "-b", "--bind":
			if command != "" {
				return nil, &usageError{reason: name + ": functions are bound or unbound, once; give one of -b and -u"}
			}
			if command = "unbind"; name == "-b" || name == "--bind" {
				command, driver = "bind", next()
			}
		case "--noiommu-mode":
			return nil, &usageError{reason: "--noiommu-mode: to work without an IOMMU, as root: " +
				"echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode, and bind then"}
		case "-U", "--uid", "-G", "--gid":
			return nil, &usageError{reason: name + ": to let another user open the function, bind it and " +
				"then chown the node of its IOMMU group, /dev/vfio/GROUP"}
		case "-l", "--list", "--usage":
			return nil, &usageError{reason: name + ": devbind status lists functions, devbind --help explains the commands"}
		default:
			rest = append(rest, a)
		}
	}
	if shown && command == "" {
		command = "status"
	} else if shown {
		return nil, &usageError{reason: "-s: the status is shown by a command of its own, devbind status, after " + command}
	}
	switch {
	case command == "":
		return args, nil
	case command != "bind":
		return slices.Concat(args[:1], []string{command}, rest), nil
	case strings.EqualFold(driver, "none"):
		return slices.Concat(args[:1], []string{"unbind"}, rest), nil
	case driver == "":
		return nil, &usageError{reason: "-b is followed by a driver, then by functions: devbind -b vfio-pci 0000:00:03.0"}
	case strings.ContainsAny(driver, ":."):
		return nil, &usageError{reason: fmt.Sprintf(
			"-b is followed by a driver, then by functions, and %q is no driver: devbind bind %s", driver, driver)}
	case slices.Contains(userDrivers, driver):
		return slices.Concat(args[:1], []string{"bind", "--driver", driver}, rest), nil
	}
	// A driver of the kernel gets its function back.
	return slices.Concat(args[:1], []string{"restore", "--driver", driver}, rest), nil
}
