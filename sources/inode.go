package sources

import (
	"fmt"
	"io/fs"
	"syscall"
)

// inode tells files apart that have had the same path one after the other.
func inode(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.ModTime().String()
	}
	return fmt.Sprintf("%d/%d", st.Dev, st.Ino)
}
