package terminal

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Screen is where output goes and what it can do. The zero value but for W is a
// pipe: no colours, nothing live.
type Screen struct {
	W     io.Writer
	Color bool
	Live  bool // a terminal whose lines can be written over
	// Size gives the terminal's columns and rows; nil stands for 80 × 24. It is
	// asked again for every picture, because a window can change.
	Size func() (columns, rows int)
}

// Detect finds out what w can do. Colours are left out when NO_COLOR is set to
// anything (https://no-color.org), and all of it on a dumb terminal.
func Detect(w io.Writer, env func(string) string) Screen {
	s := Screen{W: w}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || env("TERM") == "dumb" || env("TERM") == "" {
		return s
	}
	s.Live = true
	s.Color = env("NO_COLOR") == ""
	s.Size = func() (int, int) {
		columns, rows, err := term.GetSize(int(f.Fd()))
		if err != nil || columns <= 0 || rows <= 0 {
			return 80, 24
		}
		return columns, rows
	}
	return s
}

func (s Screen) size() (columns, rows int) {
	if s.Size == nil {
		return 80, 24
	}
	return s.Size()
}

// Color is an SGR code.
type Color string

// The colours in use: the eight that every palette can tell from its
// background, never black or white.
const (
	Plain  Color = ""
	Red    Color = "31"
	Green  Color = "32"
	Yellow Color = "33"
	Blue   Color = "34"
	Cyan   Color = "36"
	Dim    Color = "2"
	Bold   Color = "1"
)

const reset = "\x1b[0m"

// Paint gives text in a colour where the screen has colours.
func (s Screen) Paint(c Color, text string) string {
	if !s.Color || c == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + reset
}
