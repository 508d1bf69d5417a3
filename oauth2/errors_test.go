package oauth2_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
)

// lines are what a logger wrote.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

// reason returns the reason in the last line, and forgets all lines.
func (l *lines) reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	all := strings.Split(strings.TrimSpace(l.text.String()), "\n")
	var line struct{ Error string }
	_ = json.Unmarshal([]byte(all[len(all)-1]), &line)
	return line.Error
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// loggedAPI is an API with a guard that writes to log.
func loggedAPI(t *testing.T, log *lines, config oauth2.Config) api {
	t.Helper()
	config.Resource = resource
	if config.User == nil {
		config.LoadUser = load
	}
	a, err := oauth2.New(config)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{a}, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(guard.Require()(http.NotFoundHandler()))
	t.Cleanup(s.Close)
	return api{t, s.URL}
}

// marker is in every value of a token that must not be logged: it is not proved.
const marker = "f0rged"

const toldOfAll = `{"code":"invalid_token","detail":"Invalid token.",` +
	`"status":401,"title":"Unauthorized","type":"about:blank"}` + "\n"

// refused presents a token, and looks for the cause in the log and at what the client is
// told.
func (a api) refused(log *lines, token, cause string) {
	a.Helper()
	for range 2 { // what is remembered has its cause, too
		got := a.ask("GET", "/", "", "Authorization", "Bearer "+token)
		if got.status != 401 || got.challenge != invalid || got.body != toldOfAll {
			a.Errorf("the client is told %d %s %s", got.status, got.challenge, got.body)
		}
		if said := log.reason(); !strings.Contains(said, cause) || strings.Contains(said, marker) {
			a.Errorf("the log says\n%s\nwant in it\n%s\nand nothing of what is not proved", said, cause)
		}
	}
}

func TestUnitARefusedTokenOfASourceSaysWhyToTheLog(t *testing.T) {
	known := tokens()
	known["past"] = good(func(t *oauth2.Token) { t.Expiry = time.Now().Add(-90 * time.Second) })
	known["said"] = bad(&auth.Error{Kind: auth.ErrInvalid, Cause: fmt.Errorf("the grant was revoked")})
	known["stamped"] = good(func(t *oauth2.Token) { t.GrantID, t.Stamp = "g", "another" })
	log := &lines{}
	a := loggedAPI(t, log, oauth2.Config{Sources: []oauth2.Source{known}, Audience: []string{"our-api"}})
	for token, cause := range map[string]string{
		"other": `aud is "https://other.example/", want one of ["https://api.example/mcp", "our-api"]; ` +
			`see Config.Resource and Config.Audience`,
		"slash":    `aud is "https://api.example/mcp/", want one of`,
		"nobody":   `aud is [], want one of`,
		"past":     "exp is past by 1m30s",
		"bound":    `cnf "jkt" binds the token to a key or a certificate`,
		"dpop":     `token_type is "DPoP", want "Bearer"`,
		"forged":   `sub "client:web" starts as the identifier of a client`,
		"nameless": "the token has no subject and no client_id",
		"gone": `sub "gone" is refused as a user; see Config.LoadUser: ` +
			`auth: invalid credential: User inactive or deleted.`,
		"said":    "the grant was revoked",
		"stamped": "the user's stamp is another one than when the token was issued",
		"revoked": "invalid credential",
		"unknown": "unrecognized credential",
	} {
		t.Run(token, func(t *testing.T) { api{t, a.url}.refused(log, token, cause) })
	}
	t.Run("a user that User refuses", func(t *testing.T) {
		a := loggedAPI(t, log, oauth2.Config{Sources: []oauth2.Source{known}, User: func(context.Context,
			*oauth2.Token) (auth.User, error) {
			return nil, auth.ErrUserInactive
		}})
		a.refused(log, "good", `sub "alice" is refused as a user; see Config.User`)
	})
}

func TestUnitARefusedJWTNamesTheSettingsOfJWTConfig(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	source, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: issuer.URL(), Audience: []string{resource}})
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	a := loggedAPI(t, log, oauth2.Config{Sources: []oauth2.Source{source}})
	mint := func(header, changes map[string]any) string {
		claims := map[string]any{"sub": "alice", "aud": resource, "client_id": "web", "scope": "read", "jti": "1",
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
		maps.Copy(claims, changes)
		h := map[string]any{"typ": "at+jwt"}
		maps.Copy(h, header)
		return issuer.MintWith(h, claims)
	}
	type m = map[string]any
	for sentence, row := range map[string]struct{ token, cause string }{
		"another audience": {mint(nil, m{"aud": "other"}), `aud is "other", want "` + resource +
			`"; see JWTConfig.Audience`},
		"no audience": {mint(nil, m{"aud": nil}), `aud is missing, want "` + resource + `"`},
		"a slash": {mint(nil, m{"iss": issuer.URL() + "/"}),
			`iss differs from ours only by a slash at its end, want "` + issuer.URL() + `"; see JWTConfig.Issuer`},
		"another issuer": {mint(nil, m{"iss": marker}), `iss of the token is another one, want "` + issuer.URL() +
			`"; see JWTConfig.Issuer`},
		"typ JWT":          {mint(m{"typ": "JWT"}, nil), `typ is "JWT", want "at+jwt"; see JWTConfig.Checks.Types`},
		"no client":        {mint(nil, m{"client_id": nil}), "client_id is missing; see JWTConfig.Checks.AllowMissing"},
		"expired":          {mint(nil, m{"exp": time.Now().Add(-time.Hour).Unix()}), "exp is past by 1h0m"},
		"not yet":          {mint(nil, m{"nbf": time.Now().Add(time.Hour).Unix()}), "; see JWTConfig.Checks.Leeway"},
		"bound to nothing": {mint(nil, m{"cnf": "x"}), "the payload is refused: oauth2: cnf is no object"},
		"no subject":       {mint(nil, m{"sub": nil}), "sub is missing or not an identifier"},
		"alg none":         {mint(m{"alg": "none"}, nil), "alg of the header is not accepted, want one of"},
		"another signature": {issuer.Forge(m{"aud": resource, "client_id": "web", "sub": marker}),
			"signature of the token does not hold"},
		"an unknown key": {mint(m{"kid": marker}, nil),
			"no key has the kid of the header; 1 key is known, fetched from " + issuer.URL()},
		"an opaque token":    {marker, "the token is not three parts in base64url"},
		"an encrypted token": {marker + ".a.b.c.d", "the token is not three parts in base64url"},
	} {
		t.Run(sentence, func(t *testing.T) { api{t, a.url}.refused(log, row.token, row.cause) })
	}
	t.Run("each source says why it does not know a token", func(t *testing.T) {
		l := newLogin(t)
		asked := l.source(func(c *oauth2.IntrospectionConfig) {
			c.Issuer, c.Endpoint, c.Owns = issuer.URL(), l.URL, func(string) bool { return false }
		})
		a := loggedAPI(t, log, oauth2.Config{Sources: []oauth2.Source{source, asked}})
		a.refused(log, marker, "cannot be read; IntrospectionConfig.Owns says that the token is of another server")
	})
}

func TestUnitARefusalOfRequireBearerTokenNamesItsArguments(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	log := &lines{}
	before := slog.Default()
	slog.SetDefault(log.logger())
	defer slog.SetDefault(before)
	protect, err := oauth2.RequireBearerToken(issuer.URL(), resource)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(protect(http.NotFoundHandler()))
	defer s.Close()
	t.Run("the resource", func(t *testing.T) {
		token := issuer.MintWith(map[string]any{"typ": "at+jwt"}, map[string]any{"aud": "other", "client_id": "web"})
		api{t, s.URL}.refused(log, token, `aud is "other", want "`+resource+`"; see RequireBearerToken.resource`)
	})
	t.Run("the profile", func(t *testing.T) {
		token := issuer.MintWith(map[string]any{"typ": "JWT"}, map[string]any{"aud": resource, "client_id": "web"})
		api{t, s.URL}.refused(log, token, `typ is "JWT", want "at+jwt"; see RequireBearerTokenOf.profile`)
		token = issuer.Mint(map[string]any{"aud": resource})
		api{t, s.URL}.refused(log, token, `client_id is missing; see RequireBearerTokenOf.profile`)
	})
	t.Run("an issuer by http", func(t *testing.T) {
		_, err := oauth2.RequireBearerToken("http://login.example", resource)
		if err == nil || err.Error() != "oauth2: the issuer is not https" {
			t.Error(err)
		}
	})
	t.Run("an issuer of JWTConfig by http", func(t *testing.T) {
		_, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: "http://login.example", Audience: []string{resource}})
		if err == nil || err.Error() != "oauth2: JWTConfig.Issuer is not https" {
			t.Error(err)
		}
	})
}

func TestUnitARefusalByIntrospectionSaysWhyToTheLog(t *testing.T) {
	l := newLogin(t)
	for sentence, row := range map[string]struct{ answer, cause string }{
		"not active": {`{"active":false,"sub":"alice"}`,
			"introspection says that the token is not active: unknown, expired or revoked"},
		"expired": {l.active("exp", time.Now().Add(-time.Hour).Unix()),
			"exp of an active token is past, so a clock may be wrong, by 1h0m"},
		"not yet": {l.active("nbf", time.Now().Add(time.Hour).Unix()),
			"nbf of an active token is ahead of our clock by "},
		"audience": {l.active("aud", "other"), `aud is "other", want "` + resource + `"; see Config.Resource`},
		"bound":    {l.active("cnf", map[string]any{"x5t#S256": "x"}), `cnf "x5t#S256" binds the token`},
		"refresh":  {l.active("token_type", "refresh_token"), `token_type "refresh_token" is not of an access token`},
	} {
		t.Run(sentence, func(t *testing.T) {
			log := &lines{}
			l.says(200, "application/json", row.answer)
			loggedAPI(t, log, oauth2.Config{Sources: []oauth2.Source{l.source(nil)}}).refused(
				log, "at_"+marker, row.cause)
		})
	}
}

func TestUnitAMalformedTokenSaysWhyToTheLog(t *testing.T) {
	log := &lines{}
	a := loggedAPI(t, log, oauth2.Config{Sources: []oauth2.Source{tokens()}, AllowFormToken: true})
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	for sentence, row := range map[string]struct {
		path, body string
		headers    []string
		cause      string
	}{
		"in the header and the query": {"/?access_token=x", "", []string{"Authorization", "Bearer good"},
			"the request has a token in two places"},
		"in the header and a form": {"/", "access_token=good",
			append([]string{"Authorization", "Bearer good"}, form...),
			"the request has a token in two places"},
		"twice in a form": {"/", "access_token=good&access_token=good", form, "twice in its form"},
		"junk in a form":  {"/", "access_token=a%0Ab", form, "has a character outside b64token"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := api{t, a.url}.ask("POST", row.path, row.body, row.headers...)
			if said := log.reason(); got.status != 400 || !strings.Contains(said, row.cause) ||
				strings.Contains(got.body,
					row.cause) {
				t.Errorf("got %d %s: %s, want 400, with the cause %q in the log only",
					got.status, got.body, said, row.cause)
			}
		})
	}
}

func TestUnitSettingsThatAreTypedNils(t *testing.T) {
	var none *oauth2.Introspection
	var keys *jwt.KeySet
	var store *jwt.MemoryStore
	for says, make := range map[string]func() error{
		"Config.Sources[1] is missing": func() error {
			_, err := oauth2.New(
				oauth2.Config{Resource: resource, LoadUser: load, Sources: []oauth2.Source{tokens(), none}})
			return err
		},
		"JWTConfig.Keys is missing": func() error {
			_, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: "https://login.example", Audience: []string{resource},
				Keys: keys})
			return err
		},
		"JWTConfig.Revocations is missing": func() error {
			_, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: "https://login.example", Audience: []string{resource},
				Revocations: store})
			return err
		},
	} {
		t.Run(says, func(t *testing.T) {
			if err := make(); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("got %v, want %s", err, says)
			}
		})
	}
}

func TestUnitALoaderOfAnotherUserIsABug(t *testing.T) {
	a, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{tokens()},
		LoadUser: func(context.Context, string) (auth.User, error) { return person("mallory"), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("no request is anybody's", func(t *testing.T) {
		if user, _, err := a.VerifyToken(t.Context(), "good"); auth.KindOf(err) != auth.ErrInternal || user != nil {
			t.Errorf("got the user %v, error %v, want no user and an ErrInternal", user, err)
		}
	})
}
