package testserver

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// redisConn is a connection that speaks RESP 2, so that the root module needs no client of Redis.
type redisConn struct {
	net.Conn
	in *bufio.Reader
}

// redisError is an answer of Redis that begins with "-", without that sign.
type redisError string

func (e redisError) Error() string { return "Redis: " + string(e) }

// respTimeout bounds each command.
const respTimeout = 30 * time.Second

// dialRedis connects to the server of an address and signs in.
func dialRedis(u *url.URL, config *tls.Config) (*redisConn, error) {
	var conn net.Conn
	var err error
	dialer := &net.Dialer{Timeout: respTimeout}
	if u.Scheme == "rediss" {
		conn, err = tls.DialWithDialer(dialer, "tcp", u.Host, config)
	} else {
		conn, err = dialer.Dial("tcp", u.Host)
	}
	if err != nil {
		return nil, err
	}
	c := &redisConn{Conn: conn, in: bufio.NewReader(conn)}
	if password, _ := u.User.Password(); password != "" {
		auth := []string{"AUTH", u.User.Username(), password}
		if auth[1] == "" {
			auth = []string{"AUTH", password}
		}
		if _, err := c.do(auth...); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return c, nil
}

// do sends a command and returns the answer: a string, an int64, a []any of them, or nil. An answer that is an error
// is returned as a redisError.
func (c *redisConn) do(arguments ...string) (any, error) {
	if err := c.SetDeadline(time.Now().Add(respTimeout)); err != nil {
		return nil, err
	}
	var command strings.Builder
	fmt.Fprintf(&command, "*%d\r\n", len(arguments))
	for _, argument := range arguments {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(argument), argument)
	}
	if _, err := io.WriteString(c, command.String()); err != nil {
		return nil, err
	}
	return c.read()
}

// read reads one answer. An error inside of an array is an element of it.
func (c *redisConn) read() (any, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return nil, fmt.Errorf("an answer of Redis is empty")
	}
	switch kind, rest := line[0], line[1:]; kind {
	case '+':
		return rest, nil
	case '-':
		return nil, redisError(rest)
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	case '$':
		return c.readBulk(rest)
	case '*':
		return c.readArray(rest)
	}
	return nil, fmt.Errorf("an answer of Redis is not RESP 2: %q", line)
}

// readBulk reads a string of the size, or nil for -1.
func (c *redisConn) readBulk(size string) (any, error) {
	n, err := strconv.Atoi(size)
	if err != nil || n < 0 {
		return nil, err
	}
	text := make([]byte, n+2)
	if _, err := io.ReadFull(c.in, text); err != nil {
		return nil, err
	}
	return string(text[:n]), nil
}

// readArray reads so many answers, or nil for -1.
func (c *redisConn) readArray(size string) (any, error) {
	n, err := strconv.Atoi(size)
	if err != nil || n < 0 {
		return nil, err
	}
	answers := make([]any, n)
	for i := range answers {
		answer, err := c.read()
		if failed, ok := err.(redisError); ok {
			answer, err = failed, nil
		}
		if err != nil {
			return nil, err
		}
		answers[i] = answer
	}
	return answers, nil
}
