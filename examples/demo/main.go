// Demo is one server with every backend that exists so far in front of one
// API, an SQLite file, and a page that says what to try.
//
//	go run ./examples/demo [-addr 127.0.0.1:8000] [-db sqlite:gatewarden-demo.db]
//
// Several demos behave as one on one server database, with the same key and the same issuer:
//
//	BOTH='-issuer http://127.0.0.1:9000 -key demo.key -db postgres://demo:PASSWORD@127.0.0.1/demo'
//	go run ./examples/demo -addr 127.0.0.1:8000 $BOTH
//	go run ./examples/demo -addr 127.0.0.1:8001 $BOTH
//
// The same goes for -db mysql://… and redis://127.0.0.1:6379/0, or redis://127.0.0.1:7000?cluster=true&prefix=demo: for
// a Redis Cluster.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/oauth2/external"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", database.Line(err))
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	addr      string
	db        string
	cert      string
	certKey   string
	key       string // file of the application key
	tokenTTL  time.Duration
	accessTTL time.Duration
	leeway    time.Duration
	issuer    string // what tokens name as theirs; the URL by default
	origin    string // scheme and host of issuer, below which the handlers are
	clients   string // file of OAuth 2 clients
	providers []external.Provider
	origins   []string // of providers by http
	trusted   []netip.Prefix
	url       string // where it is served
	port      string // of issuer, as browsers see it
}

func parseFlags(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8000", "address to serve; port 0 is any free one")
	flags.StringVar(&s.db, "db", "sqlite:gatewarden-demo.db", "`store`: memory:, "+database.Forms)
	flags.StringVar(&s.cert, "tls-cert", "", "PEM `file` of the certificate, to serve HTTPS")
	flags.StringVar(&s.certKey, "tls-key", "", "PEM `file` of the certificate's key")
	flags.StringVar(&s.key, "key", "", "`file` of the application key, which seals cookies; made if it is not there "+
		"(default: beside the SQLite file; required for a server)")
	flags.DurationVar(&s.tokenTTL, "token-ttl", 10*time.Hour, "how long knox tokens live")
	flags.DurationVar(&s.accessTTL, "jwt-access-ttl", 5*time.Minute, "how long JWT access tokens live")
	flags.DurationVar(&s.leeway, "jwt-leeway", 0, "how much the clocks of several demos may differ: JWTs live so "+
		"much longer")
	flags.StringVar(&s.issuer, "issuer", "", "`URL` that the service is known by (default: the address served)")
	flags.StringVar(&s.clients, "clients", "", "JSON `file` of more OAuth 2 clients, in the names of RFC 7591")
	flags.Func("provider", "`name,issuer,client_id,client_secret` of a provider that people sign in by; without "+
		"issuer, google, github, gitlab, facebook or microsoft; may be repeated", func(text string) error {
		provider, err := parseProvider(text)
		s.providers = append(s.providers, provider)
		s.origins = append(s.origins, providerOrigin(text)...)
		return err
	})
	flags.Func("trust-proxy", "`CIDR` of proxies whose X-Forwarded-For and X-Username are believed; may be repeated",
		func(text string) error {
			prefix, err := netip.ParsePrefix(text)
			s.trusted = append(s.trusted, prefix)
			return err
		})
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %s", quoted(flags.Arg(0)))
	}
	if engine, err := database.EngineOf(s.db); err == nil && engine != database.SQLite && s.key == "" {
		return s, errors.New("-key is required with a database server: all demos on it share the file")
	}
	if u, err := url.Parse(s.issuer); s.issuer != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" ||
		u.Host == "" || u.RawQuery != "" || u.Fragment != "") {
		return s, fmt.Errorf("-issuer %q: want an http or https URL without query and fragment", s.issuer)
	}
	s.issuer = strings.TrimSuffix(s.issuer, "/")
	if (s.cert == "") != (s.certKey == "") {
		return s, errors.New("-tls-cert and -tls-key go together")
	}
	return s, nil
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	s.url = serverURL(s, listener.Addr())
	s.issuer = cmp.Or(s.issuer, s.url)
	s.origin = originOf(s.issuer)
	s.port = portOf(s.issuer)
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	app, err := open(ctx, s, logger)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler:           bounded(app.handler),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() {
		if s.cert != "" {
			ended <- server.ServeTLS(listener, s.cert, s.certKey)
		} else {
			ended <- server.Serve(listener)
		}
	}()
	var background sync.WaitGroup
	background.Go(func() { app.purge(ctx) })
	background.Go(func() { _ = app.keyring.Run(ctx) })
	printWelcome(stderr, s.url)
	fmt.Fprintln(stdout, "listening on", s.url)

	select {
	case err = <-ended:
		return errors.Join(err, app.close())
	case <-ctx.Done():
	}
	app.end(server, &background)
	return nil
}

// A program that is told to end gets 5 seconds from some supervisors. Requests have most of that.
const (
	lastAnswers = 3 * time.Second
	lastWrites  = time.Second // of what the stores keep in memory, such as the last uses of tokens
)

// end answers the requests that are under way, and closes the stores. It waits for neither if a server of the stores
// does not answer.
func (a *app) end(server *http.Server, background *sync.WaitGroup) {
	ctx, cancel := context.WithTimeout(context.Background(), lastAnswers)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		a.logger.WarnContext(ctx, "requests are left without an answer", "error", errors.Join(err, server.Close()))
	}
	closed := make(chan error, 1)
	go func() {
		background.Wait()
		closed <- a.close()
	}()
	select {
	case err := <-closed:
		if err != nil {
			a.logger.WarnContext(ctx, "the store cannot be closed", "error", database.Line(err))
		}
	case <-time.After(lastWrites):
		a.logger.WarnContext(ctx, "the store does not answer, and is left open")
	}
}

// requestTimeout is the longest that a request may take, as with a database that accepts queries and does not answer.
const requestTimeout = 10 * time.Second

// bounded ends the work for requests after requestTimeout.
func bounded(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		handler.ServeHTTP(w, r.WithContext(ctx))
	})
}

// printWelcome says what to try. It prints no passwords, because terminals and logs keep them.
func printWelcome(stderr io.Writer, url string) {
	var names []string
	for _, u := range accounts {
		names = append(names, u.Name)
	}
	fmt.Fprintf(stderr, "Gatewarden demo: open %s/ in a browser, or try: curl -i %s/api/public\n", url, url)
	fmt.Fprintf(stderr, "Its users are %s. Their passwords stand on that page and in README.md.\n",
		strings.Join(names, ", "))
}

// originOf returns a URL without its path. An issuer may have a path that no handler is below, since it is a name.
func originOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return issuer
	}
	return u.Scheme + "://" + u.Host
}

// portOf returns the port of a URL. Two demos behind one balancer have the same, so each knows the cookies of the
// other.
func portOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

// quoted returns an argument as errors show it: without what may hold a password.
func quoted(argument string) string {
	if strings.ContainsAny(argument, "@=") {
		return "that looks like an address: is -db before it?"
	}
	return strconv.Quote(argument)
}

// serverURL is the address as a browser would write it.
func serverURL(s settings, addr net.Addr) string {
	scheme := "http"
	if s.cert != "" {
		scheme = "https"
	}
	host, port, _ := net.SplitHostPort(addr.String())
	if ip, err := netip.ParseAddr(host); err != nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
