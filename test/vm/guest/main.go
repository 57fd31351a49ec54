// Command guest is everything that runs in a test's guest beside the commands
// under test: as process 1 it sets the guest up and serves the test, and by
// name it is the few tools that a guest without a user land needs.
package main

import (
	"fmt"
	"os"
)

// tools are the commands by name.
func tools() map[string]func(args []string) error {
	return map[string]func([]string) error{
		"true":         func([]string) error { return nil },
		"portdoorbell": portDoorbell,
		"commands":     commands,
		"wake":         wake,
		"cat":          cat,
		"put":          put,
		"dmesg":        dmesg,
		"state":        state,
		"limit":        limit,
		"env":          env,
		"forward":      forward,
		"netdev":       netdev,
		"link":         link,
		"address":      address,
		"route":        route,
		"bridge":       bridge,
		"delete":       deleteLink,
		"remove":       remove,
		"ping":         ping,
		"send":         send,
		"steer":        steer,
		"receive":      receive,
	}
}

func main() {
	if os.Getpid() == 1 {
		start()
		return
	}
	if err := tool(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
}

// tool runs one tool.
func tool(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("which tool?")
	}
	f, ok := tools()[args[0]]
	if !ok {
		return fmt.Errorf("no tool %q", args[0])
	}
	return f(args[1:])
}
