// Package e2e knows the product as its users meet it: the built binary, a real
// Docker engine, real repositories and real clients. Its tests are the promises
// of the README. It holds no code of the product and never knows its insides.
package e2e
