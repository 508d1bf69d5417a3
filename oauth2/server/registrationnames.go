package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// clientMembers returns the members of each client of a JSON array, by their names. It refuses what two readers of one
// file could read as two different clients:
//
//   - a member that comes twice, of which one reader takes the first and another one the last (RFC 8259 §4)
//   - a member with a name that differs from one of [Registration] in the case of letters alone. Names are
//
// case-sensitive, so it would be another member, which is ignored (RFC 7591 §2): "Scope" would leave every scope to the
// client
func clientMembers(text []byte) ([]map[string]json.RawMessage, error) {
	var clients []json.RawMessage
	if err := json.Unmarshal(text, &clients); err != nil {
		return nil, err
	}
	all := make([]map[string]json.RawMessage, len(clients))
	for i, client := range clients {
		members, err := membersOnce(client)
		if err != nil {
			return nil, fmt.Errorf("number %d: %w", i+1, err)
		}
		all[i] = members
	}
	return all, nil
}

// membersOnce returns the members of a JSON object, and nil for null.
func membersOnce(object json.RawMessage) (map[string]json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, err
	}
	members := make(map[string]json.RawMessage)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		if err := checkMemberName(name, members); err != nil {
			return nil, err
		}
		members[name] = value
	}
	return members, nil
}

// checkMemberName refuses a name that is there before, and one that only looks like that of a member.
func checkMemberName(name string, before map[string]json.RawMessage) error {
	if _, twice := before[name]; twice {
		return fmt.Errorf("the member %q comes twice (RFC 8259 §4)", name)
	}
	if slices.Contains(registrationMembers, name) {
		return nil
	}
	i := slices.IndexFunc(registrationMembers, func(known string) bool { return strings.EqualFold(known, name) })
	if i >= 0 {
		return fmt.Errorf("the member %q must be written %q, because names are case-sensitive (RFC 8259 §4)",
			name, registrationMembers[i])
	}
	return nil
}
