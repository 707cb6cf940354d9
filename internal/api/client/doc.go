// Package client knows how to talk to a running agent: its address over TCP or
// a Unix socket, its routes with their types, its errors, and its streams,
// which it resumes where they broke off. The abide command is built on it. It
// never knows how an answer is shown.
package client
