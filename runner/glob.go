package runner

import (
	"fmt"
	"regexp"
	"strings"
)

// glob is a pattern over slash paths, in gitignore's syntax: without a slash it
// matches a name at any depth, else a path from the root; `*` and `?` stay
// within a name, `**` crosses names; what is below a match matches too.
type glob struct {
	match  *regexp.Regexp // anchored, against a path without its leading slash
	except bool           // `!pattern`: takes back what earlier patterns matched
	prefix string         // the leading names of an anchored pattern that hold no wildcard
}

// compileGlob reads one pattern.
func compileGlob(pattern string) (glob, error) {
	var g glob
	text := strings.TrimSpace(pattern)
	if rest, ok := strings.CutPrefix(text, "!"); ok {
		g.except, text = true, rest
	}
	text = strings.TrimPrefix(text, "./")
	text, dirOnly := strings.CutSuffix(text, "/")
	anchored := strings.Contains(text, "/")
	text = strings.TrimPrefix(text, "/")
	if text == "" {
		return glob{}, &fault{message: fmt.Sprintf("the pattern '%s' names nothing", pattern), hint: "write a path such as src/**, or '**' for everything", offset: -1}
	}
	for _, name := range strings.Split(text, "/") {
		if name == ".." || name == "." {
			return glob{}, &fault{message: fmt.Sprintf("the pattern '%s' leaves the source", pattern), hint: "give paths below the source's root", offset: -1}
		}
	}
	expr, err := globExpr(text)
	if err != nil {
		return glob{}, &fault{message: fmt.Sprintf("the pattern '%s' is not a glob: %v", pattern, err), hint: "correct it", offset: -1}
	}
	above, below := "^", "(?:/.*)?$"
	if !anchored {
		above = "^(?:.*/)?"
	} else {
		g.prefix = fixedPrefix(text)
	}
	if dirOnly {
		below = "/.*$"
	}
	if g.match, err = regexp.Compile("(?s)" + above + expr + below); err != nil {
		return glob{}, &fault{message: fmt.Sprintf("the pattern '%s' is not a glob", pattern), hint: "check its brackets", offset: -1}
	}
	return g, nil
}

// fixedPrefix gives the names of a path before the first with a wildcard.
func fixedPrefix(text string) string {
	var fixed []string
	for _, name := range strings.Split(text, "/") {
		if strings.ContainsAny(name, `*?[\`) {
			break
		}
		fixed = append(fixed, name)
	}
	return strings.Join(fixed, "/")
}

// globExpr translates a glob without its anchors.
func globExpr(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case strings.HasPrefix(text[i:], "**/") && (i == 0 || text[i-1] == '/'):
			b.WriteString("(?:.*/)?")
			i += 2
		case text[i:] == "**":
			b.WriteString(".+")
			i++
		case c == '*' && (i == 0 || text[i-1] == '/') && (i+1 == len(text) || text[i+1] == '/'):
			b.WriteString("[^/]+")
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '[':
			end := strings.IndexByte(text[i+1:], ']')
			if end < 1 {
				return "", fmt.Errorf("a '[' is not closed")
			}
			set := text[i+1 : i+1+end]
			if rest, ok := strings.CutPrefix(set, "!"); ok {
				set = "^" + rest
			}
			b.WriteString("[" + strings.ReplaceAll(set, `[`, `\[`) + "]")
			i += end + 1
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteString(regexp.QuoteMeta(text[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(text[i : i+1]))
		}
	}
	return b.String(), nil
}

// globs is a list of patterns of which the last that matches decides.
type globs []glob

func compileGlobs(patterns []string) (globs, error) {
	out := make(globs, 0, len(patterns))
	for _, text := range patterns {
		g, err := compileGlob(text)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

// matches says whether a file's path is meant.
func (gs globs) matches(path string) bool {
	for i := len(gs) - 1; i >= 0; i-- {
		if gs[i].match.MatchString(path) {
			return !gs[i].except
		}
	}
	return false
}

// reach says whether a file below a directory can be meant.
func (gs globs) reach(dir string) bool {
	for _, g := range gs {
		if g.except {
			continue
		}
		if g.prefix == "" || below(dir, g.prefix) || below(g.prefix, dir) {
			return true
		}
	}
	return false
}

// below says whether path is dir or lies below it.
func below(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}
