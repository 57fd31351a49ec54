package main

import (
	"fmt"
	"net"
	"path/filepath"

	"github.com/vishvananda/netlink"
)

// awaitNetdev prints the name of the interface of a PCI function. The kernel
// makes the interface while the driver binds; where that is still going on its
// messages are awaited.
func awaitNetdev(function string) error {
	updates := make(chan netlink.LinkUpdate, 64)
	done := make(chan struct{})
	defer close(done)
	if err := netlink.LinkSubscribe(updates, done); err != nil {
		return err
	}
	for {
		links, err := filepath.Glob("/sys/bus/pci/devices/" + function + "/virtio*/net/*")
		if err != nil {
			return err
		}
		if len(links) > 0 {
			fmt.Println(filepath.Base(links[0]))
			return nil
		}
		if _, ok := <-updates; !ok {
			return fmt.Errorf("no interface at %s", function)
		}
	}
}

// link sets an interface up or down: NAME up|down.
func link(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("link NAME up|down")
	}
	l, err := netlink.LinkByName(args[0])
	if err != nil {
		return err
	}
	if args[1] == "down" {
		return netlink.LinkSetDown(l)
	}
	return netlink.LinkSetUp(l)
}

// address adds an address to an interface or removes it: add|del NAME CIDR.
func address(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("address add|del NAME CIDR")
	}
	l, err := netlink.LinkByName(args[1])
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(args[2])
	if err != nil {
		return err
	}
	if args[0] == "del" {
		return netlink.AddrDel(l, a)
	}
	return netlink.AddrAdd(l, a)
}

// route adds or deletes a route out of an interface: add|del NAME CIDR.
func route(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("route add|del NAME CIDR")
	}
	l, err := netlink.LinkByName(args[1])
	if err != nil {
		return err
	}
	_, dst, err := net.ParseCIDR(args[2])
	if err != nil {
		return err
	}
	r := &netlink.Route{LinkIndex: l.Attrs().Index, Dst: dst, Scope: netlink.SCOPE_LINK}
	if args[0] == "del" {
		return netlink.RouteDel(r)
	}
	return netlink.RouteAdd(r)
}

// bridge makes a bridge of the interfaces: BRIDGE NAME...
func bridge(args []string) error {
	if len(args) < 1 {
		return fmt.Errorf("bridge BRIDGE NAME...")
	}
	b := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: args[0]}}
	if err := netlink.LinkAdd(b); err != nil {
		return err
	}
	for _, name := range args[1:] {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetMaster(l, b); err != nil {
			return err
		}
	}
	return nil
}

// deleteLink deletes a virtual interface: NAME.
func deleteLink(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("delete NAME")
	}
	l, err := netlink.LinkByName(args[0])
	if err != nil {
		return err
	}
	return netlink.LinkDel(l)
}
