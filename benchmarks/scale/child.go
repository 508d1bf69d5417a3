package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// This file starts this program again as another process: as an instance of a service, or as its clients.

// childVariable is the environment variable that says what the process is.
const childVariable = "GATEWARDEN_SCALE_CHILD"

// mainOfChild reads an order from the standard input, writes answers to the standard output, and ends with its input.
func mainOfChild(kind string) {
	var err error
	switch kind {
	case "instance":
		err = runInstance(os.Stdin, os.Stdout)
	case "clients":
		err = runClients(os.Stdin, os.Stdout)
	case "mixed":
		err = runMixed(os.Stdin, os.Stdout)
	default:
		err = errors.New("it is no child")
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "scale: %s: %v\n", kind, err)
		os.Exit(1)
	}
}

// child is another process of this program.
type child struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
}

// startChild starts a process and gives it an order.
func startChild(kind string, order any) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{command: exec.Command(program)}
	c.command.Env = append(os.Environ(), childVariable+"="+kind)
	c.command.Stderr = os.Stderr
	if c.in, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(bufio.NewReader(out))
	return c, json.NewEncoder(c.in).Encode(order)
}

// answer reads the next answer.
func (c *child) answer(value any) error { return c.out.Decode(value) }

// end ends the process by the end of its input, and waits for it.
func (c *child) end() error {
	_ = c.in.Close()
	return c.command.Wait()
}

// ask has a process do an order, and reads its one answer.
func ask(kind string, order, answer any) error {
	c, err := startChild(kind, order)
	if err != nil {
		return err
	}
	err = c.answer(answer)
	return errors.Join(err, c.end())
}
