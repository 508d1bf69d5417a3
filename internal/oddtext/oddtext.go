// Package oddtext is for tests: it has texts that not every database keeps, and says of the arguments of a store what
// the strictest one would say.
package oddtext

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Refused are texts that some engine refuses, by what they are.
var Refused = map[string]string{
	"a NUL":                    "al\x00ice",
	"a NUL alone":              "\x00",
	"a byte that is not UTF-8": "al\xffice",
	"half a character":         "alice\xc3",
	"10,000 characters":        strings.Repeat("é", 10_000),
}

// Kept are texts that every engine keeps as they are, each another one for every engine.
var Kept = map[string]string{
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

// maxKey is the longest text that a store may be asked for, in bytes. The tests of this module need no longer one.
const maxKey = 2_600

// Fault returns an error if PostgreSQL or MySQL would refuse a text in one of values, which may be structs that hold
// it.
func Fault(values ...any) error {
	for _, value := range values {
		if err := fault(reflect.ValueOf(value)); err != nil {
			return err
		}
	}
	return nil
}

func fault(v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		return faultOf(v.String())
	case reflect.Pointer, reflect.Interface:
		return fault(v.Elem())
	case reflect.Slice, reflect.Array:
		return faultOfElements(v)
	case reflect.Map:
		return faultOfEntries(v)
	case reflect.Struct:
		return faultOfFields(v)
	}
	return nil
}

// faultOfElements takes bytes for good: a database keeps them as they are.
func faultOfElements(v reflect.Value) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return nil
	}
	for i := range v.Len() {
		if err := fault(v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// faultOfEntries is for a map of texts by text.
func faultOfEntries(v reflect.Value) error {
	for _, key := range v.MapKeys() {
		if err := Fault(key.String(), v.MapIndex(key).String()); err != nil {
			return err
		}
	}
	return nil
}

// faultOfFields looks into exported fields only.
func faultOfFields(v reflect.Value) error {
	if v.Type() == reflect.TypeFor[time.Time]() {
		return nil
	}
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		if err := fault(v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func faultOf(text string) error {
	switch {
	case strings.Contains(text, "\x00"), !utf8.ValidString(text):
		return fmt.Errorf("ERROR: invalid byte sequence for encoding \"UTF8\" (SQLSTATE 22021): %.40q", text)
	case len(text) > maxKey:
		return fmt.Errorf("ERROR: index row size exceeds btree version 4 maximum 2704 (SQLSTATE 54000): %.40q", text)
	}
	return nil
}

// Each runs a subtest for each text of a map, with a sentence that begins with what it is.
func Each(t *testing.T, texts map[string]string, sentence string, f func(t *testing.T, text string)) {
	t.Helper()
	for name, text := range texts {
		t.Run(name+" "+sentence, func(t *testing.T) { f(t, text) })
	}
}
