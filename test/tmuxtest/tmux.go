// Package tmuxtest runs commands in a terminal of their own, for tests that press keys
// and read the screen as a user does. The terminal is tmux.
package tmuxtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// hang is after what time something has gone wrong.
const hang = 60 * time.Second

// prompt is what the shell in the terminal shows when it waits for a command.
const prompt = "ready>"

// Terminal is a terminal with a shell in it.
type Terminal struct {
	t             testing.TB
	socket        string
	width, height int
}

// New returns a terminal of a size, in which a shell waits for a command. Its commands are
// those of the test: it has the test's PATH. It is closed when the test ends.
func New(t testing.TB, width, height int, env ...string) *Terminal {
	t.Helper()
	dir, err := os.MkdirTemp("", "tmux") // short enough for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	term := &Terminal{t: t, socket: filepath.Join(dir, "s"), width: width, height: height}
	config := filepath.Join(dir, "config")
	const options = "set -g status off\nset -g default-terminal screen-256color\nset -s escape-time 0\n"
	if err := os.WriteFile(config, []byte(options), 0o600); err != nil {
		t.Fatal(err)
	}
	shell := append([]string{"env", "-u", "ENV", "PS1=" + prompt + " ", "LC_ALL=C.UTF-8"}, env...)
	term.tmux(append([]string{"-f", config, "new-session", "-d", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height)},
		append(shell, "sh")...)...)
	t.Cleanup(func() { term.tmux("kill-server") })
	term.Await(prompt)
	return term
}

// tmux runs a command of tmux and returns what it prints.
func (term *Terminal) tmux(args ...string) string {
	term.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-u", "-S", term.socket}, args...)...).CombinedOutput()
	if err != nil {
		term.t.Fatalf("tmux %q: %v: %s; scripts/deps.sh installs tmux", args, err, out)
	}
	return string(out)
}

// Type types a text.
func (term *Terminal) Type(text string) {
	term.t.Helper()
	term.tmux("send-keys", "-l", text)
}

// Press presses keys by tmux's names: "q", "Enter", "C-c", "Tab".
func (term *Terminal) Press(keys ...string) {
	term.t.Helper()
	term.tmux(append([]string{"send-keys"}, keys...)...)
}

// Run has the shell run a command.
func (term *Terminal) Run(line string) {
	term.t.Helper()
	term.Type(line)
	term.Press("Enter")
}

// Resize changes the size.
func (term *Terminal) Resize(width, height int) {
	term.t.Helper()
	term.width, term.height = width, height
	term.tmux("resize-window", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height))
}

// Screen returns what the terminal shows, a line each.
func (term *Terminal) Screen() []string {
	term.t.Helper()
	return strings.Split(strings.TrimSuffix(term.tmux("capture-pane", "-p"), "\n"), "\n")
}

// Scrollback returns what the terminal shows, and what has scrolled out of it, as one text
// in which a line that was too long for the terminal is one.
func (term *Terminal) Scrollback() string {
	term.t.Helper()
	return term.tmux("capture-pane", "-p", "-J", "-S", "-")
}

// Await waits until the screen has each of some texts, and returns it.
func (term *Terminal) Await(texts ...string) []string {
	term.t.Helper()
	return term.Until(fmt.Sprintf("has %q", texts), func(lines []string) bool {
		all := strings.Join(lines, "\n")
		for _, text := range texts {
			if !strings.Contains(all, text) {
				return false
			}
		}
		return true
	})
}

// Until waits until the screen is as a test wants it, and returns it.
func (term *Terminal) Until(what string, is func(lines []string) bool) []string {
	term.t.Helper()
	for deadline := time.Now().Add(hang); ; time.Sleep(10 * time.Millisecond) {
		lines := term.Screen()
		if is(lines) {
			return lines
		}
		if time.Now().After(deadline) {
			term.t.Fatalf("%d x %d: the screen never %s:\n%s", term.width, term.height, what, strings.Join(lines, "\n"))
		}
	}
}

// AwaitShell waits until the command has ended and the shell waits for the next one.
func (term *Terminal) AwaitShell() {
	term.t.Helper()
	term.Until("is that of the shell", func(lines []string) bool {
		last := ""
		for _, l := range lines {
			if l != "" {
				last = l
			}
		}
		return strings.TrimSpace(last) == prompt && term.Mode("alternate_on") == "0"
	})
}

// Mode returns a variable of the terminal by tmux's name: "alternate_on", "cursor_flag".
func (term *Terminal) Mode(name string) string {
	term.t.Helper()
	return strings.TrimSpace(term.tmux("display-message", "-p", "#{"+name+"}"))
}
