package main

import "io"

func runMixed(io.Reader, io.Writer) error { return nil }
