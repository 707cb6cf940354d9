package sources

import "bytes"

// maxPointer is what a pointer of Git LFS may hold, by its specification.
const maxPointer = 1024

// IsLFSPointer tells whether a file's content is a pointer of Git LFS, which is
// in the repository where the content itself is not. Pointers are never
// followed: whoever needs the content can only say that it is not there. See the
// specification, https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md.
func IsLFSPointer(content []byte) bool {
	version, rest, ok := bytes.Cut(content, []byte("\n"))
	return ok && len(content) < maxPointer &&
		(bytes.Equal(version, []byte("version https://git-lfs.github.com/spec/v1")) ||
			bytes.Equal(version, []byte("version https://hawser.github.com/spec/v1"))) &&
		bytes.Contains(rest, []byte("oid sha256:"))
}
