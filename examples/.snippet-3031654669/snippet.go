package snippets

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
)
func snippet() error {
	var err error
	_ = err
api, err := oauth2.New(oauth2.Config{
	Resource: "https://api.example/",
	Sources:  []oauth2.Source{srv},
	LoadUser: users.Load,
})
guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{api, sessions}}) // the one of srv.Handlers, too
mux.Handle("GET /reports", guard.Require(auth.Scopes("reports:read"))(reports))
api.Register(mux) // protected resource metadata, RFC 9728
return nil
}
