// Package greet has the words.
package greet

// Line returns one.
func Line(name string) string { return "Hello to " + name + ", from the workspace" }
