package examples_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// preamble is what the snippets of the pages assume: imports, and the names that
// stand for the reader's own program.
const preamble = `package snippets

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"log"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/redis/rueidis"
	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/page"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/cached"
	"github.com/gatewarden/auth/store/redisstore"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/sqlstore/pgnotify"
)

type application struct{}

func (application) Load(context.Context, string) (auth.User, error)               { return nil, nil }
func (application) FindByName(context.Context, string) (auth.User, string, error) { return nil, "", nil }
func (application) FromProfile(context.Context, *external.Profile, string) (auth.User, error) {
	return nil, nil
}

var (
	users            application
	mux              = http.NewServeMux()
	reports, devices http.Handler
	passwords        *password.Authenticator
	tokens           *knox.Tokens
	sessions         *session.Sessions
	guard            *auth.Guard
	handlers         *knox.Handlers
	admins           auth.Policy
	keyring          *jwt.Keyring
	keys             []auth.Secret
	key              []byte
	id               string
	secret           auth.Secret
	credential       auth.Credential
	redirectToLogin  func(http.ResponseWriter, *http.Request, server.SignInRequest)
	startSession     func(http.ResponseWriter, *http.Request, auth.User, *external.Credential) error
	limiter          interface{ Allow() bool }
	ctx              = context.Background()
	logger           *slog.Logger
)

type signed struct{ key []byte }

func (signed) Authenticate(*http.Request) (auth.User, auth.Credential, error) { return nil, nil, nil }

func sign(string) string { return "" }

func with(authorization string) authtest.Request { return authtest.RequestWith("Authorization", authorization) }

var _ = fmt.Sprint
var _ = cmp.Or[string]
var _ = slices.Contains[[]string]
var _ atomic.Int64
var _ *testing.T
var _ time.Time
var _ oauth2.Config
var _ header.Config
var _ backend.Terms
var _ page.Site
var _ url.URL
var _ netip.Addr
var _ log.Logger
var _ gin.Context
var _ chi.Mux
var _ sql.Conn
var _ = errors.New
var _ sqlstore.Config
var _ redisstore.Config
var _ rueidis.ClientOption
var _ cached.Config
var _ pgnotify.Config
var _ = os.Getenv
`

// names are what the snippets of single pages assume besides.
var names = map[string]string{
	"docs/jwt.md": `
type Claims struct{}

var (
	store           = jwt.NewMemoryStore()
	keyStore        = jwt.NewMemoryKeyStore()
	applicationKeys []auth.Secret
	secretKey       string
)`,
	"docs/instances.md": `
var (
	pool        *sql.DB
	db          *sqlstore.DB
	loadUser    auth.UserLoader
	cachedUsers *auth.CachedUsers
)`,
	"docs/operations.md": `
var (
	pool   *sql.DB
	hasher *password.Hasher
)`,
	"docs/external-login.md": `
var (
	store   = external.NewMemoryStore()
	logins  *external.Logins
	config  external.Config
	user    auth.User
	identity *external.Identity
	refresh auth.Secret
	pending string
	t       *testing.T
	w       http.ResponseWriter
	r       *http.Request
)

func (application) Add(context.Context, string, string) (auth.User, error) { return nil, nil }`,
	"docs/oauth2.md": `
var (
	store                  = server.NewMemoryStore()
	keyStore               = jwt.NewMemoryKeyStore()
	applicationKeys        []auth.Secret
	srv                    *server.Server
	config                 server.Config
	sessionStore           session.Store
	refunds                http.Handler
	username               string
	clientID, clientSecret string
	hasher                 *password.Hasher
	file                   []byte
	w                      http.ResponseWriter
	r                      *http.Request
)`,
	"docs/routers.md": `
var (
	router *chi.Mux
	remove http.HandlerFunc
)`,
}

// tolerated is what the compiler says of code that is shown and not run.
var tolerated = regexp.MustCompile(`declared and not used|imported and not used|^#|too many errors`)

// snippet is a piece of Go on a page, in a package of its own.
type snippet struct {
	name, text string
	folder     string
}

// TestSnippets compiles every Go snippet of the pages, pasted into a program that has the reader's own names. One build
// has all of them, which takes a tenth of the time of a build for each.
func TestSnippets(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	// Inside the workspace, so that the modules of this checkout are used.
	parent, err := os.MkdirTemp(filepath.Join(root, "examples"), ".snippets-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	all := snippets(t, root, parent)
	if len(all) < 50 {
		t.Fatalf("found %d snippets, want those of all pages", len(all))
	}
	build := exec.Command("go", "build", "-gcflags=-e")
	for _, s := range all {
		build.Args = append(build.Args, "./"+filepath.Base(parent)+"/"+filepath.Base(s.folder))
	}
	build.Dir = filepath.Join(root, "examples")
	out, _ := build.CombinedOutput()
	faults := faultsOf(t, string(out), filepath.Base(parent))
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			for _, line := range faults[filepath.Base(s.folder)] {
				t.Errorf("%s\n%s", line, s.text)
			}
		})
	}
}

// snippets writes the snippets of all pages into folders of their own.
func snippets(t *testing.T, root, parent string) (all []snippet) {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(pages) < 5 {
		t.Fatal(pages, err)
	}
	for _, path := range append(pages, filepath.Join(root, "README.md")) {
		page, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, found := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			if strings.HasPrefix(found[1], "package main\n") {
				continue // see TestReadmeProgram
			}
			s := snippet{fmt.Sprint(page, " ", i+1), found[1], filepath.Join(parent, fmt.Sprint("n", len(all)))}
			if err := os.Mkdir(s.folder, 0o700); err != nil {
				t.Fatal(err)
			}
			file := []byte(program(names[page], s.text))
			if err := os.WriteFile(filepath.Join(s.folder, "snippet.go"), file, 0o600); err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
	}
	return all
}

// faultsOf returns what the compiler says, by the folder below the parent. A line without one fails the test.
func faultsOf(t *testing.T, out, parent string) map[string][]string {
	t.Helper()
	faults := make(map[string][]string)
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); line == "" || tolerated.MatchString(line) {
			continue
		}
		_, below, found := strings.Cut(line, parent+string(filepath.Separator))
		folder, _, isBelow := strings.Cut(below, string(filepath.Separator))
		if !found || !isBelow {
			t.Errorf("the build says: %s", line)
			continue
		}
		faults[folder] = append(faults[folder], line)
	}
	return faults
}

// program is the file that a snippet is compiled in. It is either declarations or statements.
func program(names, snippet string) string {
	if strings.Contains(snippet, "gin.WrapH") {
		names = strings.Replace(names, "*chi.Mux", "*gin.Engine", 1)
	}
	preamble := preamble
	if strings.Contains(snippet, "shop.Exchange(") { // a client, which has nothing of this module
		if !strings.Contains(snippet, "shop :=") { // of the snippet before it
			names += "\nvar shop oauth2.Config\nvar token *oauth2.Token\n"
		}
		preamble = strings.Replace(preamble, "github.com/gatewarden/auth/oauth2\"\n", "golang.org/x/oauth2\"\n"+
			"\t\"crypto/rand\"\n\t\"github.com/coreos/go-oidc/v3/oidc\"\n", 1)
	}
	if strings.Contains(snippet, "Provider: Forge{") { // of the snippet before it
		names += `
type Forge struct{ ClientID string; ClientSecret auth.Secret; BaseURL string }

func (Forge) Define() (external.Definition, error) { return nil, nil }`
	}
	code := "\nfunc snippet() error {\n\tvar err error\n\t_ = err\n" + snippet + "return nil\n}\n"
	if regexp.MustCompile(`(?m)^(type|func) `).MatchString(snippet) {
		code = "\n" + snippet
	}
	return preamble + names + code
}
