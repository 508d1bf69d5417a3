package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"
)

// This file puts a balancer in front of instances: HAProxy if it is installed, or the ReverseProxy of Go.

// startBalancer returns where it listens and what it is. Requests go to the instances in turn.
func startBalancer(instances ...*instance) (address, name string, stop func(), err error) {
	if program, err := exec.LookPath("haproxy"); err == nil {
		address, stop, err = startHAProxy(program, instances)
		return address, "HAProxy", stop, err
	}
	proxies := make([]*httputil.ReverseProxy, len(instances))
	for i, one := range instances {
		to, err := url.Parse(one.url)
		if err != nil {
			return "", "", nil, err
		}
		proxies[i] = httputil.NewSingleHostReverseProxy(to)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", nil, err
	}
	var next atomic.Int64
	inTurn := func(w http.ResponseWriter, r *http.Request) {
		proxies[int(next.Add(1))%len(proxies)].ServeHTTP(w, r)
	}
	web := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(inTurn)}
	go func() { _ = web.Serve(listener) }()
	return "http://" + listener.Addr().String(), "httputil.ReverseProxy", func() { _ = web.Close() }, nil
}

// startHAProxy starts HAProxy on a port that was free a moment ago.
func startHAProxy(program string, instances []*instance) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	port := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return "", nil, err
	}
	folder, err := os.MkdirTemp("", "gatewarden-scale")
	if err != nil {
		return "", nil, err
	}
	text := "defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n" +
		"listen instances\n bind " + port + "\n balance roundrobin\n"
	for i, one := range instances {
		text += fmt.Sprintf(" server s%d %s\n", i, one.url[len("http://"):])
	}
	file := filepath.Join(folder, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", nil, err
	}
	command := exec.Command(program, "-db", "-f", file)
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		_ = os.RemoveAll(folder)
	}
	if err := accepts(port); err != nil {
		stop()
		return "", nil, err
	}
	return "http://" + port, stop, nil
}

// accepts waits until a port accepts connections.
func accepts(address string) error {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for timeout := time.After(20 * time.Second); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-look.C:
		case <-timeout:
			return errors.Join(errors.New("the balancer does not accept connections"), err)
		}
	}
}
