package style

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// columns are the most that a line may take. A tab takes 4.
const columns = 120

// pasted are files with commands for a shell, each of which is a line.
var pasted = []string{"examples/demo/steps.go"}

// longWord is how many bytes a word must have, so that a line with it need not be broken. It is a URL, a key, or JSON.
const longWord = 70

// wide reports whether a line is too long.
func wide(line string) bool {
	if utf8.RuneCountInString(line)+3*strings.Count(line, "\t") <= columns {
		return false
	}
	return !slices.ContainsFunc(strings.Fields(line), func(word string) bool { return len(word) > longWord })
}

// wideLines returns the numbers of lines that are too long, without tables of Markdown and what examples print.
func wideLines(f file) (numbers []int) {
	number, printed := 0, false
	for line := range strings.Lines(f.text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		printed = strings.HasPrefix(line, "\t// ") && (printed || strings.HasSuffix(line, "utput:"))
		table := strings.HasSuffix(f.name, ".md") && strings.HasPrefix(line, "|")
		if wide(line) && !table && !printed {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

func TestUnitLines(t *testing.T) {
	t.Run("a line takes at most 120 columns", func(t *testing.T) {
		for _, f := range files(t, ".go", ".sql", ".css", ".md") {
			if slices.Contains(pasted, f.name) {
				continue
			}
			for _, number := range wideLines(f) {
				t.Errorf("%s:%d takes more than %d columns", f.name, number, columns)
			}
		}
	})
	t.Run("each of these is found", func(t *testing.T) {
		long := strings.Repeat("word ", 24) + "end" // 123 columns
		text := long + "\n" + long[:120] + "\n" + strings.Repeat("\t", 30) + " x y\n// https://" + strings.Repeat(
			"x", 120)
		if got := wideLines(file{"p.go", text}); !slices.Equal(got, []int{1, 3}) {
			t.Errorf("got the lines %v, want 1 and 3", got)
		}
		if got := wideLines(file{"p_test.go", "\t// Output:\n\t// " + long + "\n}\n// " + long}); !slices.Equal(
			got, []int{4}) {
			t.Errorf("got the lines %v, want 4", got)
		}
		if got := wideLines(file{"p.md", "| " + long + "\n" + long}); !slices.Equal(got, []int{2}) {
			t.Errorf("got the lines %v, want 2", got)
		}
	})
}
