package main

import (
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
)

// TestUnitAnalyzers runs each analyzer on a package of testdata. Comments there say what it finds, and that it finds
// nothing else: no long function of a test, for example.
func TestUnitAnalyzers(t *testing.T) {
	all := make(map[string]*analysis.Analyzer)
	for _, analyzer := range analyzers() {
		all[analyzer.Name] = analyzer
	}
	for name, folders := range map[string][]string{
		"errorlint": {"wrapped"},
		"ST1003":    {"names"},
		"misspell":  {"words"},
		"gocognit":  {"complexity"},
		"funlen":    {"lines"},
		"bodyclose": {"bodies"},
	} {
		t.Run(name, func(t *testing.T) {
			if all[name] == nil {
				t.Fatalf("got no analyzer %s, want it among %d", name, len(all))
			}
			analysistest.Run(t, analysistest.TestData(), all[name], folders...)
		})
	}
}
