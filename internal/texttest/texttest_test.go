package texttest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/texttest"
)

type record struct {
	Name   string
	Params map[string]string
	Scopes []string
	Hash   []byte
	At     time.Time
	hidden string
}

func TestUnitCheckStorable(t *testing.T) {
	texttest.Run(t, texttest.Unstorable, "is refused wherever it is", func(t *testing.T, text string) {
		for where, value := range map[string]any{
			"a text":                 text,
			"a field":                record{Name: text},
			"a field by pointer":     &record{Name: text},
			"a list":                 record{Scopes: []string{"a", text}},
			"a key of a map":         record{Params: map[string]string{text: "a"}},
			"a value of a map":       record{Params: map[string]string{"a": text}},
			"a record in a list":     []record{{Name: "a"}, {Name: text}},
			"an interface in a list": []any{1, text},
		} {
			if err := texttest.CheckStorable("good", value); err == nil {
				t.Errorf("%s: got no error, want one of the database", where)
			}
		}
	})
	texttest.Run(t, texttest.Storable, "is not refused", func(t *testing.T, text string) {
		value := &record{Name: text, Scopes: []string{text}, Params: map[string]string{text: text}, At: time.Now()}
		if err := texttest.CheckStorable(text, value); err != nil {
			t.Errorf("got %v, want no error", err)
		}
	})
	t.Run("bytes and unexported fields are not checked", func(t *testing.T) {
		if err := texttest.CheckStorable(record{Hash: []byte("\x00\xff"), hidden: "\x00"}); err != nil {
			t.Errorf("got %v, want no error", err)
		}
	})
	t.Run("a long text is refused from 2,601 bytes on", func(t *testing.T) {
		if err := texttest.CheckStorable(strings.Repeat("a", 2_600)); err != nil {
			t.Errorf("2,600 bytes: got %v, want no error", err)
		}
		if err := texttest.CheckStorable(strings.Repeat("a", 2_601)); err == nil {
			t.Error("2,601 bytes: got no error, want one of the database")
		}
	})
}

func TestUnitStorable(t *testing.T) {
	t.Run("all texts differ", func(t *testing.T) {
		names := make(map[string]string)
		for name, text := range texttest.Storable {
			if other, ok := names[text]; ok {
				t.Errorf("%s and %s are one text", name, other)
			}
			names[text] = name
		}
	})
}
