package sources

import (
	"io/fs"
	"strings"
)

// badName tells whether a name in a Git tree is one that nothing may be called.
// Git itself never writes such entries; they are made to escape from a tree or
// to write into .git once it is checked out. abide checks nothing out, but what
// it hands on may end up on a disk that folds names (CVE-2014-9390 and after).
func badName(name string) bool {
	return !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "/\x00") || isDotGit(name)
}

// isDotGit recognises .git as Linux, macOS (HFS+) and Windows (NTFS) would
// spell it: in any case, with code points that HFS+ ignores, as a short name,
// with a stream after a colon, with dots and spaces at its end, and behind a
// backslash.
func isDotGit(name string) bool {
	for part := range strings.SplitSeq(name, `\`) {
		part = strings.Map(dropIgnored, part)
		part, _, _ = strings.Cut(part, ":")
		part = strings.ToLower(strings.TrimRight(part, ". "))
		if part == ".git" || part == "git~1" {
			return true
		}
	}
	return false
}

// dropIgnored drops the code points that HFS+ ignores when it compares names.
func dropIgnored(r rune) rune {
	switch {
	case r >= 0x200c && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x206a && r <= 0x206f, r == 0xfeff:
		return -1
	}
	return r
}
