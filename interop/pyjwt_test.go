package interop

import "testing"

func TestPyJWTVerifiesAccessTokensOfTheDemo(t *testing.T) {
	program, url := python(t), demo(t)
	type verdict struct {
		Claims map[string]any
		Error  string
	}
	var found struct{ Access, Tampered, Elsewhere verdict }
	outcome(t, &found, program, "django/verify.py", url)
	if found.Access.Claims["sub"] != "alice" {
		t.Errorf("the access token: %+v", found.Access)
	}
	if found.Tampered.Error != "InvalidSignatureError" {
		t.Errorf("changed: %+v", found.Tampered)
	}
	if found.Elsewhere.Error != "InvalidAudienceError" {
		t.Errorf("another service: %+v", found.Elsewhere)
	}
}
