package server

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/gatewarden/auth/internal/cause"
)

// unsupportedMember is a member of a registration that asks for what the server does not do.
type unsupportedMember struct {
	// same are the values, as JSON, that ask for nothing else than what the server does anyway.
	same []string
	// lessSafe is set if a client that relies on the member is less safe without it. A
	// registration endpoint may ignore the others, and tells the client so (RFC 7591 §2, §3.2.1).
	lessSafe bool
	// instead is the member that asks for the same here, for the log.
	instead string
}

// unsupportedMembers are those of the IANA registry of client metadata that ask for something. Members
// that only describe a client, such as logo_uri, or that nothing reads without another member, such
// as jwks_uri, are ignored.
var unsupportedMembers = map[string]unsupportedMember{
	// OpenID Connect Registration §2.
	"subject_type":                    {same: []string{`"public"`}, lessSafe: true},
	"id_token_encrypted_response_alg": {lessSafe: true},
	"id_token_encrypted_response_enc": {lessSafe: true},
	"userinfo_signed_response_alg":    {},
	"userinfo_encrypted_response_alg": {lessSafe: true},
	"userinfo_encrypted_response_enc": {lessSafe: true},
	"request_object_signing_alg":      {lessSafe: true},
	"request_object_encryption_alg":   {lessSafe: true},
	"request_object_encryption_enc":   {lessSafe: true},
	"request_uris":                    {same: []string{`[]`}},
	"default_max_age":                 {lessSafe: true},
	"require_auth_time":               {same: []string{`false`}, lessSafe: true},
	"default_acr_values":              {same: []string{`[]`}, lessSafe: true},
	// What requests and answers must be like (RFC 9101 §10.5, JARM §3, RFC 8705 §3.4).
	"require_signed_request_object":              {same: []string{`false`}, lessSafe: true},
	"authorization_signed_response_alg":          {lessSafe: true},
	"authorization_encrypted_response_alg":       {lessSafe: true},
	"authorization_encrypted_response_enc":       {lessSafe: true},
	"tls_client_certificate_bound_access_tokens": {same: []string{`false`}, lessSafe: true},
	"introspection_signed_response_alg":          {},
	"introspection_encrypted_response_alg":       {lessSafe: true},
	"introspection_encrypted_response_enc":       {lessSafe: true},
	// Logout (OpenID Connect Back-Channel Logout §2.2, Front-Channel Logout §2).
	"backchannel_logout_uri":               {lessSafe: true},
	"backchannel_logout_session_required":  {same: []string{`false`}, lessSafe: true},
	"frontchannel_logout_uri":              {lessSafe: true},
	"frontchannel_logout_session_required": {same: []string{`false`}, lessSafe: true},
	// Columns of django-oauth-toolkit that decide which client gets tokens.
	"client_type": {same: []string{`"confidential"`}, lessSafe: true,
		instead: "token_endpoint_auth_method"},
	"authorization_grant_type": {lessSafe: true, instead: "grant_types"},
	// OpenID Connect CIBA §4.
	"backchannel_token_delivery_mode":                {},
	"backchannel_client_notification_endpoint":       {},
	"backchannel_authentication_request_signing_alg": {lessSafe: true},
	"backchannel_user_code_parameter":                {same: []string{`false`}},
	"authorization_details_types":                    {same: []string{`[]`}},
}

// asks reports whether a value asks for what the server does not do. Null is a member that is left out
// (RFC 7591 §2).
func (m unsupportedMember) asks(value json.RawMessage) bool {
	plain := plainJSON(value)
	return plain != "null" && !slices.Contains(m.same, plain)
}

// plainJSON returns a value without white space and needless escapes.
func plainJSON(value json.RawMessage) string {
	var decoded any
	if json.Unmarshal(value, &decoded) != nil {
		return string(value)
	}
	text, err := json.Marshal(decoded)
	if err != nil {
		return string(value)
	}
	return string(text)
}

// findMember returns the member of this name. Letters of either case are the same, as in the members
// that encoding/json reads into a [Registration].
func findMember(name string) (registered string, member unsupportedMember, known bool) {
	if member, known = unsupportedMembers[name]; known {
		return name, member, true
	}
	for registered, member = range unsupportedMembers {
		if strings.EqualFold(registered, name) {
			return registered, member, true
		}
	}
	return name, unsupportedMember{}, false
}

// checkMembers refuses a registration with a member that asks for what the server does not do, by
// the member's name. With lessSafe it ignores those that a client can do without.
func checkMembers(members map[string]json.RawMessage, lessSafe bool) error {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := members[name]
		name, member, known := findMember(name)
		if !known || !member.asks(value) || lessSafe && !member.lessSafe {
			continue
		}
		return metadataError("The member "+name+" is not supported.", &cause.Reason{
			Check: "the registration has a member that the server does not support",
			Came:  name + ": " + string(value), Want: member.same, See: member.instead,
			Err: ErrUnsupported})
	}
	return nil
}

// furtherMembers returns the members of a client in a file that [Registration] has no field for.
func furtherMembers(client map[string]json.RawMessage) map[string]json.RawMessage {
	maps.DeleteFunc(client, func(name string, _ json.RawMessage) bool { return isReserved(registrationMembers, name) })
	if len(client) == 0 {
		return nil
	}
	return client
}

// registrationMembers are the members that a file can have a field for.
var registrationMembers = append(memberNames(Registration{}), "client_secret", "client_secret_hash")
