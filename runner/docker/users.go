package docker

import (
	"archive/tar"
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxPasswd bounds what is read of an image's user database.
const maxPasswd = 1 << 20

// resolveUser gives the numbers of an image's USER: `uid`, `uid:gid`, `name` or
// `name:group`. The group of a file matters little, so that a named one is not
// looked up.
func (a *attempt) resolveUser(ctx context.Context, user string) (uid, gid int, err error) {
	name, group, _ := strings.Cut(user, ":")
	if gid, err = strconv.Atoi(group); err != nil {
		gid = 0
	}
	if uid, err = strconv.Atoi(name); err == nil {
		return uid, gid, nil
	}
	body, _, err := a.eng.api.CopyFromContainer(ctx, a.id, "/etc/passwd")
	if err != nil {
		return 0, 0, a.eng.explain(err, "the image's /etc/passwd can't be read")
	}
	defer body.Close()
	tr := tar.NewReader(body)
	if _, err := tr.Next(); err != nil {
		return 0, 0, err
	}
	return findUser(io.LimitReader(tr, maxPasswd), name)
}

// findUser looks a name up in a passwd(5) file.
func findUser(r io.Reader, name string) (uid, gid int, err error) {
	for s := bufio.NewScanner(r); s.Scan(); {
		field := strings.Split(s.Text(), ":")
		if len(field) < 4 || field[0] != name {
			continue
		}
		uid, uerr := strconv.Atoi(field[2])
		gid, gerr := strconv.Atoi(field[3])
		if uerr == nil && gerr == nil && uid >= 0 && gid >= 0 {
			return uid, gid, nil
		}
	}
	return 0, 0, fmt.Errorf("the image's /etc/passwd doesn't name %q", name)
}
