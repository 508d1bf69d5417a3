package schema

import (
	"context"
	"fmt"
	"strings"
)

// Print returns the SQL that Migrate would run for a component: nothing if its tables have the newest version. Without
// a database, in is nil, and the SQL makes all tables.
func (s Scripts) Print(ctx context.Context, in Querier, component string) (string, error) {
	scripts, err := s.of(component)
	if err != nil {
		return "", err
	}
	var found state
	if in != nil {
		if found, scripts, err = s.readState(ctx, in, component); err != nil || found.version >= len(scripts) {
			return "", err
		}
	}
	var text strings.Builder
	for i, script := range scripts[found.version:] {
		fmt.Fprintf(&text, "-- %s, version %d\n%s\n\n", component, found.version+i+1,
			s.withPrefix(strings.TrimSpace(script)))
	}
	sum := checksum(scripts)
	if found.listed {
		fmt.Fprintf(&text, "UPDATE %sschema SET version = %d, checksum = '%s' WHERE component = '%s';\n", s.Prefix,
			len(scripts), sum, component)
	} else {
		fmt.Fprintf(&text, "INSERT INTO %sschema (component, version, checksum) VALUES ('%s', %d, '%s');\n", s.Prefix,
			component, len(scripts), sum)
	}
	return text.String(), nil
}

// List returns the SQL that makes the version table.
func (s Scripts) List() string { return s.withPrefix(createList) + s.TableOptions + ";\n" }
