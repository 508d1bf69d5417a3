package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

var key = []byte("0123456789abcdef0123456789abcdef")

// sign returns the signature of a text.
func sign(text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// with returns requests for /hook with an Authorization.
func with(authorization string) authtest.Request {
	return func() *http.Request {
		r := httptest.NewRequest("GET", "/hook", nil)
		r.Header.Set("Authorization", authorization)
		return r
	}
}

func TestUnitSignedKeepsTheContractOfABackend(t *testing.T) {
	authtest.Backend(t, signed{key}, authtest.Cases{
		Good: []authtest.Good{
			{Request: with("Signed ci:" + sign("ci GET /hook")), User: "ci"},
			{Request: with("sIGNED ci:" + sign("ci GET /hook")), User: "ci"}, // a scheme is in any case
		},
		Absent: []authtest.Request{with(""), with("Bearer abc")},
		Invalid: []authtest.Request{
			with("Signed ci:" + sign("ci GET /other")),  // another path
			with("Signed ci:" + sign("ci POST /hook")),  // another method
			with("Signed root:" + sign("ci GET /hook")), // another sender
		},
		Malformed: []authtest.Request{with("Signed"), with("Signed ci:xyz"), with("Signed :" + sign(" GET /hook"))},
	})
}

func TestUnitServiceGreetsTheSender(t *testing.T) {
	handler, err := service(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		sentence, authorization string
		status                  int
		code                    string
	}{
		{"nothing is 401", "", 401, auth.CodeNotAuthenticated},
		{"another scheme is 401", "Bearer abc", 401, auth.CodeNotAuthenticated},
		{"another path's signature is 401", "Signed ci:" + sign("ci GET /other"), 401, auth.CodeAuthenticationFailed},
		{"another name's signature is 401", "Signed root:" + sign("ci GET /hook"), 401, auth.CodeAuthenticationFailed},
		{"a signature that is not hex is 400", "Signed ci:xyz", 400, auth.CodeInvalidRequest},
		{"no name is 400", "Signed :" + sign(" GET /hook"), 400, auth.CodeInvalidRequest},
		{"only the scheme is 400", "Signed", 400, auth.CodeInvalidRequest},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, with(row.authorization)())
			authtest.AssertProblem(t, w.Result(), row.status, row.code)
			if row.status == 401 {
				authtest.AssertChallenge(t, w.Result().Header, "Signed", nil)
			}
		})
	}
	for _, scheme := range []string{"Signed", "sIGNED"} {
		t.Run(fmt.Sprintf("a right signature is greeted, by the scheme %s", scheme), func(t *testing.T) {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, with(scheme+" ci:"+sign("ci GET /hook"))())
			if w.Code != 200 || w.Body.String() != "hello, ci\n" {
				t.Errorf("want 200 and a greeting, got %d %q", w.Code, w.Body)
			}
		})
	}
}
