package jwt

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// unmarshal is json.Unmarshal of the claims of a token. Package json takes "EMAIL" for the field of "email", and the
// last of both counts. But the names of claims are case-sensitive (RFC 7519 §10.1.1). Somebody that may
// choose the name of one claim must not write another one. So a struct is given the claims that have exactly the names
// in its tags.
func unmarshal(payload []byte, v any) error {
	fields := claimFieldsOf(v)
	if fields == nil {
		return json.Unmarshal(payload, v)
	}
	var room [24]member
	all, err := members(string(payload), room[:0])
	if err != nil { // no payload of a Verifier
		return json.Unmarshal(payload, v)
	}
	kept, err := fields.choose(all)
	switch {
	case err != nil:
		return err
	case len(kept) == len(all):
		return json.Unmarshal(payload, v)
	}
	return json.Unmarshal(objectOf(kept), v)
}

// claimFields are the names of a struct's fields in JSON.
type claimFields struct {
	tagged   []string // by their tags
	untagged []string // of the fields themselves, which may be written in any case
}

// claimFieldsOf returns the names of the fields of the struct that v points to. It is nil if v is anything else, or
// decodes by itself.
func claimFieldsOf(v any) *claimFields {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct ||
		t.Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil
	}
	f := &claimFields{}
	f.add(t.Elem(), map[reflect.Type]bool{})
	return f
}

// add adds the fields of a struct, with those of structs that it embeds.
func (f *claimFields) add(t reflect.Type, seen map[reflect.Type]bool) {
	if seen[t] {
		return
	}
	seen[t] = true
	for i := range t.NumField() {
		field := t.Field(i)
		tag := field.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case tag == "-":
		case field.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			f.add(inner, seen)
		case !field.IsExported():
		case name != "":
			f.tagged = append(f.tagged, name)
		default:
			f.untagged = append(f.untagged, field.Name)
		}
	}
}

// choose returns the claims without those that only package json would take for a field.
func (f *claimFields) choose(all []member) ([]member, error) {
	var kept []member
	for _, m := range all {
		if !f.isAnother(m.name, all) {
			kept = append(kept, m)
		}
	}
	for _, name := range f.untagged {
		var alike []string
		for _, m := range kept {
			if strings.EqualFold(m.name, name) && !slices.Contains(f.tagged, m.name) {
				alike = append(alike, m.name)
			}
		}
		if len(alike) > 1 {
			return nil, fmt.Errorf("jwt: the claims %q and %q differ in case only, and the field %s has no name in "+
				"its tag", alike[0], alike[1], name)
		}
	}
	return kept, nil
}

// isAnother reports a claim that is no field, and that package json would take for one.
func (f *claimFields) isAnother(claim string, all []member) bool {
	alike := func(name string) bool { return strings.EqualFold(name, claim) }
	if slices.Contains(f.tagged, claim) || slices.Contains(f.untagged, claim) {
		return false
	}
	if i := slices.IndexFunc(f.untagged, alike); i >= 0 {
		return lookup(all, f.untagged[i]) != "" // which is written as the field
	}
	return slices.ContainsFunc(f.tagged, alike)
}

// objectOf returns a JSON object with these members.
func objectOf(all []member) []byte {
	text := []byte{'{'}
	for i, m := range all {
		if i > 0 {
			text = append(text, ',')
		}
		name, _ := json.Marshal(m.name) // a string
		text = append(append(append(text, name...), ':'), m.value...)
	}
	return append(text, '}')
}
