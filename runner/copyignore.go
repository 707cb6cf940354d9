package runner

import (
	"fmt"
	"regexp"
	"strings"
)

// copyIgnore reads the patterns of what copyFiles leaves out. As with pin each
// is a regular expression that may match anywhere in a file's path. Where that
// contradicts what pin's documentation shows, the documentation is followed,
// with a warning that says what the pattern matches.
func (p *parser) copyIgnore(f *field) []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, n := range p.strings(f, "copyIgnore") {
		re, note, err := compileIgnore(n.text)
		if err != nil {
			fault := faultOf(err)
			p.fail(n.at, "copyIgnore", fault.message, fault.hint)
			continue
		}
		if note.message != "" {
			p.warn(n.at, "copyIgnore", note.message, note.hint)
		}
		out = append(out, re)
	}
	return out
}

var (
	// starAfterLetter finds a glob that happens to compile: in an expression
	// made of plain characters and stars, a star after a letter repeats that
	// letter, which nobody means by `.env*`.
	starAfterLetter = regexp.MustCompile(`^[A-Za-z0-9_./ -]*[A-Za-z0-9_/-]\*[A-Za-z0-9_./* -]*$`)
	// slashForBackslash finds `dir/.*/.py`, which is how pin's README writes
	// `dir/.*\.py`.
	slashForBackslash = regexp.MustCompile(`^(.*\.\*)/(\.[A-Za-z0-9]+)$`)
	// globCharacters are those of a pattern that was meant as a file name's.
	globCharacters = regexp.MustCompile(`^[^()|^$\\!]*\*[^()|^$\\]*$`)
)

// compileIgnore reads one pattern; note is what its writer should know.
func compileIgnore(pattern string) (re *regexp.Regexp, note fault, err error) {
	re, err = regexp.Compile(pattern)
	if err != nil || starAfterLetter.MatchString(pattern) && !strings.Contains(pattern, ".*") {
		g, globErr := compileGlob("**/" + strings.TrimLeft(pattern, "/"))
		if globErr != nil || !globCharacters.MatchString(pattern) {
			return nil, note, &fault{
				message: fmt.Sprintf("copyIgnore has a pattern that is no regular expression: %v", err),
				hint:    "correct it, and write a backslash before a character that means itself", offset: -1,
			}
		}
		return g.match, fault{
			message: fmt.Sprintf("copyIgnore reads '%s' as a file name pattern, since it makes no sense as a regular expression", pattern),
			hint:    "files and directories of such a name are left out wherever they are",
		}, nil
	}
	if m := slashForBackslash.FindStringSubmatch(pattern); m != nil {
		meant := m[1] + regexp.QuoteMeta(m[2])
		both, bothErr := regexp.Compile("(?:" + pattern + ")|(?:" + meant + ")")
		if bothErr == nil {
			return both, fault{
				message: fmt.Sprintf("copyIgnore reads '%s' as pin's README means it, as '%s'", pattern, meant),
				hint:    "write it so",
			}, nil
		}
	}
	return re, note, nil
}
