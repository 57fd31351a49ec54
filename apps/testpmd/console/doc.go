// Package console reads the lines of a prompt: from a terminal, where they can be edited,
// completed and found again, or from a pipe or a file, where they are echoed and nothing else is
// added.
package console
