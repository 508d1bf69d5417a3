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

// TestSnippets compiles every Go snippet of the pages, pasted into a program that
// has the reader's own names.
func TestSnippets(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(pages) < 5 {
		t.Fatal(pages, err)
	}
	for _, path := range append(pages, filepath.Join(root, "README.md")) {
		page, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
		for i, snippet := range snippets {
			if strings.HasPrefix(snippet[1], "package main\n") {
				continue // see TestReadmeProgram
			}
			t.Run(fmt.Sprint(page, " ", i+1), func(t *testing.T) {
				compile(t, root, names[page], snippet[1])
			})
		}
	}
}

// compile compiles a snippet, which is either declarations or statements.
func compile(t *testing.T, root, names, snippet string) {
	t.Helper()
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
	// Inside the workspace, so that the modules of this checkout are used.
	folder, err := os.MkdirTemp(filepath.Join(root, "examples"), ".snippet-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.WriteFile(filepath.Join(folder, "snippet.go"), []byte(preamble+names+code), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-gcflags=-e", "./"+filepath.Base(folder))
	build.Dir = filepath.Join(root, "examples")
	out, _ := build.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && !tolerated.MatchString(line) {
			t.Errorf("%s\n%s", line, snippet)
		}
	}
}
