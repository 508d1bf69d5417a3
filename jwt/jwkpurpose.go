package jwt

import (
	"bytes"
	"encoding/json"
	"slices"
)

// isAbsent reports a member that is not there or null.
func isAbsent(raw json.RawMessage) bool { return len(raw) == 0 || bytes.Equal(raw, []byte("null")) }

// optional reads a member that is a string, "" if it is absent.
func (r *jwkReader) optional(name string) (text string) {
	if raw := r.members[name]; !isAbsent(raw) && json.Unmarshal(raw, &text) != nil {
		r.odd(name + " is no string")
		return ""
	}
	return text
}

// odd is an optional member of another type.
func (r *jwkReader) odd(why string) {
	if !r.lenient {
		r.fault("%s", why)
		return
	}
	r.ignored = append(r.ignored, why)
}

// purpose reads what the key is for: "use", "key_ops" and "alg" (RFC 7517 §4.2 to §4.4). A
// key that is for something else than signatures is a fault.
func (r *jwkReader) purpose(kty string) Algorithm {
	if use := r.optional("use"); use != "" && use != "sig" {
		r.fault("use is not sig")
	}
	if ops, ok := r.operations(); ok && !slices.Contains(ops, "verify") && !slices.Contains(ops, "sign") {
		r.fault("key_ops neither sign nor verify")
	}
	alg := Algorithm(r.optional("alg")).canonical()
	if m, known := methods[alg]; alg != "" && (!known || m.kty != kty) {
		r.fault("alg is unknown or not one for its kty")
	}
	return alg
}

// operations reads "key_ops". It reports whether they say anything.
func (r *jwkReader) operations() (ops []string, ok bool) {
	raw := r.members["key_ops"]
	if isAbsent(raw) {
		return nil, false
	}
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		r.odd("key_ops is no array")
		return nil, false
	}
	for _, each := range all {
		var op string
		if isAbsent(each) || json.Unmarshal(each, &op) != nil {
			r.odd("key_ops has a value that is no string")
			continue
		}
		ops = append(ops, op)
	}
	return ops, len(ops) > 0 || len(all) == 0
}
