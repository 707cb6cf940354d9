package sources

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

const maxPackObjects = 20_000_000

// storePack writes a pack that comes from a server into a repository. It is
// judged as it streams in, before any of it is unpacked into memory: how many
// objects there are, and how large each says it will be. Then it is indexed,
// which computes every hash anew, and only when all of it is on the disk does it
// get its name.
func storePack(repo string, pack io.Reader, maxBlob int64) (err error) {
	dir := filepath.Join(repo, "objects", "pack")
	f, err := os.CreateTemp(dir, "tmp_pack_")
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := judgePack(io.TeeReader(pack, f), maxBlob); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var index idxfile.Writer
	parser, err := packfile.NewParser(packfile.NewScanner(f), &index)
	if err != nil {
		return err
	}
	sum, err := parser.Parse()
	if err != nil {
		return err
	}
	name := filepath.Join(dir, "pack-"+sum.String())
	if err := writeIndex(name+".idx", &index); err != nil {
		return err
	}
	return namePack(f, name+".pack")
}

// judgePack reads a pack to its end and refuses what is too large.
func judgePack(r io.Reader, maxBlob int64) error {
	scan := packfile.NewScanner(r)
	_, count, err := scan.Header()
	if err != nil {
		return err
	}
	if count > maxPackObjects {
		return fmt.Errorf("%w: it holds %d objects, and at most %d are taken", errTooLarge, count, maxPackObjects)
	}
	for range count {
		h, err := scan.NextObjectHeader()
		if err != nil {
			return err
		}
		var head deltaHead
		if h.Length <= maxBlob {
			if _, _, err := scan.NextObject(&head); err != nil {
				return err
			}
		}
		size := h.Length
		if h.Type.IsDelta() {
			size = max(size, head.target())
		}
		if size > maxBlob {
			return fmt.Errorf("%w: it holds an object of %d MiB, and at most %d MiB are taken; keep such files elsewhere, or raise the limit", errTooLarge, size>>20, maxBlob>>20)
		}
	}
	if _, err := scan.Checksum(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return err
}

// deltaHead keeps the first bytes of a delta, which say how large its base is
// and what it makes of it (gitformat-pack(5), "Deltified representation").
type deltaHead struct {
	buf [20]byte
	n   int
}

func (d *deltaHead) Write(p []byte) (int, error) {
	d.n += copy(d.buf[d.n:], p)
	return len(p), nil
}

// target is the size of what the delta makes; one that cannot be read is left to
// the parser.
func (d *deltaHead) target() int64 {
	b := d.buf[:d.n]
	for i := range b {
		if b[i]&0x80 == 0 { // the end of the base's size
			b = b[i+1:]
			break
		}
	}
	var size uint64
	for i, c := range b[:min(len(b), 9)] {
		size |= uint64(c&0x7f) << (7 * i)
		if c&0x80 == 0 {
			break
		}
	}
	return int64(size & (1<<63 - 1))
}

// writeIndex writes the index of a pack, under its name only when it is whole.
func writeIndex(name string, w *idxfile.Writer) (err error) {
	index, err := w.Index()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "tmp_idx_")
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err := idxfile.NewEncoder(f).Encode(index); err != nil {
		return err
	}
	return namePack(f, name)
}

// namePack makes a temporary file durable under its name.
func namePack(f *os.File, name string) error {
	if err := errors.Join(f.Chmod(0o400), f.Sync()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
