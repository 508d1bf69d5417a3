package header

import "strings"

const (
	maxGroups     = 256
	maxGroupBytes = 8 << 10 // of all lines together
)

// joinGroups reads the lines of a list of groups (RFC 9110 §5.6.1): elements
// between commas, spaces around them removed, empty ones left out. It returns
// them joined by commas, which no group has. More than is read makes the
// list malformed rather than shorter: a group may be one that takes rights away.
func joinGroups(lines []string) (joined string, ok bool) {
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	if size > maxGroupBytes {
		return "", false
	}
	var groups []string
	for _, line := range lines {
		for group := range strings.SplitSeq(line, ",") {
			group = strings.Trim(group, " \t")
			if group == "" {
				continue
			}
			if len(groups) == maxGroups || !isText(group) {
				return "", false
			}
			groups = append(groups, group)
		}
	}
	return strings.Join(groups, ","), true
}

// splitGroups undoes joinGroups. The slice is the caller's.
func splitGroups(joined string) []string {
	if joined == "" {
		return nil
	}
	return strings.Split(joined, ",")
}
