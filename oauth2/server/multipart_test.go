package server_test

import (
	"bytes"
	"mime/multipart"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
)

// parted writes a form of several parts; pairs are names and values.
func parted(t testing.TB, pairs ...string) (body, kind string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := w.WriteField(pairs[i], pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

// send posts a form of several parts.
func (s *service) send(path string, headers []string, pairs ...string) answer {
	s.Helper()
	body, kind := parted(s, pairs...)
	return s.stranger().doType("POST", path, body, kind, headers...)
}

func TestUnitClientsSendFormsOfSeveralParts(t *testing.T) {
	s, log := logged(t, nil)
	secret := s.secrets["job"]
	byBasic := []string{"Authorization", basic("job", secret)}
	inBody := []string{"client_id", "job", "client_secret", secret}
	t.Run("a client gets, introspects and revokes a token, with its secret in the header, in a part, or both",
		func(t *testing.T) {
			for _, row := range []struct{ headers, pairs []string }{{byBasic, nil}, {nil, inBody}, {byBasic, inBody}} {
				got := s.send("/o/token/", row.headers,
					append([]string{"grant_type", "client_credentials", "scope", "read"}, row.pairs...)...)
				token := got.text("access_token")
				if got.StatusCode != 200 || got.text("scope") != "read" || !s.good(token) {
					t.Fatalf("%d %s", got.StatusCode, got.body)
				}
				about := append([]string{"token", token, "token_type_hint", "access_token"}, row.pairs...)
				if got := s.send("/o/introspect/", row.headers, about...); got.json("active") != true {
					t.Errorf("introspection: %d %s", got.StatusCode, got.body)
				}
				if got := s.send("/o/revoke_token/", row.headers, about...); got.StatusCode != 200 || s.good(token) {
					t.Errorf("revocation: %d %s", got.StatusCode, got.body)
				}
			}
		})
	t.Run("a code and a verifier come in parts", func(t *testing.T) {
		got := s.send("/o/token/", []string{"Authorization", basic("web", s.secrets["web"])}, "grant_type",
			"authorization_code",
			"code", s.as("alice").code(), "redirect_uri", "https://web.example/callback?a=b", "code_verifier", verifier)
		if got.StatusCode != 200 || got.text("refresh_token") == "" {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
	})
	for _, path := range endpoints {
		for sentence, pairs := range map[string][]string{
			"a field twice": {"token", "a", "grant_type", "client_credentials", "grant_type", "client_credentials",
				"token", "b"},
			"a NUL":           {"grant_type", "client_credentials", "token", "a\x00"},
			"no text":         {"grant_type", "client_credentials", "token", "\xff"},
			"a wrong Basic":   {"client_secret", "x", "token", "a", "grant_type", "client_credentials"},
			"only other ones": {"a", "b"},
		} {
			t.Run(path+" refuses "+sentence, func(t *testing.T) {
				refused(t, sentence, s.send(path, byBasic, pairs...), 400, "invalid_request")
			})
		}
		t.Run(path+" refuses a form that is too long, or broken", func(t *testing.T) {
			long := s.send(path, byBasic, "grant_type", "client_credentials", "token", strings.Repeat("x", 64<<10))
			refused(t, "too long", long, 413, "invalid_request")
			log.take()
			body, kind := parted(t, "grant_type", "client_credentials", "token", "a")
			for _, text := range []string{body[:len(body)-6], "", "grant_type=client_credentials&token=a"} {
				got := s.stranger().doType("POST", path, text+"\r\n", kind, byBasic...)
				refused(t, "broken", got, 400, "invalid_request")
			}
			if told := log.take(); !strings.Contains(told, "RFC 7578") {
				t.Errorf("the log: %s", told)
			}
		})
	}
	t.Run("a file is not read as a field", func(t *testing.T) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		part, err := w.CreatePart(
			textproto.MIMEHeader{"Content-Disposition": {`form-data; name="grant_type"; filename="x"`}})
		s.must(err)
		_, _ = part.Write([]byte("client_credentials"))
		s.must(w.Close())
		got := s.stranger().doType("POST", "/o/token/", b.String(), w.FormDataContentType(), byBasic...)
		refused(t, "a file", got, 400, "invalid_request")
	})
	t.Run("the pages for people take no such form", func(t *testing.T) {
		body, kind := parted(t, "interaction", "x", "allow", "1")
		for _, path := range []string{"/o/authorize/", "/o/logout/", "/o/applications/register/"} {
			if got := s.as("alice").doType("POST", path, body, kind); got.StatusCode != 400 {
				t.Errorf("%s: %d", path, got.StatusCode)
			}
		}
	})
}

func TestUnitPartsThatTwoReadersReadApart(t *testing.T) {
	g := newGuessed(t, nil)
	part := func(headers, value string) string {
		return "--b\r\nContent-Disposition: form-data; " + headers + "\r\n\r\n" + value + "\r\n"
	}
	client := part(`name="client_id"`, "job") + part(`name="client_secret"`, g.secret)
	grant := part(`name="grant_type"`, "client_credentials")
	for _, row := range []struct {
		name, body string
		want       int
	}{
		{"one text of each name", client + grant, 200},
		{"a file of a name that is not asked for", client + grant + part(`name="x"; filename="y"`, "z"), 200},
		{"a text and a file of one name", client + grant + part(`name="grant_type"; filename=""`, "refresh_token"),
			400},
		{"two encodings of a part",
			client + part("name=\"grant_type\"\r\nContent-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: base64",
				"client_credentials"), 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/o/token/", strings.NewReader(row.body+"--b--"))
			r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
			w := httptest.NewRecorder()
			g.handlers.ServeHTTP(w, r)
			if w.Code != row.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, row.want)
			}
		})
	}
}
