package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// show does and prints what a person would try. The error says what was not as it should be. A token that one instance
// ends must be refused by the other one within a time. If that is 0, the next request must be refused.
func show(ctx context.Context, out io.Writer, balancer string, instances [2]*instance, within time.Duration) error {
	client := client{ctx: ctx, balancer: balancer}
	if err := client.logIn(); err != nil {
		return err
	}
	fmt.Fprintf(out, "alice logs in: instance %s issues a token\n", client.issuer)

	counts, err := client.twenty()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "20 requests with it: instance one answers %d, instance two %d\n", counts["one"], counts["two"])
	if counts["one"] == 0 || counts["two"] == 0 {
		return fmt.Errorf("one instance did all of it: %v", counts)
	}

	status, by, _, err := client.send(balancer, "POST", "/auth/logout/")
	if err != nil || status != http.StatusNoContent {
		return unexpected("the logout", status, err)
	}
	fmt.Fprintf(out, "alice logs out: instance %s ends the token\n", by)
	for _, instance := range instances {
		if err := client.refused(instance.host, within); err != nil {
			return fmt.Errorf("the token that has ended, at instance %s: %w", instance.name, err)
		}
		fmt.Fprintf(out, "the token at instance %s: 401\n", instance.name)
	}

	if err := client.logIn(); err != nil {
		return err
	}
	instances[0].kill()
	fmt.Fprintln(out, "alice logs in again, and instance one is killed")
	if counts, err = client.twenty(); err != nil {
		return err
	}
	fmt.Fprintf(out, "20 requests with it: instance one answers %d, instance two %d\n", counts["one"], counts["two"])
	return nil
}

// unexpected is the error for an answer that should have been another one.
func unexpected(what string, status int, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: the answer has status %d", what, status)
}

// client is the device of alice.
type client struct {
	ctx      context.Context
	balancer string
	token    string
	issuer   string // the instance that issued it
}

// logIn gets a token.
func (c *client) logIn() error {
	c.token = ""
	status, by, text, err := c.send(c.balancer, "POST", "/auth/login/")
	if err != nil || status != http.StatusOK {
		return unexpected("the login", status, err)
	}
	var answer struct{ Token string }
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	c.token, c.issuer = answer.Token, by
	return nil
}

// refused sends requests until one is refused.
func (c *client) refused(host string, within time.Duration) error {
	until := time.Now().Add(within)
	for {
		status, _, _, err := c.send(host, "GET", "/hello")
		switch {
		case err == nil && status == http.StatusUnauthorized:
			return nil
		case err != nil || status != http.StatusOK || time.Now().After(until):
			return unexpected("a request", status, err)
		}
	}
}

// twenty sends requests, and counts which instance answered how many. Each of them must succeed.
func (c *client) twenty() (map[string]int, error) {
	counts := make(map[string]int)
	for range 20 {
		status, by, text, err := c.send(c.balancer, "GET", "/hello")
		if err != nil || status != http.StatusOK || string(text) != "hello, alice\n" {
			return nil, unexpected("a request with the token", status, err)
		}
		counts[by]++
	}
	return counts, nil
}

// send sends a request with the token, or else with the password. by is the instance that answered.
func (c *client) send(host, method, path string) (status int, by string, text []byte, err error) {
	r, err := http.NewRequestWithContext(c.ctx, method, "http://"+host+path, nil)
	if err != nil {
		return 0, "", nil, err
	}
	if c.token == "" {
		r.SetBasicAuth("alice", alicesPassword)
	} else {
		r.Header.Set("Authorization", "Token "+c.token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	return answer.StatusCode, answer.Header.Get("Instance"), text, err
}
