// Package forge knows what abide and a forge (GitHub, GitLab, Gitea, Forgejo,
// Bitbucket, or any other sender) tell each other beside Git itself: the
// webhooks that come in, and the statuses of commits that go out. A webhook is
// a hint and nothing else: it may say that a ref moved, never what it holds.
// The package never knows what a source is wanted for, nor what a run is.
package forge
