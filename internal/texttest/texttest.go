// Package texttest is for tests of what stores do with unusual texts. It has texts that not every
// database stores, and finds in the arguments of a store what the strictest database would refuse.
package texttest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Unstorable are texts that some engine refuses. The key says what is special about a text.
var Unstorable = map[string]string{
	"a NUL":                    "al\x00ice",
	"a NUL alone":              "\x00",
	"a byte that is not UTF-8": "al\xffice",
	"half a character":         "alice\xc3",
	"10,000 characters":        strings.Repeat("é", 10_000),
}

// Storable are texts that every engine stores as they are. For every engine, all of them differ.
var Storable = map[string]string{
	"an emoji":                "\U0001f512",
	"an accent in one":        "Zo\u00eb",
	"an accent in two":        "Zoe\u0308",
	"no accent":               "Zoe",
	"another case":            "zoe",
	"a space at the end":      "Zoe ",
	"quotes":                  `Zo'e"` + "`",
	"signs of a pattern":      "Z%_e",
	"a backslash":             `Zo\e`,
	"a newline":               "Zo\ne",
	"a replacement character": "Zo\ufffde",
	"a sign of the kelvin":    "\u212a",
	"a k":                     "k",
	"a sharp s":               "stra\u00dfe",
	"two s":                   "strasse",
}

// maxKey is the longest text that a store may be asked for, in bytes. It is less than the 2704 bytes
// of PostgreSQL, because a row of an index has other columns too.
const maxKey = 2_600

// CheckStorable returns an error if PostgreSQL or MySQL would refuse a text in one of values. It
// looks into structs, slices, and maps of texts.
func CheckStorable(values ...any) error {
	for _, value := range values {
		if err := checkValue(reflect.ValueOf(value)); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		return checkText(v.String())
	case reflect.Pointer, reflect.Interface:
		return checkValue(v.Elem())
	case reflect.Slice, reflect.Array:
		return checkElements(v)
	case reflect.Map:
		return checkEntries(v)
	case reflect.Struct:
		return checkFields(v)
	}
	return nil
}

// checkElements checks no bytes: a database stores them as they are.
func checkElements(v reflect.Value) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return nil
	}
	for i := range v.Len() {
		if err := checkValue(v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// checkEntries is for a map[string]string.
func checkEntries(v reflect.Value) error {
	for _, key := range v.MapKeys() {
		if err := CheckStorable(key.String(), v.MapIndex(key).String()); err != nil {
			return err
		}
	}
	return nil
}

// checkFields checks exported fields only.
func checkFields(v reflect.Value) error {
	if v.Type() == reflect.TypeFor[time.Time]() {
		return nil
	}
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		if err := checkValue(v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

// checkText returns the error of PostgreSQL for a text that it does not store.
func checkText(text string) error {
	switch {
	case strings.Contains(text, "\x00"), !utf8.ValidString(text):
		return fmt.Errorf("ERROR: invalid byte sequence for encoding \"UTF8\" (SQLSTATE 22021): %.40q", text)
	case len(text) > maxKey:
		return fmt.Errorf("ERROR: index row size exceeds btree version 4 maximum 2704 (SQLSTATE 54000): %.40q", text)
	}
	return nil
}

// Run runs a subtest for each text of a map. The name of the subtest is the key, and then sentence.
func Run(t *testing.T, texts map[string]string, sentence string, f func(t *testing.T, text string)) {
	t.Helper()
	for name, text := range texts {
		t.Run(name+" "+sentence, func(t *testing.T) { f(t, text) })
	}
}
