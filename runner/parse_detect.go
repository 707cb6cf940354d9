package runner

import "strings"

// IsPipeline says whether a YAML text is ours to judge: it has a top-level
// workflow key, in any case. It looks at lines only, so that a file with a
// fault further down is reported and not taken for somebody else's; a text that
// no line decides (JSON, say) is parsed. GitLab's `workflow:` is told apart: it
// is a map with `rules`, `name` or `auto_cancel`, where ours is a list.
func IsPipeline(text []byte) bool {
	s := strings.TrimPrefix(string(text[:min(len(text), MaxPipelineBytes)]), "\ufeff")
	if !containsFold(s, "workflow") {
		return false
	}
	indent, started := 0, false
	for rest := s; rest != ""; {
		line := rest
		if i := strings.IndexAny(rest, "\r\n"); i >= 0 {
			line, rest = rest[:i], rest[i+1:]
		} else {
			rest = ""
		}
		content := strings.TrimLeft(line, " ")
		switch {
		case content == "" || content[0] == '#' || content[0] == '%' && !started:
			continue
		case strings.HasPrefix(line, "---") && started:
			return false // only the first document counts
		case strings.HasPrefix(line, "---"):
			started = true
			if content = strings.TrimSpace(line[3:]); content == "" || content[0] == '#' {
				continue
			}
			return parsesAsPipeline(text)
		case !started && strings.ContainsRune("{[&!?", rune(content[0])):
			return parsesAsPipeline(text)
		}
		if !started || len(line)-len(content) < indent {
			started, indent = true, len(line)-len(content)
		}
		if len(line)-len(content) == indent && startsWithKey(content, "workflow") {
			return !isGitLab(rest)
		}
	}
	return false
}

// containsFold says whether s holds word, which is in lower case, in any case.
func containsFold(s, word string) bool {
	for i := 0; i+len(word) <= len(s); i++ {
		if (s[i]|0x20) == word[0] && strings.EqualFold(s[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// startsWithKey says whether a line begins with a key, perhaps in quotes.
func startsWithKey(line, key string) bool {
	if line[0] == '"' || line[0] == '\'' {
		inner, after, found := strings.Cut(line[1:], line[:1])
		return found && strings.EqualFold(inner, key) && strings.HasPrefix(strings.TrimLeft(after, " \t"), ":")
	}
	name, after, found := strings.Cut(line, ":")
	return found && strings.EqualFold(strings.TrimRight(name, " \t"), key) && (after == "" || strings.ContainsRune(" \t", rune(after[0])))
}

// isGitLab looks at what follows a `workflow:` line.
func isGitLab(rest string) bool {
	for line := range strings.Lines(rest) {
		content := strings.TrimSpace(line)
		if content == "" || content[0] == '#' {
			continue
		}
		if line[0] != ' ' {
			return false
		}
		return startsWithKey(content, "rules") || startsWithKey(content, "name") || startsWithKey(content, "auto_cancel")
	}
	return false
}

// parsesAsPipeline asks the parser; a text that is no YAML and begins like JSON
// is ours when it names the key.
func parsesAsPipeline(text []byte) bool {
	if len(text) > MaxPipelineBytes {
		return true
	}
	doc, err := loadYAML(string(text))
	if err != nil {
		return containsFold(string(text), `"workflow"`)
	}
	return doc.root.find("workflow") != nil
}
