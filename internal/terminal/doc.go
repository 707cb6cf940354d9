// Package terminal knows how events, plans and tables look to a person: on a
// terminal live, with colours and times, in a pipe as plain lines. It never
// knows where they come from, nor what is to be done about them.
package terminal
