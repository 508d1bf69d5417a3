package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
)

// balancer sends requests to the instances in turn. If one does not accept the connection, the next one gets the
// request. A request that an instance was working on when it died fails, since it may have done it.
type balancer struct {
	hosts []string
	turn  atomic.Uint32
}

func newBalancer(hosts ...string) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = "http"
			r.SetXForwarded() // the address of the client, which the service believes of its Proxies
		},
		Transport: &balancer{hosts: hosts},
	}
}

// RoundTrip implements [http.RoundTripper].
func (b *balancer) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	turn := int(b.turn.Add(1))
	for i := range b.hosts {
		try := r.Clone(r.Context())
		try.URL.Host = b.hosts[(turn+i)%len(b.hosts)]
		if r.Body != nil {
			try.Body = io.NopCloser(r.Body) // a try that fails leaves it for the next one
		}
		answer, err = http.DefaultTransport.RoundTrip(try)
		var failed *net.OpError
		if !errors.As(err, &failed) || failed.Op != "dial" {
			break
		}
	}
	return answer, err
}
