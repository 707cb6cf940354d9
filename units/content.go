package units

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
	"strings"
)

// Content identifies the files of a unit, byte for byte: "sha256:…" over its
// text and its drop-ins in the order of their names. Engines compute it over
// what stands on disk and compare it with Target.Digest.
func Content(text []byte, dropIns []DropIn) string {
	d := digest{sha256.New()}
	d.add(string(text))
	for _, in := range sorted(dropIns) {
		d.add(in.Name)
		d.add(string(in.Text))
	}
	return d.String()
}

// MeaningfulDigest identifies what systemd takes from the files of a unit:
// equal digests mean that a running unit need not be restarted for the change.
// Comments, and sections and names that begin with X-, do not count (systemd.syntax(7)).
func MeaningfulDigest(text []byte, dropIns []DropIn) string {
	d := digest{sha256.New()}
	d.addMeaning(string(text))
	for _, in := range sorted(dropIns) {
		d.add(in.Name)
		d.addMeaning(string(in.Text))
	}
	return d.String()
}

func sorted(dropIns []DropIn) []DropIn {
	return slices.SortedFunc(slices.Values(dropIns), func(a, b DropIn) int { return cmp.Compare(a.Name, b.Name) })
}

// digest hashes parts so that no two lists of parts give the same bytes.
type digest struct{ hash.Hash }

func (d digest) add(parts ...string) {
	for _, p := range parts {
		d.Write(binary.AppendUvarint(nil, uint64(len(p))))
		d.Write([]byte(p))
	}
}

func (d digest) addMeaning(text string) {
	file, faults := Read("", text)
	if faults.Err() != nil {
		d.add("text", text) // systemd may see more in it than we do
		return
	}
	for _, s := range file {
		if !strings.HasPrefix(s.Section, "X-") && !strings.HasPrefix(s.Name, "X-") {
			d.add("option", s.Section, s.Name, s.Value)
		}
	}
}

func (d digest) String() string { return "sha256:" + hex.EncodeToString(d.Sum(nil)) }
