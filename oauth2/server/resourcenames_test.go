package server_test

import (
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitNamesOfResources(t *testing.T) {
	s, log := logged(t, func(c *server.Config) {
		c.Resources = append(c.Resources, server.Resource{ID: "urn:example:API"},
			server.Resource{ID: "HTTPS://Upper.example/Path"},
			server.Resource{ID: "https://twice.example/x"}, server.Resource{ID: "https://twice.example/x/"})
	})
	machine := func(resource string) answer {
		return s.post("/o/token/", "job", "grant_type", "client_credentials", "scope", "read", "resource", resource)
	}
	for asked, registered := range map[string]string{
		"HTTPS://OTHER.example/": "https://other.example/", "https://Other.Example/": "https://other.example/",
		"https://JWT.example/api":    "https://jwt.example/api",
		"https://upper.example/Path": "HTTPS://Upper.example/Path",
		"HTTPS://Upper.example/Path": "HTTPS://Upper.example/Path",
		"https://twice.example/x":    "https://twice.example/x", "https://TWICE.example/x/": "https://twice.example/x/",
		"urn:example:API": "urn:example:API",
	} {
		t.Run(asked+" is "+registered, func(t *testing.T) {
			a := machine(asked)
			token := a.text("access_token")
			found, err := s.server.Inspect(t.Context(), token)
			if a.StatusCode != 200 || err != nil || strings.Join(found.Audience, " ") != registered {
				t.Errorf("%d %s, %v %v", a.StatusCode, a.body, found, err)
			}
			if a := s.as("alice").authorize("scope", "read", "resource", asked); a.StatusCode != 200 {
				t.Errorf("the page: %d %s", a.StatusCode, a.Header.Get("Location"))
			}
		})
	}
	for _, asked := range []string{"https://jwt.example/API", "https://jwt.example/ap%69", "https://other.example:443/",
		"https://other.example./", "http://other.example/",
		"https://u@other.example/", "https://other.example/?", "https://evil.example/", "URN:example:API",
		"urn:example:api", "https://other.example//", "//other.example/"} {
		t.Run(asked+" is none of them", func(t *testing.T) {
			refused(t, asked, machine(asked), 400, "invalid_target")
		})
	}
	for asked, near := range map[string]string{"https://other.example": "https://other.example/",
		"https://jwt.example/api/": "https://jwt.example/api",
		"HTTPS://OTHER.EXAMPLE":    "https://other.example/"} {
		t.Run(asked+" is refused, and the error and the log say that a slash is wrong", func(t *testing.T) {
			code := s.as("alice").code("scope", "read", "resource", near)
			refresh := s.redeem(code).text("refresh_token")
			again := s.as("alice").code("scope", "read", "resource", near)
			for _, a := range []answer{machine(asked), s.refresh(refresh, "resource", asked),
				s.redeem(again, "resource", asked)} {
				refused(t, asked, a, 400, "invalid_target")
				if !strings.Contains(a.text("error_description"), "slash at its end") {
					t.Errorf("%s", a.body)
				}
			}
			log.take()
			a := s.as("alice").authorize("scope", "read", "resource", asked)
			if told := log.take(); a.location("error") != "invalid_target" ||
				!strings.Contains(told, `differs by the slash at its end`) || !strings.Contains(told, near) {
				t.Errorf("%s, the log: %s", a.Header.Get("Location"), told)
			}
			if a := s.refresh(refresh, "resource", strings.ToUpper(near[:8])+near[8:]); a.StatusCode != 200 {
				t.Errorf("in upper case: %d %s", a.StatusCode, a.body)
			}
		})
	}
}

func FuzzUnitOnlyTheCaseOfSchemeAndHostIsFree(f *testing.F) {
	for _, id := range []string{"HTTPS://A.example/X", "https://a.example/x", "https://a.example/X?y",
		"https://A.EXAMPLE", "urn:x", "https://[::1%25A]/X"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		plain := server.InPlainCase(id)
		if !strings.EqualFold(plain, id) || server.InPlainCase(plain) != plain {
			t.Errorf("%q becomes %q", id, plain)
		}
		if _, path, ok := strings.Cut(id, "://"); ok {
			if i := strings.IndexByte(path, '/'); i >= 0 && !strings.HasSuffix(plain, path[i:]) {
				t.Errorf("%q becomes %q, and the path has changed", id, plain)
			}
		}
	})
}
