package server

import (
	"encoding/base64"
	"strings"
)

// clientSegment returns the segment of a path that names a client. It is the identifier if
// that needs no escaping. Any other is "~" and its base64url, because ServeMux, proxies and
// [auth.Guard.Protect] treat "/", "%" and dots in escaped segments in ways of their own.
func clientSegment(id string) string {
	if strings.Trim(id, alphanumeric+"-_") == "" {
		return id
	}
	return "~" + base64.RawURLEncoding.EncodeToString([]byte(id))
}

// clientOfSegment returns the identifier that a segment of a path names, or "" if it names no
// client.
func clientOfSegment(segment string) string {
	encoded, ok := strings.CutPrefix(segment, "~")
	if !ok {
		return segment
	}
	id, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || clientSegment(string(id)) != segment {
		return ""
	}
	return string(id)
}

// PathOf returns the path of an application's page.
func (p ApplicationsPage) PathOf(client *Client) string {
	return p.Path + clientSegment(client.ID) + "/"
}

// PathOf returns the path of an application's page.
func (p ApplicationPage) PathOf(client *Client) string {
	return p.Path + clientSegment(client.ID) + "/"
}
