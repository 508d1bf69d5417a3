// Command lint is what `make test` runs as `go vet -vettool` in each module: the analyzers of go vet, and a few others.
// So each package is loaded once for all of them, and the result is kept until the package changes. staticcheck runs
// beside it.
//
// Each analyzer that go vet does not have is here for a fault that it finds:
//
//   - errorlint: an error that is formatted with %v loses its cause. Comparisons with == are allowed, since
//     auth.KindOf returns one of eight values, which is compared on the path of each request.
//   - bodyclose and sqlclosecheck: a response, rows or a statement that stays open holds a connection for ever. Tests
//     close them in helpers, which these analyzers cannot see.
//   - gocognit and funlen: a function with more than 15 points of cognitive complexity, or 60 lines, cannot be read in
//     one go. Tests are exempt, since a test reads from top to bottom.
//   - names: Go's initialisms, and one name for all receivers of a type (stylecheck ST1003 and ST1016).
//   - misspell: misspelled English in comments and texts.
//
// Lines over 120 columns and the words of comments are counted by package internal/style, since these are counted in
// pages, too.
package main

import (
	"slices"
	"strconv"
	"strings"

	"codeberg.org/polyfloyd/go-errorlint/errorlint"
	sqlclosecheck "github.com/ryanrolds/sqlclosecheck/pkg/analyzer"
	"github.com/timakin/bodyclose/passes/bodyclose"
	"github.com/ultraware/funlen"
	"github.com/uudashr/gocognit"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/suite/vet"
	"golang.org/x/tools/go/analysis/unitchecker"
	"honnef.co/go/tools/stylecheck"
)

const (
	maxComplexity = 15
	maxLines      = 60
)

func main() { unitchecker.Main(analyzers()...) }

func analyzers() []*analysis.Analyzer {
	wrapped := errorlint.NewAnalyzer(errorlint.WithComparison(false), errorlint.WithAsserts(false))
	set(wrapped, "errorf", "true")
	return slices.Concat(vet.Suite, names(), []*analysis.Analyzer{
		wrapped,
		productOnly(bodyclose.Analyzer),
		productOnly(sqlclosecheck.NewAnalyzer()),
		productOnly(complexity()),
		productOnly(funlen.NewAnalyzer(maxLines, -1, true)),
		misspellAnalyzer,
	})
}

// complexity is gocognit with its bound, which it takes as a flag only.
func complexity() *analysis.Analyzer {
	set(gocognit.Analyzer, "over", strconv.Itoa(maxComplexity))
	return gocognit.Analyzer
}

func set(analyzer *analysis.Analyzer, flag, value string) {
	if err := analyzer.Flags.Set(flag, value); err != nil {
		panic(err)
	}
}

// names are the checks of names of stylecheck.
func names() (found []*analysis.Analyzer) {
	for _, check := range stylecheck.Analyzers {
		if slices.Contains([]string{"ST1003", "ST1016"}, check.Analyzer.Name) {
			found = append(found, check.Analyzer)
		}
	}
	return found
}

// productOnly reports nothing in files of tests.
func productOnly(analyzer *analysis.Analyzer) *analysis.Analyzer {
	bounded, run := *analyzer, analyzer.Run
	bounded.Run = func(pass *analysis.Pass) (any, error) {
		product, report := *pass, pass.Report
		product.Report = func(found analysis.Diagnostic) {
			if !strings.HasSuffix(pass.Fset.Position(found.Pos).Filename, "_test.go") {
				report(found)
			}
		}
		return run(&product)
	}
	return &bounded
}
