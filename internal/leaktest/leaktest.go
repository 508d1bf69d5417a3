// Package leaktest is for tests of types that have secrets. It looks for the secrets in what
// packages fmt and log/slog print of a value. Both read the unexported fields of a struct without
// calling methods, so a type that hides its secrets by methods alone shows them there.
package leaktest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// CheckExported fails the test if a secret is in the output of fmt or log/slog for value, for a
// pointer to it, or for a struct, slice or map with value where others can reach it.
func CheckExported[T any](t testing.TB, secrets []string, value T) {
	t.Helper()
	check(t, secrets, value, &value, []T{value}, []*T{&value}, struct{ X T }{value}, struct{ X *T }{&value},
		map[string]any{"x": value, "y": &value})
}

// CheckAllFields is CheckExported, and also checks a struct with value in an unexported field. A
// verb that does not fit, such as %s, makes package fmt follow a pointer in such a field, and a
// pointer in there again.
func CheckAllFields[T any](t testing.TB, secrets []string, value T) {
	t.Helper()
	CheckExported(t, secrets, value)
	check(t, secrets, struct{ x T }{value}, struct{ x *T }{&value}, struct{ x any }{value}, struct{ x any }{&value},
		&struct{ x any }{&value}, struct{ x []T }{[]T{value}}, struct{ x []any }{[]any{&value}})
}

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "% x", "%t"}

func check(t testing.TB, secrets []string, values ...any) {
	t.Helper()
	for _, value := range values {
		for how, shown := range outputsOf(value) {
			for _, secret := range secrets {
				if form := formIn(shown, secret); form != "" {
					t.Errorf("%s of a %T: want nothing of the secret %q, got %q in %s",
						how, value, secret, form, shown)
				}
			}
		}
	}
}

// outputsOf returns what packages fmt and log/slog print of a value, by how they do it.
func outputsOf(value any) map[string]string {
	printed := make(map[string]string)
	for _, verb := range verbs {
		printed[verb] = fmt.Sprintf(verb, value)
	}
	var text, json bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", "value", value)
	slog.New(slog.NewJSONHandler(&json, nil)).Info("x", "value", value)
	printed["slog as text"], printed["slog as JSON"] = text.String(), json.String()
	return printed
}

// formIn returns the form of a secret that is in a text, in whatever case, or "".
func formIn(text, secret string) string {
	text = strings.ToLower(text)
	for _, form := range formsOf(secret) {
		if strings.Contains(text, strings.ToLower(form)) {
			return form
		}
	}
	return ""
}

// formsOf returns how a secret could be printed.
func formsOf(secret string) []string {
	bytes := []byte(secret)
	return []string{
		secret, hex.EncodeToString(bytes), fmt.Sprintf("% x", bytes),
		base64.RawStdEncoding.EncodeToString(bytes), base64.RawURLEncoding.EncodeToString(bytes),
		strings.Trim(fmt.Sprint(bytes), "[]"),                                             // decimal
		strings.Trim(fmt.Sprintf("%#v", bytes), "[]byte{}"),                               // 0x61, 0x62
		strings.Join(strings.Fields(strings.Trim(fmt.Sprint([]rune(secret)), "[]")), ","), // JSON of numbers
	}
}
