package store

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// A dump, the form of backups and exports, is JSON lines: one dumpHeader, a
// dumpEntry for each entry in the order of their keys, and one dumpEnd.

const (
	dumpFormat  = "abide-state"
	dumpVersion = 1

	// maxDumpLine holds the longest key and value, encoded.
	maxDumpLine = (MaxKey+MaxValue)*4/3 + 1<<10
)

type dumpHeader struct {
	Format   string   `json:"format"`
	Version  int      `json:"version"`
	State    string   `json:"state"` // the identity of the state it was made of
	Revision Revision `json:"revision"`
	Prefixes []string `json:"prefixes,omitempty"` // of a backup
}

type dumpEntry struct {
	Key      string   `json:"key,omitempty"`
	KeyBytes []byte   `json:"key_base64,omitempty"` // of a key that is not UTF-8
	Value    []byte   `json:"value"`
	Revision Revision `json:"revision"`
}

type dumpEnd struct {
	Entries *int   `json:"entries"`
	SHA256  string `json:"sha256"` // of all bytes before this line
}

// dump is a dump in memory.
type dump struct {
	dumpHeader
	entries []Entry
}

func (d dump) write(w io.Writer) error { return d.writeLines(w, encodeEntry) }

// writeLines is write with the lines of the entries as line gives them.
func (d dump) writeLines(w io.Writer, line func(Entry) ([]byte, error)) error {
	sum := sha256.New()
	both := io.MultiWriter(w, sum)
	d.Format, d.Version = dumpFormat, dumpVersion
	if err := json.NewEncoder(both).Encode(d.dumpHeader); err != nil {
		return err
	}
	for _, e := range d.entries {
		text, err := line(e)
		if err != nil {
			return err
		}
		if _, err := both.Write(text); err != nil {
			return err
		}
	}
	n := len(d.entries)
	return json.NewEncoder(w).Encode(dumpEnd{&n, hex.EncodeToString(sum.Sum(nil))})
}

func encodeEntry(e Entry) ([]byte, error) {
	line := dumpEntry{Key: e.Key, Value: e.Value, Revision: e.Revision}
	if !utf8.ValidString(e.Key) {
		line.Key, line.KeyBytes = "", []byte(e.Key)
	}
	text, err := json.Marshal(line)
	return append(text, '\n'), err
}

// readDump reads a dump whole, or says in which line it is wrong.
func readDump(r io.Reader) (dump, error) {
	d := dumpReader{lines: bufio.NewScanner(r)}
	d.lines.Buffer(nil, maxDumpLine)
	out, err := d.read()
	if err != nil {
		return dump{}, fmt.Errorf("line %d: %w", d.line, err)
	}
	return out, nil
}

type dumpReader struct {
	lines *bufio.Scanner
	line  int
}

// next gives the next line, or an error when there is none.
func (d *dumpReader) next() ([]byte, error) {
	d.line++
	if d.lines.Scan() {
		return d.lines.Bytes(), nil
	}
	if err := d.lines.Err(); err != nil {
		return nil, err
	}
	return nil, errors.New("the file ends too early; it was cut off, use another copy")
}

func (d *dumpReader) read() (out dump, err error) {
	sum := sha256.New()
	line, err := d.next()
	if err != nil {
		return dump{}, err
	}
	if out.dumpHeader, err = parseHeader(line); err != nil {
		return dump{}, err
	}
	for {
		_, _ = sum.Write(append(line, '\n'))
		if line, err = d.next(); err != nil {
			return dump{}, err
		}
		if bytes.HasPrefix(line, []byte(`{"entries":`)) {
			break
		}
		e, err := parseEntry(line)
		if err != nil {
			return dump{}, err
		}
		if n := len(out.entries); n > 0 && e.Key <= out.entries[n-1].Key {
			return dump{}, fmt.Errorf("the key %q is not in its place", e.Key)
		}
		out.entries = append(out.entries, e)
	}
	if err := checkEnd(line, len(out.entries), hex.EncodeToString(sum.Sum(nil))); err != nil {
		return dump{}, err
	}
	if d.lines.Scan() {
		d.line++
		return dump{}, errors.New("something follows the end")
	}
	return out, d.lines.Err()
}

func parseHeader(line []byte) (dumpHeader, error) {
	var h dumpHeader
	if err := json.Unmarshal(line, &h); err != nil || h.Format != dumpFormat {
		return h, errors.New("this is no export or backup of abide's state")
	}
	if h.Version != dumpVersion {
		return h, fmt.Errorf("the file has version %d and this abide knows version %d; use the abide that has written it", h.Version, dumpVersion)
	}
	return h, nil
}

func parseEntry(line []byte) (Entry, error) {
	var e dumpEntry
	if err := json.Unmarshal(line, &e); err != nil {
		return Entry{}, fmt.Errorf("the line is damaged; use another copy: %w", err)
	}
	if (e.Key == "") == (len(e.KeyBytes) == 0) {
		return Entry{}, errors.New("the line has no key, or two; use another copy")
	}
	return Entry{Key: e.Key + string(e.KeyBytes), Value: e.Value, Revision: e.Revision}, nil
}

func checkEnd(line []byte, entries int, sum string) error {
	var end dumpEnd
	if err := json.Unmarshal(line, &end); err != nil || end.Entries == nil {
		return errors.New("the last line is damaged; use another copy")
	}
	if *end.Entries != entries || end.SHA256 != sum {
		return errors.New("the checksum does not match, so the file was damaged or changed; use another copy")
	}
	return nil
}
