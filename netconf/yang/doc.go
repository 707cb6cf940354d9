// Package yang knows YANG (RFC 7950, and 6020 for version 1): it compiles the
// modules of a device or of a service into the shape of the configuration that
// they allow, and judges documents by it. It never knows where the modules come
// from, nor what a configuration is for; it evaluates no XPath beyond the paths
// of leafrefs, so must and when stay text.
//
// The statements are parsed by goyang; nothing else of it is used, because its
// own compile step drops the augments and refinements of a uses and refuses
// modules that have two of them.
package yang
