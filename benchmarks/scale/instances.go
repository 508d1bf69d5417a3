package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// This file measures how long a token that was revoked on one instance is accepted by the other one.

// visitor sends requests through the balancer. Each has a connection of its own: HAProxy would send all that follow a
// 401 on one connection to the instance that gave it.
type visitor struct {
	http    *http.Client
	address string
}

func newVisitor(address string) *visitor {
	return &visitor{&http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}, address}
}

// send sends a request with a value of Authorization, and returns the status and the name of the instance.
func (v *visitor) send(method, path, value string) (status int, by string, err error) {
	r, err := http.NewRequest(method, v.address+path, nil)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", value)
	response, err := v.http.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header.Get("Instance"), err
}

// patience is how long a token that was revoked may be accepted before the measurement gives up.
const patience = 2 * time.Minute

// usesBefore is how often each instance is sent a token before it is revoked. The first use is written, which drops the
// token from a cache.
const usesBefore = 4

// revoked uses a token on both instances, logs out, and returns how long it takes from that answer until the first
// 401 of the other instance, and how often that one accepted the token meanwhile.
func (v *visitor) revoked(value string) (took time.Duration, accepted int, err error) {
	if err := v.useOnBoth(value); err != nil {
		return 0, 0, err
	}
	status, here, err := v.send(http.MethodPost, "/logout", value)
	began := time.Now()
	if err != nil || status != http.StatusNoContent {
		return 0, 0, fmt.Errorf("a logout was answered with %d: %w", status, err)
	}
	for time.Since(began) < patience {
		status, by, err := v.send(http.MethodGet, "/knox/"+userID(0), value)
		switch {
		case err != nil:
			return 0, 0, err
		case by == here && status != http.StatusUnauthorized:
			return 0, 0, fmt.Errorf("the instance that revoked a token answers it with %d", status)
		case by != here && status == http.StatusUnauthorized:
			return time.Since(began), accepted, nil
		case by != here && status != http.StatusOK:
			return 0, 0, fmt.Errorf("a token that was revoked was answered with %d", status)
		case by != here:
			accepted++
		}
	}
	return 0, 0, fmt.Errorf("a token is accepted %v after it was revoked", patience)
}

// useOnBoth uses a token until both instances have it in their caches.
func (v *visitor) useOnBoth(value string) error {
	seen, caches := make(map[string]int), 0
	for range 100 {
		status, by, err := v.send(http.MethodGet, "/knox/"+userID(0), value)
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("a good token was answered with %d: %w", status, err)
		}
		if seen[by]++; seen[by] == usesBefore {
			caches++
		}
		if caches == 2 {
			return nil
		}
	}
	return errors.New("the balancer sends all requests to one instance")
}

func (o *options) runInstances(out io.Writer) error {
	t := newTable(out, "engine", "revocations", "until the first 401 of the other instance: p50 / p99 / max",
		"it accepted the token after the logout")
	balancer := ""
	for _, v := range o.variants() {
		name, err := o.instancesOn(t, v)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		balancer = name
		o.progress("instances: %s", v.name)
	}
	fmt.Fprintf(out, "\n%s. Two processes behind %s, which sends requests to them in turn. Each token was used "+
		"four times or more on both before, so it was in their caches. The time counts from the answer to the "+
		"logout, and has the request that was refused, and mostly one that the first instance refused.\n",
		machine(), balancer)
	return nil
}

func (o *options) instancesOn(t table, v variant) (balancer string, err error) {
	address, stop, err := v.engine.start(o, v.engine.settings(o))
	if err != nil {
		return "", err
	}
	defer stop()
	var both []*instance
	for _, name := range []string{"a", "b"} {
		one, err := startInstance(instanceOrder{Name: name, Address: address, Cached: v.cached})
		if err != nil {
			return "", err
		}
		defer func() { _ = one.end() }()
		both = append(both, one)
	}
	where, balancer, end, err := startBalancer(both...)
	if err != nil {
		return "", err
	}
	defer end()
	values, err := both[0].credentials("knox", o.revocations)
	if err != nil {
		return "", err
	}
	client := newVisitor(where)
	var taken times
	late := 0
	for _, value := range values {
		took, accepted, err := client.revoked(value)
		if err != nil {
			return "", err
		}
		taken = append(taken, took)
		if accepted > 0 {
			late++
		}
	}
	taken = joined(taken)
	t.row(v.name, fmt.Sprint(len(taken)), taken.String()+" / "+short(taken.at(1)), fmt.Sprintf("%d times", late))
	return balancer, nil
}
