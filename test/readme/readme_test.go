// Package readme runs the command lines of the READMEs.
package readme

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// hang bounds what a command line takes, which is otherwise as long as packets flow.
const hang = time.Minute

// TestCommandLines runs every command line of the READMEs that begins with one of the commands,
// block by block. Devices that this machine does not have are replaced by ones in software, and
// packets flow for a moment only.
func TestCommandLines(t *testing.T) {
	root := build(t)
	lines := 0
	for _, file := range []string{"README.md", "apps/README.md", "apps/testpmd/README.md"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range blocks(string(text)) {
			lines += len(block)
			t.Run(name(block), func(t *testing.T) {
				t.Parallel()
				runBlock(t, root, block)
			})
		}
	}
	if lines < 20 {
		t.Errorf("the READMEs have %d command lines", lines)
	}
}

// build makes the commands, and returns the directory that has bin in it.
func build(t *testing.T) string {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("make", "-C", root, "build").CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	return root
}

// name returns the first command line of a block without what looks like a path.
func name(block []string) string { return strings.ReplaceAll(block[0], "/", "∕") }

var (
	// commandLine is a line of an example that runs one of the commands.
	commandLine = regexp.MustCompile(`^(?: {4,}|\t)(?:\$ )?((?:printf .* \| )?bin/.*)$`)
	inline      = regexp.MustCompile("`(bin/[^`]+)`")
)

// blocks returns the command lines of a text, those that follow each other together.
func blocks(text string) [][]string {
	var all [][]string
	var block []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := commandLine.FindStringSubmatch(line); m != nil {
			block = append(block, m[1])
			continue
		}
		if block != nil {
			all, block = append(all, block), nil
		}
		for _, m := range inline.FindAllStringSubmatch(line, -1) {
			all = append(all, []string{m[1]})
		}
	}
	return all
}

// runBlock runs command lines one after the other, and those that end with & beside the next
// ones.
func runBlock(t *testing.T, root string, block []string) {
	dir, err := os.MkdirTemp("", "r") // short: sockets are in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Symlink(filepath.Join(root, "bin"), filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	streams, err := os.ReadFile(filepath.Join(root, "apps/pktgen/testdata/flows.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "streams.yaml"), streams, 0o644); err != nil {
		t.Fatal(err)
	}
	var beside []*command
	for _, line := range block {
		line, background := strings.CutSuffix(line, " &")
		moment := "300ms"
		switch {
		case background:
			moment = "1m" // it is interrupted before
		case strings.Contains(line, "server=1"):
			moment = "3s" // in which the other end has to come as well
		}
		c := start(t, dir, substitute(t, dir, line, moment))
		if background {
			beside = append(beside, c)
			continue
		}
		c.wait(t)
	}
	for _, c := range beside {
		if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		c.wait(t)
	}
}

// substitute returns a command line for this machine, with which packets flow for a moment, and
// starts the peers that it needs.
func substitute(t *testing.T, dir, line, moment string) string {
	line = strings.NewReplacer(
		"/run/", dir+"/", "/tmp/", dir+"/", "tap=vm0", "loop", "before.json", "r.json", "after.json", "r.json",
		"-a 0000:00:03.0 -a 0000:00:04.0", "--no-pci --vdev net_null0 --vdev net_null1",
	).Replace(line)
	if rest, ok := strings.CutPrefix(line, "bin/devbind"); ok {
		return "bin/devbind " + strings.TrimSpace(rest) + " --root " + dir
	}
	line = regexp.MustCompile(`0000:00:0[34]\.0`).ReplaceAllString(line, "emu:cable=x")
	duration := regexp.MustCompile(`--duration \S+`)
	switch {
	case strings.Contains(line, " compare "):
		measure := "bin/pktgen --no-huge --duration 300ms --rate 1kpps --self-test=false --report r.json emu:cable=y emu:cable=y"
		start(t, dir, measure).wait(t)
	case strings.Contains(line, "--search"):
		// A search takes minutes.
		line = strings.Replace(line, " --report report.html", "", 1) + " --dry-run"
	case duration.MatchString(line):
		line = duration.ReplaceAllString(line, "--duration "+moment)
	case !strings.Contains(line, " -i"):
		line += " --duration " + moment
	}
	line = regexp.MustCompile(`bin/(l2fwd|testpmd|pktgen)( --no-huge)?`).ReplaceAllString(line, "$0 --no-huge")
	line = strings.Replace(line, "--no-huge --no-huge", "--no-huge", 1)
	for _, m := range regexp.MustCompile(`(?:vhost-user:|path=)([^ ,]+)(,server=1)?`).FindAllStringSubmatch(line, -1) {
		if m[2] == "" && !strings.Contains(line, "--dry-run") {
			peer(t, dir, m[1])
		}
	}
	return line
}

// peer serves a device at a socket until the test ends.
func peer(t *testing.T, dir, socket string) {
	cmd := exec.Command("bin/vhostdev", "--quiet", "--queues", "2", "--socket", socket)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if !filepath.IsAbs(socket) {
		socket = filepath.Join(dir, socket)
	}
	for deadline := time.Now().Add(hang); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing listens at %s", socket)
		}
	}
}

// command is a command line that runs.
type command struct {
	line           string
	cmd            *exec.Cmd
	cancel         context.CancelFunc
	stdout, stderr bytes.Buffer
}

func start(t *testing.T, dir, line string) *command {
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	shell := "set -o pipefail; " + line
	if !strings.Contains(line, "|") {
		shell = "exec " + line // signals go to the command
	}
	c := &command{line: line, cancel: cancel, cmd: exec.CommandContext(ctx, "bash", "-c", shell)}
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = dir, &c.stdout, &c.stderr
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// wait waits for the end and checks how that was.
func (c *command) wait(t *testing.T) {
	defer c.cancel()
	err := c.cmd.Wait()
	if !c.good() {
		t.Errorf("%s: %v\n%s%s", c.line, err, c.stdout.String(), c.stderr.String())
	}
}

// good reports whether the command did what it is there for.
func (c *command) good() bool {
	devbind := strings.HasPrefix(c.line, "bin/devbind")
	switch status := c.cmd.ProcessState.ExitCode(); {
	case status == 0:
		return c.stdout.Len() > 0 || devbind || strings.Contains(c.line, "--write")
	case status == 1 && devbind: // there is no function below the directory
		return strings.Contains(c.stderr.String(), "there is no such PCI function")
	case status == 1: // a busy machine does not meet what is asked for
		return strings.HasPrefix(c.line, "bin/pktgen") && strings.Contains(c.stdout.String(), "FAILED: ")
	}
	return false
}

// TestHelp: the help of each command fits a small terminal, and says what each value is.
func TestHelp(t *testing.T) {
	root := build(t)
	for _, args := range []string{
		"l2fwd --help", "l2fwd help ports", "l2fwd help dpdk", "testpmd --help", "pktgen --help", "vhostdev --help",
		"devbind --help", "devbind help status", "devbind help bind", "devbind help unbind", "devbind help restore",
	} {
		out, err := exec.Command("bash", "-c", root+"/bin/"+args).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", args, err, out)
		}
		for line := range strings.Lines(string(out)) {
			if line = strings.TrimRight(line, "\n"); len([]rune(line)) > 80 || strings.Contains(line, " VALUE ") && strings.HasPrefix(line, "   --") {
				t.Errorf("%s: %s", args, line)
			}
		}
	}
}

// TestLinks: what the files of documentation link to in this repository is there.
func TestLinks(t *testing.T) {
	const root = "../.."
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	links := 0
	for _, pattern := range []string{"*.md", ".github/*.md", "*/*.md", "*/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range link.FindAllStringSubmatch(string(text), -1) {
				links++
				to := file
				if m[1] != "" {
					to = filepath.Join(filepath.Dir(file), m[1])
				}
				if _, err := os.Stat(to); err != nil {
					t.Errorf("%s: %v", file, err)
				} else if m[2] != "" && !hasHeading(t, to, m[2][1:]) {
					t.Errorf("%s: %s has no heading %s", file, to, m[2])
				}
			}
		}
	}
	if links < 20 {
		t.Errorf("there are %d links", links)
	}
}

// hasHeading reports whether a file has the heading that an anchor names.
func hasHeading(t *testing.T, file, anchor string) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		heading := strings.TrimLeft(line, "#")
		words := strings.Fields(strings.ToLower(strings.ReplaceAll(heading, "`", "")))
		if heading != line && strings.Join(words, "-") == anchor {
			return true
		}
	}
	return false
}
