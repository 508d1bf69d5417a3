package main
const childVariable = "GATEWARDEN_SCALE_CHILD"
func mainOfChild(string) {}
