package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// dpdkLines are command lines of dpdk-devbind.py, and what they are here.
var dpdkLines = map[string]string{
	"-s": "status", "--status": "status", "--status-dev net": "status", "--status-dev=all": "status --all",
	"--help": "--help", "-h": "-h",
	"-u 0000:00:03.0":                 "unbind 0000:00:03.0",
	"--unbind 00:03.0 00:04.0":        "unbind 00:03.0 00:04.0",
	"-b vfio-pci 0000:00:03.0":        "bind --driver vfio-pci 0000:00:03.0",
	"--bind=vfio-pci eth1 eth2":       "bind --driver vfio-pci eth1 eth2",
	"--bind vfio-pci --force 00:03.0": "bind --driver vfio-pci --force 00:03.0",
	"-b none 00:03.0":                 "unbind 00:03.0",
	"-b virtio-pci 00:03.0":           "restore --driver virtio-pci 00:03.0",
	"-b igb_uio 00:03.0":              "bind --driver igb_uio 00:03.0",
	"-b uio_pci_generic 00:03.0":      "bind --driver uio_pci_generic 00:03.0",
	"--force -u 00:03.0":              "unbind --force 00:03.0",
	"-bvfio-pci 00:03.0":              "bind --driver vfio-pci 00:03.0",
	"-b None 00:03.0":                 "unbind 00:03.0",
	"--bind=ixgbe --force 1f:00.0":    "restore --driver ixgbe --force 1f:00.0",
	"bind 00:03.0":                    "bind 00:03.0",
	"status --json":                   "status --json",
}

// refusedLines are those that are refused, and what is said.
var refusedLines = map[string]string{
	"-b 0000:00:03.0":                    "is no driver: devbind bind 0000:00:03.0",
	"-b":                                 "-b is followed by a driver",
	"--status-dev crypto":                "those of all classes with --all",
	"--noiommu-mode -b vfio-pci 00:03.0": "enable_unsafe_noiommu_mode",
	"-U 1000 -b vfio-pci 00:03.0":        "chown the node of its IOMMU group",
	"-l":                                 "devbind status lists functions",
	"-u -b vfio-pci 00:03.0":             "give one of -b and -u",
	"-s -b vfio-pci 00:03.0":             "devbind status, after bind",
}

// TestDPDKOptions: each option of dpdk-devbind.py becomes a command, or is refused with what to
// do instead.
func TestDPDKOptions(t *testing.T) {
	seen := map[string]bool{}
	note := func(line string) []string {
		words := strings.Fields(line)
		for _, w := range words {
			name, _, _ := strings.Cut(w, "=")
			seen[name] = true
		}
		return append([]string{"devbind"}, words...)
	}
	for line, want := range dpdkLines {
		got, err := fromDPDK(note(line))
		if err != nil || strings.Join(got[1:], " ") != want {
			t.Errorf("%s: %q, %v; want %s", line, got, err, want)
		}
	}
	for line, want := range refusedLines {
		if got, err := fromDPDK(note(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
	for name := range dpdkOptions(t) {
		if !seen[name] {
			t.Errorf("%s of dpdk-devbind.py is not in the tables", name)
		}
	}
}

// dpdkOptions returns the options in the help of dpdk-devbind.py.
func dpdkOptions(t *testing.T) map[string]bool {
	t.Helper()
	help, err := exec.Command("dpdk-devbind.py", "--help").Output()
	if err != nil {
		t.Fatalf("dpdk-devbind.py, which scripts/deps.sh installs: %v", err)
	}
	_, options, _ := strings.Cut(string(help), "\noptions:\n")
	options, _, _ = strings.Cut(options, "\nExamples:")
	list := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^  (-[a-z]|--[a-z-]+)(?:[ ,].*?(--[a-z-]+))?`).FindAllStringSubmatch(options, -1) {
		for _, name := range m[1:] {
			if name != "" {
				list[name] = true
			}
		}
	}
	if len(list) < 10 {
		t.Fatalf("its options are %v: %s", list, help)
	}
	return list
}

// TestDPDKParse: what dpdk-devbind.py takes for a command, with a driver, force and functions, is
// that command here, and what it refuses is refused.
func TestDPDKParse(t *testing.T) {
	var lines []string
	for _, list := range []map[string]string{dpdkLines, refusedLines} {
		for line := range list {
			if strings.HasPrefix(line, "-") && !strings.Contains(line, "-h") {
				lines = append(lines, line)
			}
		}
	}
	cmd := exec.Command("/usr/bin/python3", "testdata/dpdk_parse.py")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	out, err := cmd.Output()
	answers := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(answers) != len(lines) {
		t.Fatalf("%v: %s", err, out)
	}
	both := 0
	for i, line := range lines {
		args, err := fromDPDK(append([]string{"devbind"}, strings.Fields(line)...))
		switch refused := strings.HasPrefix(answers[i], "exit"); {
		case err != nil: // it may be stricter
		case !refused:
			both++
			if got, want := asDPDK(args[1:]), short(answers[i]); got != want {
				t.Errorf("%s: %q, and for dpdk-devbind.py it is %q", line, got, want)
			}
		case !strings.Contains(line, "--status-dev=all"): // which is ours
			t.Errorf("%s: %q, which dpdk-devbind.py refuses", line, args)
		}
	}
	if both < 10 {
		t.Errorf("%d lines are understood by both", both)
	}
}

// asDPDK writes a command as testdata/dpdk_parse.py does.
func asDPDK(args []string) string {
	driver, force, rest := "None", false, []string{}
	if args[0] == "unbind" {
		driver = "none"
	}
	for i := 1; i < len(args); i++ {
		switch args[i] {
		case "--driver":
			i++
			driver = args[i]
		case "--force":
			force = true
		default:
			rest = append(rest, args[i])
		}
	}
	word := map[bool]string{false: "False", true: "True"}
	return short(strings.Join(append([]string{driver, word[args[0] == "status"], word[force]}, rest...), " "))
}

// short leaves out what dpdk-devbind.py adds: the domain of a function that is there, and the
// capital of a driver that is none.
func short(answer string) string {
	answer = strings.ReplaceAll(answer, "0000:", "")
	if fields := strings.Fields(answer); len(fields) > 3 {
		fields[0] = strings.ToLower(fields[0])
		return strings.Join(fields, " ")
	}
	return answer
}
