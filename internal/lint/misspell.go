package main

import (
	"go/token"

	"github.com/golangci/misspell"
	"golang.org/x/tools/go/analysis"
)

// misspellAnalyzer reports misspelled English words in files of Go.
var misspellAnalyzer = &analysis.Analyzer{
	Name: "misspell",
	Doc:  "reports misspelled English words",
	Run:  runMisspell,
}

func runMisspell(pass *analysis.Pass) (any, error) {
	replacer := misspell.New()
	for _, file := range pass.Files {
		at := pass.Fset.File(file.Pos())
		text, err := pass.ReadFile(at.Name())
		if err != nil {
			return nil, err
		}
		_, found := replacer.ReplaceGo(string(text))
		for _, word := range found {
			pass.Reportf(at.LineStart(word.Line)+token.Pos(word.Column), "%q is misspelled: %q", word.Original,
				word.Corrected)
		}
	}
	return nil, nil
}
