// Package ext stands in for the extension points of Traefik's dynamic configuration, which lie in a module
// that is part of Traefik's repository only. They are empty there too.
package ext

// HTTP extends the HTTP configuration by nothing.
type HTTP struct{}

// Router extends a router by nothing.
type Router struct{}
