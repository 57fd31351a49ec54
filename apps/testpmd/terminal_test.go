package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// TestTerminal: on a terminal testpmd draws screens that leave what was there alone, and
// ends by a key, a signal or in time with the modes of the terminal as they were, the
// messages that came meanwhile, and the summary.
func TestTerminal(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *os.Process, *os.File){
		"time": nil,
		"q":    func(t *testing.T, _ *os.Process, user *os.File) { press(t, user, "q") },
		"^C":   func(t *testing.T, _ *os.Process, user *os.File) { press(t, user, "\x03") },
		"SIGTERM": func(t *testing.T, p *os.Process, _ *os.File) {
			if err := p.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"--stats-period", "20ms", "--log-level", "debug", "emu:gen", "emu:null"}
			if end == nil {
				args = append(args, "--duration", "1s")
			}
			cmd := exec.Command("testpmd", args...)
			cmd.Env = append(os.Environ(), "TERM=xterm")
			user, tty, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer user.Close()
			defer tty.Close()
			before := terminalModes(t, tty)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill() }()
			time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
			exited := make(chan error, 1)
			go func() { exited <- cmd.Wait(); _, _ = tty.WriteString("exited") }()
			var shown bytes.Buffer
			for b := make([]byte, 4096); !bytes.HasSuffix(shown.Bytes(), []byte("exited")); {
				n, err := user.Read(b)
				if err != nil {
					t.Fatal(err)
				}
				shown.Write(b[:n])
				if end != nil && strings.Contains(shown.String(), "q quit") {
					end(t, cmd.Process, user)
					end = nil
				}
			}
			if err := <-exited; err != nil {
				t.Errorf("testpmd: %v", err)
			}
			head, screens, entered := strings.Cut(shown.String(), "\x1b[?1049h")
			_, rest, left := strings.Cut(screens, "\x1b[?1049l")
			if !entered || !left || strings.Contains(head, "\x1b[2J") || strings.Contains(rest, "\x1b[2J") {
				t.Errorf("the screens are not apart from the rest: %q", shown.String())
			}
			if !strings.Contains(rest, "Forward statistics for port 1") {
				t.Errorf("no summary follows: %q", rest)
			}
			if terminalModes(t, tty) != before {
				t.Error("the terminal has other modes than before")
			}
		})
	}
}

func press(t *testing.T, user *os.File, key string) {
	t.Helper()
	if _, err := user.WriteString(key); err != nil {
		t.Error(err)
	}
}

// terminalModes returns the four sets of modes of a terminal.
func terminalModes(t *testing.T, tty *os.File) [4]uint32 {
	t.Helper()
	s, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return [4]uint32{s.Iflag, s.Oflag, s.Cflag, s.Lflag}
}
