package authtest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
)

// verifierOf checks the tokens of an issuer by its published keys.
func verifierOf(t testing.TB, issuer *authtest.Issuer) *jwt.Verifier {
	t.Helper()
	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: issuer.URL()})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := jwt.NewVerifier(jwt.VerifierConfig{CacheSize: -1, Issuers: []jwt.Issuer{{
		Issuer: issuer.URL(), Audience: []string{"test"}, Keys: keys, User: jwt.SubjectUser}}})
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

func TestWhatAnIssuerMintsIsGoodUnlessATestSaysOtherwise(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	for _, algorithm := range []jwt.Algorithm{jwt.ES256, jwt.ES384, jwt.RS256, jwt.PS256, jwt.EdDSA} {
		issuer.Rotate(algorithm)
		verifier := verifierOf(t, issuer)
		foreign, err := jwt.GenerateKey(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		claims := map[string]any{"iss": issuer.URL(), "sub": "alice", "aud": "test", "iat": time.Now().Unix(),
			"exp": time.Now().Add(time.Hour).Unix()}
		stolenName, err := jwt.Sign(foreign.WithID(issuer.Keys()[0].ID()), "at+jwt", claims)
		if err != nil {
			t.Fatal(err)
		}
		for sentence, row := range map[string]struct {
			token string
			kind  error
		}{
			"a token":                            {issuer.Mint(nil), nil},
			"another user":                       {issuer.Mint(map[string]any{"sub": "bob"}), nil},
			"forged":                             {issuer.Forge(nil), auth.ErrInvalid},
			"of a key that took the name of one": {stolenName, auth.ErrInvalid},
			"expired": {
				issuer.Mint(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), auth.ErrInvalid},
			"without an expiry":   {issuer.Mint(map[string]any{"exp": nil}), auth.ErrInvalid},
			"for another service": {issuer.Mint(map[string]any{"aud": "other"}), auth.ErrInvalid},
			"of another type":     {issuer.MintWith(map[string]any{"typ": "JWT"}, nil), auth.ErrInvalid},
			"without a type":      {issuer.MintWith(map[string]any{"typ": nil}, nil), auth.ErrInvalid},
			"of another algorithm": {issuer.MintWith(map[string]any{"alg": "none"}, nil),
				auth.ErrInvalid},
			"of another issuer": {authtest.NewIssuer(t).Mint(nil), auth.ErrUnrecognized},
		} {
			if _, _, err := verifier.VerifyToken(t.Context(), row.token); auth.KindOf(err) != row.kind {
				t.Errorf("%s, %s: %v", algorithm, sentence, err)
			}
		}
	}
}

func TestAnIssuerRotatesStallsAndFails(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	old := issuer.Mint(nil)
	issuer.Rotate(jwt.EdDSA)
	if len(issuer.Keys()) != 2 {
		t.Fatal(issuer.Keys())
	}
	if _, _, err := verifierOf(t, issuer).VerifyToken(t.Context(), old); err != nil {
		t.Errorf("an old key that is published: %v", err)
	}
	issuer.Retire()
	if _, _, err := verifierOf(t, issuer).VerifyToken(t.Context(), old); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("an old key that is not: %v", err)
	}
	for sentence, set := range map[string]func(bool){"down": issuer.SetDown, "broken": issuer.SetBroken} {
		set(true)
		if _, _, err := verifierOf(t, issuer).VerifyToken(t.Context(), issuer.Mint(nil)); err == nil ||
			auth.KindOf(err) != nil {
			t.Errorf("%s: %v", sentence, err)
		}
		set(false)
	}
	issuer.SetAnswer("text/html", "", "<html>")
	if _, _, err := verifierOf(t, issuer).VerifyToken(t.Context(), issuer.Mint(nil)); err == nil ||
		auth.KindOf(err) != nil {
		t.Errorf("a page: %v", err)
	}
	issuer.SetAnswer("", "", "")

	before, release := issuer.Fetches(), issuer.Hold()
	result := make(chan error)
	verifier := verifierOf(t, issuer)
	go func() {
		_, _, err := verifier.VerifyToken(context.Background(), issuer.Mint(nil))
		result <- err
	}()
	for issuer.Fetches() == before { // until it is asked
		select {
		case err := <-result:
			t.Fatalf("answered while it was held: %v", err)
		default:
		}
	}
	release()
	release() // twice is once
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestTheReleaseOfAHoldLeavesALaterOneAlone(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	first, second := issuer.Hold(), issuer.Hold()
	first()
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	ask := func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, "GET", issuer.JWKSURL(), nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	go func() { answered <- ask(ctx) }()
	for issuer.Fetches() == 0 && len(answered) == 0 {
		runtime.Gosched()
	}
	cancel()
	if err := <-answered; err == nil {
		t.Error("answered while it was held")
	}
	second()
	if err := ask(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestATestThatEndsWithoutAReleaseEnds(t *testing.T) {
	var done chan error
	t.Run("without a release", func(t *testing.T) {
		issuer := authtest.NewIssuer(t)
		issuer.Hold()
		keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{URL: issuer.JWKSURL(), Timeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		done = make(chan error, 1)
		go func() { done <- keys.Check(context.Background()) }()
		for issuer.Fetches() == 0 {
			runtime.Gosched()
		}
	})
	if err := <-done; err == nil {
		t.Error("keys of an issuer that ended")
	}
}

func ExampleIssuer() {
	t := &testing.T{} // the test's own
	issuer := authtest.NewIssuer(t)
	keys, _ := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: issuer.URL()})
	verifier, _ := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{
		Issuer: issuer.URL(), Audience: []string{"https://api.example"}, Keys: keys, User: jwt.SubjectUser}}})
	guard, _ := auth.New(auth.Config{Backends: []auth.Authenticator{verifier}})
	app := guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[jwt.Subject](r.Context())
		fmt.Println(user.ID)
	}))
	ask := func(token string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	claims := map[string]any{"aud": "https://api.example", "sub": "alice"}
	ask(issuer.Mint(claims))
	ask(issuer.Forge(claims))
	// Output:
	// alice
	// 200
	// 401
}
