// Distributed shows a service that runs more than once: two instances with one database, and a balancer in front.
//
//	go run ./examples/distributed [-db postgres://USER:PASSWORD@HOST:PORT/NAME | -db redis://HOST:PORT]
//
// It starts a PostgreSQL that it finds on this machine, or takes the database of -db. Then it starts the service of
// service.go twice, as two processes, and does what show.go says: a login, requests that go to both instances, a logout
// through one that both know at once, and the death of one instance.
//
// All that the service does for it is to open its store on a database that both reach.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/internal/testserver"
)

// databaseVariable hands the address to an instance, since other users of the machine can read a command line.
const databaseVariable = "DISTRIBUTED_DB"

func main() {
	address := flag.String("db", "", "`database` of both instances: "+database.Forms+" (default: a PostgreSQL that is "+
		"started for this)")
	name := flag.String("instance", "", "serve as the instance with this `name`; used by the program itself")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := func() error { return runAll(ctx, *address, os.Stdout) }
	if *name != "" {
		run = func() error { return serve(ctx, *name, os.Getenv(databaseVariable)) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "distributed:", database.Line(err))
		stop()
		os.Exit(1)
	}
}

// runAll starts everything, shows it, and ends it.
func runAll(ctx context.Context, address string, out io.Writer) error {
	if address == "" {
		started, stop, err := testserver.StartPostgreSQL()
		if err != nil {
			return fmt.Errorf("give a database by -db, or install PostgreSQL: %w", err)
		}
		defer stop()
		address = started
		fmt.Fprintln(out, "PostgreSQL is started for this")
	}
	var instances [2]*instance
	for i, name := range []string{"one", "two"} {
		started, err := startInstance(ctx, name, address)
		if err != nil {
			return err
		}
		defer started.kill()
		instances[i] = started
		fmt.Fprintf(out, "instance %s: http://%s\n", name, started.host)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	balancer := newBalancer(instances[0].host, instances[1].host)
	server := &http.Server{Handler: balancer, ReadHeaderTimeout: 10 * time.Second}
	defer server.Close()
	go func() { _ = server.Serve(listener) }()
	fmt.Fprintf(out, "balancer: http://%s\n\n", listener.Addr())
	within := time.Duration(0)
	if engine, err := database.EngineOf(address); err == nil && engine == database.Redis {
		within = time.Second // instances keep tokens in memory, and Redis tells them some milliseconds after a change
	}
	return show(ctx, out, listener.Addr().String(), instances, within)
}

// instance is a process that serves.
type instance struct {
	name, host string
	process    *exec.Cmd
}

// startInstance starts this program again as an instance, and waits until it serves. The input of the process ends with
// this one, and then it ends, too.
func startInstance(ctx context.Context, name, address string) (*instance, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	process := exec.CommandContext(ctx, program, "-instance", name)
	process.Env = append(os.Environ(), databaseVariable+"="+address)
	process.Stderr = os.Stderr
	_, errIn := process.StdinPipe()
	stdout, errOut := process.StdoutPipe()
	if err := errors.Join(errIn, errOut, process.Start()); err != nil {
		return nil, err
	}
	started := &instance{name: name, process: process}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	var ok bool
	if started.host, ok = strings.CutPrefix(strings.TrimSpace(line), "listening on "); !ok {
		started.kill()
		return nil, errors.Join(fmt.Errorf("instance %s does not start", name), err)
	}
	return started, nil
}

// kill ends the process by SIGKILL, as the loss of a machine does.
func (i *instance) kill() {
	_ = i.process.Process.Kill()
	_ = i.process.Wait()
}
