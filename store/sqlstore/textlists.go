package sqlstore

import (
	"encoding/json"
	"fmt"
	"strings"
)

// This file writes lists of texts as JSON arrays.

// list is a list as it is stored. A nil list is an empty one.
func list(all []string) string {
	if len(all) == 0 {
		return "[]"
	}
	text, _ := json.Marshal(all) // of strings
	return string(text)
}

// unlist reads what list wrote. An empty list is nil.
func unlist(text string, all *[]string) error {
	if text == "[]" {
		return nil
	}
	return json.Unmarshal([]byte(text), all)
}

// unlistAMR is unlist for the methods of a token or session. A program of the version
// before, which runs on after the tables changed, writes them separated by spaces.
func unlistAMR(text string, all *[]string) error {
	if !strings.HasPrefix(text, "[") {
		*all = strings.Fields(text)
		return nil
	}
	if err := unlist(text, all); err != nil {
		return fmt.Errorf("sqlstore: amr %q: %w", text, err)
	}
	return nil
}
